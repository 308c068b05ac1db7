#!/bin/sh
# Make .venv with all that Cumulo needs; as root, install the distribution's packages too.
#
# With the word test it brings the servers that tests run on too.
# May be run again at any time: what is done is not done again.  Packages come from the sources
# that apt and pip are configured for; a slow one is asked again.
set -eu
cd "$(dirname "$0")/.."

# For guests and networks, for compiling libvirt's binding, for the walks.
host_packages="openvswitch-switch ovn-central ovn-host libvirt-daemon libvirt-daemon-system \
libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils qemu-block-extra genisoimage ovmf iproute2 iputils-ping lz4 zstd \
openssh-client"
build_packages="libvirt-dev pkg-config gcc libc6-dev"
test_packages=
[ "${1:-}" != test ] || test_packages="mariadb-server-core mariadb-client-core postgresql rclone s3cmd haproxy \
chromium chromium-driver fonts-dejavu-core ceph-mon ceph-osd ceph-mgr ceph-common mmdebstrap"
# Whatever these start by themselves would be in nobody's service here.
units="openvswitch-switch ovs-vswitchd ovsdb-server ovn-central ovn-host ovn-controller \
libvirtd libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirt-guests virtlogd.socket \
virtlockd.socket ceph.target ceph-crash.service"

say() { echo "setup: $*"; }
die() {
    say "$*" >&2
    exit 1
}
again() {
    for pause in 2 20 0; do
        "$@" && return
        [ $pause = 0 ] || { say "$1 failed; trying again in $pause s" && sleep $pause; }
    done
    return 1
}

find_python() {
    if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ]; then
        PYTHON=$(.venv/bin/python -c 'import sys; print(sys._base_executable)' || true)
    fi
    for name in ${PYTHON:-} python3.11 python3 python3.12 python3.13; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$(command -v "$name")
            return
        fi
    done
    die "Cumulo needs Python 3.11 or newer; PYTHON=... names one."
}

missing_packages() {
    for package in $host_packages $build_packages $test_packages $(python_packages); do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' ||
            echo "$package"
    done
}

# Only the distribution's own Python comes in several packages.
python_packages() {
    case $("$python" -c 'import sys; print(sys.base_prefix)') in
    /usr) "$python" -c 'import sys; v = "python3.%d" % sys.version_info[1]; print(v + "-venv", v + "-dev")' ;;
    esac
}

install_packages() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "without root these packages cannot be installed:" $missing
        say "so there will be no real guests; 'cumulo up --emulate' works"
        return 0
    fi
    say "installing" $missing
    again apt-get -qq update || die "apt-get update failed"
    no_services
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    again apt-get -qq -o Acquire::Retries=5 install \
        --yes --no-install-recommends $missing >/dev/null || die "apt-get install failed"
    services_again
}

# Cumulo starts daemons of its own; those of the packages stay off.
no_services() {
    [ -e /usr/sbin/policy-rc.d ] && return
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    policy=ours
}

services_again() {
    if [ "${policy:-}" = ours ]; then
        rm -f /usr/sbin/policy-rc.d
        trap - EXIT
    fi
    if [ -d /run/systemd/system ]; then
        # shellcheck disable=SC2086
        systemctl --quiet disable $units 2>/dev/null || true
    fi
}

# The stamp says what the environment was made from.
stamp() {
    cat requirements-*.txt
    "$python" --version
    has_libvirt && echo host
    pwd
}
has_libvirt() { pkg-config --exists libvirt 2>/dev/null && command -v gcc >/dev/null; }

make_environment() {
    wanted=$(stamp | sha256sum)
    if [ "$(cat .venv/stamp 2>/dev/null)" = "$wanted" ]; then
        say "the environment is up to date"
        return
    fi
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv 2>/dev/null ||
        die "$python has no venv: install python3-venv (apt-get install python3-venv)"
    pip="again .venv/bin/python -m pip --quiet --disable-pip-version-check install --retries 10 --timeout 60"
    # What has to be built is built with the pinned setuptools, not with whatever is newest.
    $pip --require-hashes --requirement requirements-build.txt &&
        $pip --require-hashes --no-build-isolation --requirement requirements-dev.txt ||
        die "the Python packages could not be installed"
    if has_libvirt; then
        $pip --require-hashes --no-build-isolation --no-deps --requirement requirements-host.txt ||
            die "libvirt's Python binding could not be compiled"
    fi
    $pip --no-build-isolation --no-deps --editable . || die "Cumulo itself could not be installed"
    echo "$wanted" >.venv/stamp
}

# Some environments tell Python to keep nothing compiled, and then each start compiles everything.
compile_sources() {
    .venv/bin/python -m compileall -q -j 2 src .venv/lib >/dev/null || true
}

find_python
if command -v dpkg-query >/dev/null; then
    install_packages
else
    say "this is neither Debian nor Ubuntu: install what these bring:" $host_packages
fi
make_environment
tools/novnc.sh || die "noVNC could not be fetched"
compile_sources
say "done: .venv/bin/cumulo"

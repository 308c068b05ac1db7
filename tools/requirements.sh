#!/bin/sh
# Pin every dependency with its hash.  What builds others is apart, for it has to be there first;
# so is libvirt-python, which needs libvirt on the machine.
set -eu
cd "$(dirname "$0")/.."
pin() {
    output=$1
    shift
    uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-annotate --custom-compile-command "make requirements" --output-file "$output" "$@"
}
pin requirements.txt pyproject.toml --extra mariadb --extra postgresql
pin requirements-dev.txt pyproject.toml --extra mariadb --extra postgresql --extra dev \
    --constraint requirements.txt
echo libvirt-python | pin requirements-host.txt -
echo setuptools | pin requirements-build.txt - --constraint requirements-dev.txt

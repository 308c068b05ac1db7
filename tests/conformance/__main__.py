"""`python -m tests.conformance [--real] [smoke|compute|everything|REGEX]`: see the package."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import netns

from cumulo.guest.build import build_guest
from tests.conformance import tempest
from tests.conformance.images_site import images_site
from tests.conformance.preparation import EMULATED, REAL, prepare
from tests.walks.clouds import CommandCloud, namespace, write_ports

_HOSTS = 3
# What tempest.conf says of them too; hashes that are quick, for the tests make many users; and as
# much of the network as the plugin's tests take where OpenStack runs them.
_SETTINGS = """[identity]
password_hash_rounds = 4
lockout_failure_attempts = 2
lockout_duration = 5
unique_last_password_count = 2
[network]
network_vlan_ranges = ["tenant:3000:3099"]
{backends}[network.quota]
router = 100
floatingip = 500
security_group = 100
security_group_rule = 1000
[objectstore]
policies = ["Policy-0", "silver"]
[image.stores.web]
kind = "http"
[image.stores.objects]
kind = "swift"
[image.import_filtering_opts]
allowed_ports = [80, 443, {site_port}]
allowed_networks = ["127.0.0.1/32"]
[objectstore.sync_realms.realm1]
key = "a realm's key"
clusters = {{ name1 = "http://127.0.0.1:{port}/v1" }}
"""
# A physical network for projects' VLANs, of which guests may be promised as much as the tests do.
_CARDS = """[[node.physical_networks]]
name = "physnet1"
bridge = "br-ex"
addresses = ["203.0.113.1/24"]
[[node.physical_networks]]
name = "tenant"
bridge = "br-tenant"
egress_kbps = 1000000
ingress_kbps = 1000000
"""

_BACKENDS = """[[volume.backends]]
name = "{driver}"
driver = "{driver}"
[[volume.backends]]
name = "other"
driver = "{driver}"
"""


@contextmanager
def emulated_cloud(state: Path, site_port: int) -> Iterator[CommandCloud]:
    """Run an emulated cloud of some hosts, which may fetch from a port of this machine."""
    state.mkdir(parents=True)
    write_ports(state / "cumulo.toml")
    with (state / "cumulo.toml").open("a") as settings:
        settings.write(f"[emulated]\nhosts = {_HOSTS}\n{_CARDS}")
    cloud = CommandCloud(state)
    with (state / "cumulo.toml").open("a") as settings:
        backends = _BACKENDS.format(driver="fake")
        ports = {"port": cloud.ports["objectstore"], "site_port": site_port}
        settings.write(_SETTINGS.format(**ports, backends=backends))
    cloud.up("--emulate")
    try:
        yield cloud
    finally:
        cloud.down("--purge")


@contextmanager
def real_cloud(state: Path) -> Iterator[CommandCloud]:
    """Run a cloud of one real host, in a network namespace that this process enters for good."""
    state.parent.mkdir(parents=True, exist_ok=True)
    state.parent.chmod(0o711)  # guests' processes pass
    state.mkdir(mode=0o711)
    (state / "cumulo.toml").write_text(_BACKENDS.format(driver="file"))
    with namespace(f"cumulo-{os.getpid()}") as own:
        netns.setns(own)
        cloud = CommandCloud(state)
        cloud.up()
        try:
            yield cloud
        finally:
            cloud.down("--purge")


def run(program: Path, workspace: Path, regex: str, workers: int = 2) -> tempest.Outcome:
    """Run Tempest's tests against a new emulated cloud."""
    workspace.mkdir(parents=True, exist_ok=True)
    with images_site() as site_port, emulated_cloud(workspace / "state", site_port) as cloud:
        values = EMULATED | prepare(cloud) | {"nothing": f"http://127.0.0.1:{site_port}"}
        tempest.write_settings(workspace, values)
        return tempest.run(program, workspace, regex, workers)


def run_real(program: Path, workspace: Path, regex: str, workers: int = 1) -> tempest.Outcome:
    """Run Tempest's tests against a new real cloud, with guests that are logged in to."""
    workspace.mkdir(parents=True, exist_ok=True)
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    image = build_guest(cache / "image", cache, print)
    with (
        tempfile.TemporaryDirectory(prefix="cumulo-", dir="/var/tmp") as short,  # for sockets
        real_cloud(Path(short) / "s") as cloud,
    ):
        values = REAL | {"img_file": str(image)} | prepare(cloud, image.read_bytes())
        tempest.write_settings(workspace, values)
        return tempest.run(program, workspace, regex, workers)


def main() -> int:
    """Run, tell, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("tests", nargs="?", default="smoke")
    parser.add_argument("--workspace", type=Path, help="kept; otherwise a directory that goes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--real", action="store_true", help="guests that boot, as root")
    wanted = parser.parse_args()
    program = tempest.program()
    if program is None:
        sys.exit("Tempest is not installed: `make conformance` does it, or set $TEMPEST.")
    regex = tempest.SELECTIONS.get(wanted.tests, wanted.tests)
    with tempfile.TemporaryDirectory(prefix="cumulo-tempest-") as place:
        workspace = wanted.workspace or Path(place)
        one = run_real if wanted.real else run
        outcome = one(program, workspace.absolute(), regex, wanted.workers)
    return report(outcome, real=wanted.real)


def report(outcome: tempest.Outcome, *, real: bool = False) -> int:
    """Print how the run ended; return the exit status."""
    known = {
        name: why
        for name, why in tempest.known_failures().items()
        if not (real and "emulated guest" in why)
    }
    wrong = tempest.complaints(outcome, known)
    for reason in sorted(set(outcome.skipped.values())):
        count = sum(1 for why in outcome.skipped.values() if why == reason)
        print(f"{count:4} skipped: {reason}")
    for name in sorted(outcome.failed):
        if why := tempest.reason(name, known):
            print(f"known to fail: {name}: {why}")
    print(*wrong, sep="\n")
    passed, failed, skipped = (len(group) for group in outcome)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

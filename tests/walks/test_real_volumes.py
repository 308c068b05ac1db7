"""Block storage on a real cloud of two back ends: what one guest writes another reads."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.guest.build import build_guest
from cumulo.walks import provider
from cumulo.walks.client import Client
from cumulo.walks.walk import Walk
from tests.ceph import USER, Ceph, running_ceph
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud, namespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
GUESTS = ("one", "two")
BACKENDS = """
[[volume.backends]]
name = "file"
volume_backend_name = "FAST_POOL"
directory = "{state}/volumes/file"
[[volume.backends]]
name = "rbd"
driver = "rbd"
volume_backend_name = "CEPH_POOL"
rbd_ceph_conf = "{conf}"
rbd_user = "{user}"
"""
TYPES = {"fast_vol": "FAST_POOL", "ceph_vol": "CEPH_POOL"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, Ceph]]:
    """A network namespace with a Ceph in it."""
    own = f"cumulo-{os.getpid()}"
    with namespace(own), running_ceph(["nsenter", f"--net=/run/netns/{own}"]) as ceph:
        ceph.pool("volumes")
        yield own, ceph


@pytest.fixture(scope="module")
def cloud(state: Path, cluster: tuple[str, Ceph]) -> Iterator[CommandCloud]:
    own, ceph = cluster
    cloud = CommandCloud(state, own)
    state.mkdir()
    settings = BACKENDS.format(state=state, conf=ceph.conf, user=USER)
    (state / "cumulo.toml").write_text(settings)
    cloud.up()
    yield cloud
    cloud.down("--purge")


@pytest.fixture(scope="module")
def walk(cloud: CommandCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    client = cloud.client()
    yield Walk(client, tmp_path_factory.mktemp("walk"), tell=print)
    client.close()


@pytest.fixture(scope="module")
def addresses(walk: Walk) -> dict[str, str]:
    """Two guests on one network, and where they are."""
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    image = build_guest(walk.folder, cache, print)
    openstack = walk.client
    openstack.run("flavor", "create", "--ram", "128", "--disk", "1", "m1.tiny1")
    formats = ["--disk-format", "qcow2", "--container-format", "bare"]
    openstack.run("image", "create", "cirros", "--file", str(image), *formats)
    provider.flat_network(walk)
    provider.access(walk)
    options = ["--flavor", "m1.tiny1", "--image", "cirros", "--network", "provider"]
    for name in GUESTS:
        openstack.run("server", "create", *options, "--key-name", "mykey", name)
    for name in GUESTS:
        walk.await_status(name)
    found = {name: openstack.show("server", "show", name)["addresses"] for name in GUESTS}
    return {name: str(told["provider"][0]) for name, told in found.items()}


@pytest.fixture(scope="module")
def types(walk: Walk) -> None:
    for name, backend in TYPES.items():
        walk.client.run("volume", "type", "create", name)
        wanted = f"volume_backend_name={backend}"
        walk.client.run("volume", "type", "set", name, "--property", wanted)


def becomes(openstack: Client, *what: str, status: str = "available") -> None:
    """Wait until a volume, a snapshot or a backup has a status; in error it never will."""

    def is_so() -> bool:
        found = openstack.value("status", *what[:-1], "show", what[-1])
        assert found == status or "error" not in found, openstack.show(*what[:-1], "show", what[-1])
        return found == status

    eventually(is_so, 120, every_s=0.1)


def device(openstack: Client, volume: str) -> str:
    """Return words for a guest's shell that are a volume's device."""
    serial = openstack.value("id", "volume", "show", volume)[:20]
    return f"/dev/$(grep -l ^{serial} /sys/block/vd*/serial | cut -d/ -f4)"


def test_every_backend_is_a_pool(walk: Walk, types: None) -> None:
    pools = {
        row["Name"].partition("#")[2]
        for row in walk.client.rows("volume", "backend", "pool", "list")
    }
    assert pools == {"file", "rbd"}
    services = walk.client.rows("volume", "service", "list", "--service", "cinder-volume")
    assert {row["State"] for row in services} == {"up"}


@pytest.mark.parametrize("kind", TYPES)
def test_what_one_guest_writes_another_reads(
    walk: Walk, types: None, addresses: dict[str, str], kind: str
) -> None:
    openstack, (first, second) = walk.client, addresses.values()

    def plugged(server: str, name: str) -> str:
        openstack.run("server", "add", "volume", server, name)
        becomes(openstack, "volume", name, status="in-use")
        return device(openstack, name)

    def pulled(server: str, name: str) -> None:
        openstack.run("server", "remove", "volume", server, name)
        becomes(openstack, "volume", name)

    write = "printf '{}' | sudo dd of={} bs=512 conv=sync; sync"
    read = "sudo dd if={} bs=14 count=1 2>/dev/null"
    openstack.run("volume", "create", "--size", "1", "--type", kind, "disk")
    becomes(openstack, "volume", "disk")
    walk.await_login(first, write.format("from the first", plugged("one", "disk")))
    pulled("one", "disk")
    openstack.run("volume", "snapshot", "create", "--volume", "disk", "snap")
    becomes(openstack, "volume", "snapshot", "snap")
    place = plugged("two", "disk")
    assert walk.await_login(second, read.format(place)) == "from the first"
    walk.await_login(second, write.format("written later!", place))
    pulled("two", "disk")
    openstack.run("volume", "create", "--snapshot", "snap", "copy")
    becomes(openstack, "volume", "copy")
    for name, words in (("disk", "written later!"), ("copy", "from the first")):
        assert walk.await_login(first, read.format(plugged("one", name))) == words
        pulled("one", name)
    backup = ["volume", "backup"]
    openstack.run(*backup, "create", "--name", "kept", "copy")
    becomes(openstack, *backup, "kept")
    openstack.run(*backup, "restore", "kept", "disk", "--force")
    becomes(openstack, "volume", "disk")
    assert walk.await_login(second, read.format(plugged("two", "disk"))) == "from the first"
    pulled("two", "disk")
    openstack.run(*backup, "delete", "kept")
    openstack.run("volume", "snapshot", "delete", "snap")
    eventually(lambda: openstack.rows("volume", "snapshot", "list") == [], 60)
    openstack.run("volume", "delete", "disk", "copy")
    eventually(lambda: openstack.rows("volume", "list") == [], 60)


@pytest.mark.parametrize("backend", TYPES.values())
def test_a_guest_boots_from_a_volume_encrypted_first_and_again(
    walk: Walk,
    types: None,
    cluster: tuple[str, Ceph],
    addresses: dict[str, str],
    backend: str,
    state: Path,
) -> None:
    openstack = walk.client
    wanted = ["--property", f"volume_backend_name={backend}", "--encryption-provider", "luks"]
    openstack.run("volume", "type", "create", "sealed", *wanted)
    options = ["--size", "1", "--type", "sealed", "--image", "cirros"]
    openstack.run("volume", "create", *options, "root")
    becomes(openstack, "volume", "root")
    options = ["--flavor", "m1.tiny1", "--volume", "root", "--network", "provider"]
    openstack.run("server", "create", *options, "--key-name", "mykey", "three")
    walk.await_status("three")
    address = str(openstack.show("server", "show", "three")["addresses"]["provider"][0])
    assert walk.await_login(address) == "three"
    openstack.run("server", "delete", "--wait", "three")
    becomes(openstack, "volume", "root")
    plain = next(name for name, found in TYPES.items() if found == backend)
    for kind in (plain, "sealed"):
        openstack.run("volume", "set", "--type", kind, "--retype-policy", "on-demand", "root")
        becomes(openstack, "volume", "root")
        assert openstack.value("type", "volume", "show", "root") == kind
    openstack.run("server", "create", *options, "--key-name", "mykey", "four")
    walk.await_status("four")
    address = str(openstack.show("server", "show", "four")["addresses"]["provider"][0])
    assert walk.await_login(address) == "four"
    openstack.run("server", "delete", "--wait", "four")
    becomes(openstack, "volume", "root")
    openstack.run("volume", "delete", "root")
    eventually(lambda: openstack.rows("volume", "list") == [], 60)
    openstack.run("volume", "type", "delete", "sealed")
    assert cluster[1].run("rbd", "ls", "volumes") == ""
    assert list((state / "volumes/file").iterdir()) == []


def _places(ceph: Ceph, state: Path) -> list[str]:
    """Return the types of the back ends that anything is in."""
    on_ceph = bool(ceph.run("rbd", "ls", "volumes"))
    in_files = any((state / "volumes/file").iterdir())
    return ["ceph_vol"] * on_ceph + ["fast_vol"] * in_files


def test_a_volume_changes_its_back_end_while_a_guest_writes(
    walk: Walk,
    types: None,
    cluster: tuple[str, Ceph],
    addresses: dict[str, str],
    state: Path,
) -> None:
    openstack, address = walk.client, addresses["one"]
    openstack.run("volume", "create", "--size", "1", "--type", "fast_vol", "moved")
    becomes(openstack, "volume", "moved")
    openstack.run("server", "add", "volume", "one", "moved")
    becomes(openstack, "volume", "moved", status="in-use")
    place = device(openstack, "moved")
    walk.await_login(address, f"printf 'from before' | sudo dd of={place} bs=512 conv=sync; sync")
    count = f"printf %014d $i | sudo dd of={place} bs=512 seek=9 conv=sync 2>/dev/null"
    loop = f"i=0; while i=$((i+1)); do {count}; done"
    walk.await_login(address, f"sh -c '{loop}' >/dev/null 2>&1 & echo begun")

    def counted() -> int:
        told = walk.await_login(
            address, f"sync; sudo dd if={place} bs=512 skip=9 count=1 2>/dev/null"
        )
        return int(told.strip("\0") or 0)

    for kind in ("ceph_vol", "fast_vol"):
        before = counted()
        change = ["--type", kind, "--retype-policy", "on-demand"]
        openstack.run("volume", "set", *change, "moved")
        becomes(openstack, "volume", "moved", status="in-use")
        assert openstack.value("type", "volume", "show", "moved") == kind
        # It is known to be there a moment before it is gone from where it was.
        eventually(lambda: _places(cluster[1], state) == [kind], 60)  # noqa: B023 - done before the next
        eventually(lambda: counted() > before, 60)  # noqa: B023 - done before the next
    read = f"sudo dd if={place} bs=11 count=1 2>/dev/null"
    assert walk.await_login(address, read) == "from before"
    openstack.run("server", "remove", "volume", "one", "moved")
    becomes(openstack, "volume", "moved")
    openstack.run("volume", "delete", "moved")
    eventually(lambda: openstack.rows("volume", "list") == [], 60)


def test_no_stale_attachment(walk: Walk, addresses: dict[str, str], types: None) -> None:
    """A server that is deleted with a volume plugged in lets it go."""
    openstack = walk.client
    openstack.run("volume", "create", "--size", "1", "--type", "ceph_vol", "left")
    becomes(openstack, "volume", "left")
    openstack.run("server", "add", "volume", "two", "left")
    becomes(openstack, "volume", "left", status="in-use")
    openstack.run("server", "delete", "--wait", "two")
    becomes(openstack, "volume", "left")
    openstack.run("volume", "delete", "left")
    eventually(lambda: openstack.rows("volume", "list") == [], 60)

"""Machines that join a cloud: guests on each, networks between them, moves, a machine that dies."""

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from cumulo.guest.build import build_guest
from cumulo.kit import clock
from cumulo.node.certificates import Authority, Identity, Kind, fingerprint_of, key_of
from cumulo.walks import reach
from tests.ceph import USER, running_ceph
from tests.walks.clouds import QuickClient
from tests.walks.racks import SHOWN, Machine, boot_id, pinged, rack, slowed

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
_CEPH = """
[[volume.backends]]
name = "rbd"
driver = "rbd"
rbd_ceph_conf = "{conf}"
rbd_user = "{user}"
"""
_STORE = """
[image.stores.objects]
kind = "swift"
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[list[Machine]]:
    with tempfile.TemporaryDirectory(prefix="cu-") as short, rack(Path(short), 3) as machines:
        with (machines[0].state / "cumulo.toml").open("a") as settings:
            settings.write(_STORE)
        machines[0].up()
        yield machines


@pytest.fixture(scope="module")
def openstack(machines: list[Machine]) -> Iterator[QuickClient]:
    client = machines[0].client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def key(openstack: QuickClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What guests stand on, a network with a way out, and the key to log in with."""
    directory = tmp_path_factory.mktemp("key")
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    image = build_guest(directory, cache, print)
    run = openstack.run
    size = ["--ram", "128", "--disk", "1", "--ephemeral", "1", "--swap", "16"]
    run("flavor", "create", *size, "--vcpus", "1", "tiny")
    formats = ["--disk-format", "qcow2", "--container-format", "bare"]
    run("image", "create", "guest", "--file", str(image), *formats, "--public")
    run("network", "create", "red")
    run("subnet", "create", "--network", "red", "--subnet-range", "10.9.0.0/24", "red4")
    kind = ["--provider-network-type", "flat", "--provider-physical-network", "physnet1"]
    run("network", "create", "--external", *kind, "out")
    pool = ["--allocation-pool", "start=203.0.113.50,end=203.0.113.90"]
    subnet = ["--subnet-range", "203.0.113.0/24", "--gateway", "203.0.113.1", *pool]
    run("subnet", "create", "--network", "out", "--no-dhcp", *subnet, "out4")
    run("router", "create", "--external-gateway", "out", "r1")
    run("router", "add", "subnet", "r1", "red4")
    for rule in (["icmp"], ["tcp", "--dst-port", "22"]):
        run("security", "group", "rule", "create", "--proto", *rule, "default")
    path = directory / "key"
    path.touch(mode=0o600)
    path.write_text(run("keypair", "create", "key"))
    return path


@pytest.fixture(scope="module")
def guests(openstack: QuickClient, key: Path, joined: list[Machine]) -> dict[str, str]:
    """A guest on each of the machines that joined, by name, with its floating IP."""
    reach.until("hosts to report", lambda: are_known(openstack, joined), 30)
    machine = ["--os-compute-api-version", "2.74", "--host"]
    options = ["--flavor", "tiny", "--image", "guest", "--network", "red", "--key-name", "key"]
    for number, each in enumerate(joined, 1):
        openstack.run("server", "create", *options, *machine, each.name, f"vm{number}")
    found = {}
    for number in range(1, len(joined) + 1):
        name = f"vm{number}"
        reach.until(f"{name} to be built", lambda name=name: is_settled(openstack, name), 300)  # type: ignore[misc]
        assert status(openstack, name) == "ACTIVE", openstack.show("server", "show", name)
        address = openstack.show("floating", "ip", "create", "out")["floating_ip_address"]
        openstack.run("server", "add", "floating", "ip", name, address)
        found[name] = address
    return found


@pytest.fixture(scope="module")
def joined(machines: list[Machine]) -> list[Machine]:
    for machine in machines[1:]:
        done = machine.join(machines[0].token())
        assert done.returncode == 0, done.stdout + done.stderr
    return machines[1:]


def are_known(openstack: QuickClient, machines: list[Machine]) -> bool:
    known = {row["Hypervisor Hostname"] for row in openstack.rows("hypervisor", "list")}
    return {machine.name for machine in machines} <= known


def status(openstack: QuickClient, name: str) -> str:
    return openstack.value("status", "server", "show", name)


def host(openstack: QuickClient, name: str) -> str:
    return openstack.value("OS-EXT-SRV-ATTR:host", "server", "show", name)


def is_settled(openstack: QuickClient, name: str) -> bool:
    shown = openstack.show("server", "show", name)
    return shown["status"] in ("ACTIVE", "ERROR") and not shown["OS-EXT-STS:task_state"]


def test_who_joined_is_a_host(openstack: QuickClient, joined: list[Machine]) -> None:
    names = {machine.name for machine in joined}

    def hosts(*words: str, column: str = "Host") -> set[str]:
        return {row[column] for row in openstack.rows(*words)}

    reach.until("hosts to report", lambda: names <= hosts("compute", "service", "list"), 30)
    assert names <= hosts("hypervisor", "list", column="Hypervisor Hostname")
    assert names <= hosts("network", "agent", "list")


def test_a_token_works_once(machines: list[Machine], joined: list[Machine]) -> None:
    again = joined[0].cumulo("node", "join", "https://10.210.0.1", "--token", "x.y")
    assert "is part of one, already" in again.stderr


def test_guests_on_two_machines_talk(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str], key: Path
) -> None:
    inside = openstack.show("server", "show", "vm2")["addresses"]["red"][0]
    prefix = machines[0].prefix
    reach.until("vm1 to answer", lambda: reach.ping(guests["vm1"], prefix), 300)

    def talk() -> bool:
        said = reach.ssh(guests["vm1"], key, f"ping -c1 -W2 {inside}; true", prefix=prefix)
        return said is not None and "1 packets received" in said

    reach.until("vm1 to reach vm2", talk, 300)
    log = ("console", "log", "show", "vm2")
    told = "GUEST-DATASOURCE openstack"
    reach.until("vm2 to have its metadata", lambda: told in openstack.run(*log), 300)


def test_a_guest_moves_while_it_answers(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str], key: Path
) -> None:
    address, prefix = guests["vm1"], machines[0].prefix
    before = boot_id(address, key, prefix)
    live = ["--live-migration", "--os-compute-api-version", "2.30"]
    with pinged(address, prefix) as answers:
        reach.until("the first answer", lambda: reach.ping(address, prefix), 10)
        openstack.run("server", "migrate", *live, "--host", machines[2].name, "vm1")
        reach.until("vm1 to have moved", lambda: is_settled(openstack, "vm1"), 300)
        reach.until("vm1 to answer there", lambda: reach.ping(address, prefix), 10)
    assert status(openstack, "vm1") == "ACTIVE", openstack.show("server", "show", "vm1")
    assert host(openstack, "vm1") == machines[2].name
    longest = max(later - earlier for earlier, later in itertools.pairwise(answers))
    assert longest < 3
    assert boot_id(address, key, prefix) == before
    assert "GUEST-READY" in openstack.run("console", "log", "show", "vm1")
    for machine in (machines[1],):
        reach.until("its files to go", lambda m=machine: not guests_of(m), 30)  # type: ignore[misc]


def test_a_move_is_called_back_and_another_hurried(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str], key: Path
) -> None:
    address, prefix = guests["vm1"], machines[0].prefix
    before, run = host(openstack, "vm1"), boot_id(address, key, prefix)
    [here] = [machine for machine in machines if machine.name == before]
    [there] = [machine for machine in machines[1:] if machine is not here]
    write = "until test -e /mnt/enough; do dd if=/dev/urandom of=/mnt/x bs=1M count=24; done"
    busy = f"mount -t tmpfs none /mnt; nohup sh -c '{write}' >/dev/null 2>&1 </dev/null & echo done"
    reach.until(
        "the writer to run",
        lambda: reach.ssh(address, key, f'sudo sh -c "{busy}"', prefix=prefix) == "done\n",
        60,
    )
    version = ["--os-compute-api-version", "2.30"]

    def begin() -> str:
        live = ["--live-migration", *version, "--host", there.name]
        openstack.run("server", "migrate", *live, "vm1")
        listed = ["server", "migration", "list", "--server", "vm1", *version]

        def moves() -> list[str]:
            rows = openstack.rows(*listed)
            return [str(row["Id"]) for row in rows if row["Status"] == "running"]

        reach.until("the move to run", lambda: bool(moves()), 300)
        reach.until("its guest to arrive", lambda: guests_of(there) != others, 300)
        return moves()[0]

    others = guests_of(there)
    with slowed(here):
        openstack.run("server", "migration", "abort", *version, "vm1", begin())
        reach.until("vm1 to stay", lambda: is_settled(openstack, "vm1"), 300)
        assert (status(openstack, "vm1"), host(openstack, "vm1")) == ("ACTIVE", before)
        reach.until("nothing to be there", lambda: guests_of(there) == others, 30)
        openstack.run("server", "migration", "force", "complete", *version, "vm1", begin())
        reach.until("vm1 to have moved", lambda: is_settled(openstack, "vm1"), 300)
    assert (status(openstack, "vm1"), host(openstack, "vm1")) == ("ACTIVE", there.name)
    assert boot_id(address, key, prefix) == run
    reach.until(
        "the writer to be told",
        lambda: reach.ssh(address, key, "sudo touch /mnt/enough", prefix=prefix) is not None,
        60,
    )


def guests_of(machine: Machine) -> set[str]:
    directory = machine.state / "guests"
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def test_a_stopped_guest_takes_its_disk_along(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str], key: Path
) -> None:
    address, prefix = guests["vm1"], machines[0].prefix
    kept = "echo here > /root/mark; sync; echo done"
    reach.until(
        "a mark",
        lambda: reach.ssh(address, key, f"sudo sh -c '{kept}'", prefix=prefix) == "done\n",
        30,
    )
    openstack.run(
        "server", "migrate", "--os-compute-api-version", "2.56", "--host", machines[0].name, "vm1"
    )
    reach.until(
        "vm1 to be there", lambda: status(openstack, "vm1") in ("VERIFY_RESIZE", "ERROR"), 60
    )
    assert host(openstack, "vm1") == machines[0].name
    openstack.run("server", "migration", "confirm", "vm1")
    reach.until("vm1 to stay", lambda: status(openstack, "vm1") == "ACTIVE", 30)

    def is_marked() -> bool:
        return reach.ssh(address, key, "sudo cat /root/mark", prefix=prefix) == "here\n"

    reach.until("its mark", is_marked, 300)


def test_certificates_are_renewed_and_all_go_on_with_the_new_ones(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str]
) -> None:
    first, homes = machines[0], {host(openstack, name): name for name in guests}
    other = next(machine for machine in machines[1:] if machine.name in homes)
    kept = (first.state / "control" / "authority.json").read_bytes()
    authority = msgspec.json.decode(kept, type=Authority)
    southbound = Identity(first.state / "ovn" / "tls")
    holders: list[tuple[Identity, str, Kind]] = [
        (Identity(first.state / "control" / "tls"), "rack1-controller", "controller"),
        (southbound, "rack1-southbound", "controller"),
        (Identity(first.state / "tls"), "rack1", "host"),
        (Identity(other.state / "tls"), other.name, "host"),
    ]
    with clock.CLOCK.held() as held:
        held.move(-600 * 86_400)
        ending = [authority.issue(one.request(), name, kind) for one, name, kind in holders]
    for (one, _, _), certificate in zip(holders, ending, strict=True):
        owner = one.directory.stat()
        one.keep(certificate, authority.certificate, (owner.st_uid, owner.st_gid))
        assert one.is_ending()
    for machine in (first, other):
        machine.kill_program()
    first.up()
    other.start()
    reach.until("the renewals", lambda: not any(one.is_ending() for one, _, _ in holders), 30)
    for (one, _, _), certificate in zip(holders, ending, strict=True):
        assert key_of(one.certificate.read_text()) == key_of(certificate)

    log = ("console", "log", "show")
    new = fingerprint_of(southbound.certificate.read_text())
    shown = [sys.executable, "-c", SHOWN, str(other.state / "tls"), first.address]
    reach.until("OVN to show its own", lambda: other.output(*shown).strip() == new, 10)
    name = homes[other.name]
    reach.until("its commands", lambda: "login:" in openstack.run(*log, name), 30)
    assert reach.ping(guests[name], first.prefix)


def test_a_machine_that_died_is_clean_when_it_comes_back(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str]
) -> None:
    dead, prefix = machines[2], machines[0].prefix
    dead.kill()
    openstack.run(
        "compute",
        "service",
        "set",
        "--os-compute-api-version",
        "2.11",
        "--down",
        dead.name,
        "nova-compute",
    )
    openstack.run(
        "server", "evacuate", "--os-compute-api-version", "2.29", "--host", machines[1].name, "vm2"
    )
    elsewhere = ("SHUTOFF", machines[1].name)  # who evacuates starts it, from 2.95 on
    reach.until(
        "vm2 to be elsewhere",
        lambda: (status(openstack, "vm2"), host(openstack, "vm2")) == elsewhere,
        60,
    )
    openstack.run("server", "start", "vm2")
    reach.until("vm2 to answer", lambda: reach.ping(guests["vm2"], prefix), 300)
    assert guests_of(dead)
    dead.start()
    assert guests_of(machines[1])
    openstack.run(
        "compute",
        "service",
        "set",
        "--os-compute-api-version",
        "2.11",
        "--up",
        dead.name,
        "nova-compute",
    )
    reach.until("it to be clean", lambda: not guests_of(dead), 300)
    assert status(openstack, "vm2") == "ACTIVE"
    assert reach.ping(guests["vm2"], prefix)


def serves(openstack: QuickClient, machine: Machine, *, up: bool) -> None:
    """Let new servers go to a machine, or not."""
    word = "--enable" if up else "--disable"
    openstack.run("compute", "service", "set", word, machine.name, "nova-compute")


def resized(openstack: QuickClient, flavor: str) -> None:
    openstack.run("server", "resize", "--flavor", flavor, "vm1")
    ends = ("VERIFY_RESIZE", "ERROR")
    reach.until("vm1 to be resized", lambda: status(openstack, "vm1") in ends, 300)
    assert status(openstack, "vm1") == "VERIFY_RESIZE", openstack.show("server", "show", "vm1")


@pytest.mark.parametrize("end", ["revert", "confirm"])
def test_a_guest_grows_onto_another_machine(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str], key: Path, end: str
) -> None:
    flavors = {row["Name"] for row in openstack.rows("flavor", "list")}
    if "larger" not in flavors:
        size = ["--ram", "192", "--disk", "2", "--ephemeral", "1", "--swap", "32"]
        openstack.run("flavor", "create", *size, "--vcpus", "1", "larger")
    address, prefix, before = guests["vm1"], machines[0].prefix, host(openstack, "vm1")
    [here] = [machine for machine in machines if machine.name == before]
    serves(openstack, here, up=False)
    try:
        resized(openstack, "larger")
    finally:
        serves(openstack, here, up=True)
    assert host(openstack, "vm1") != before
    openstack.run("server", "resize", end, "vm1")
    reach.until("vm1 to stay", lambda: is_settled(openstack, "vm1"), 300)
    assert status(openstack, "vm1") == "ACTIVE"
    assert (host(openstack, "vm1") == before) == (end == "revert")

    def told() -> list[str]:
        ask = "sudo cat /root/mark; grep MemTotal /proc/meminfo; cat /sys/block/vd[ac]/size"
        return (reach.ssh(address, key, ask, prefix=prefix) or "").split()

    reach.until("vm1 to answer with its mark", lambda: told()[:1] == ["here"], 300)
    assert (int(told()[2]) > 140_000) == (end == "confirm")
    sectors = ["4194304", "65536"] if end == "confirm" else ["2097152", "32768"]
    assert told()[4:] == sectors  # of the root disk, and to swap to
    [there] = {host(openstack, "vm1")}
    server_id = openstack.value("id", "server", "show", "vm1")
    others = [machine for machine in machines if machine.name != there]
    reach.until(
        "its files to go elsewhere",
        lambda: not any(server_id in guests_of(machine) for machine in others),
        60,
    )


def test_a_guest_starts_on_another_machine_from_an_image_in_objects(
    machines: list[Machine],
    openstack: QuickClient,
    joined: list[Machine],
    key: Path,
    tmp_path: Path,
) -> None:
    file = build_guest(tmp_path, Path.home() / ".cache/cumulo-tests/guest", print)
    first, token = machines[0], openstack.value("id", "token", "issue")
    where = urlsplit(first.environment("admin")["OS_AUTH_URL"]).hostname
    images = f"http://{where}:{first.ports['image']}/v2/images"
    ask = ("curl", "--fail-with-body", "--silent", "--header", f"X-Auth-Token: {token}")
    spec = {"name": "stored", "disk_format": "qcow2", "container_format": "bare"}
    image_id = json.loads(first.output(*ask, "--data", json.dumps(spec), images))["id"]
    octets = ("--header", "Content-Type: application/octet-stream", "--upload-file", str(file))
    store = ("--header", "X-Image-Meta-Store: objects")
    first.output(*ask, *octets, *store, f"{images}/{image_id}/file")
    shown = ("image", "show", "stored")
    assert openstack.value("status", *shown) == "active"
    assert json.loads(first.output(*ask, f"{images}/{image_id}"))["stores"] == "objects"
    assert not list((first.state / "images").rglob(f"{image_id}*"))
    there = joined[-1].name
    place = ["--os-compute-api-version", "2.74", "--host", there]
    options = ["--flavor", "tiny", "--image", "stored", "--network", "red"]
    openstack.run("server", "create", *options, *place, "vm9")
    reach.until("vm9 to be built", lambda: is_settled(openstack, "vm9"), 300)
    assert status(openstack, "vm9") == "ACTIVE", openstack.show("server", "show", "vm9")
    assert host(openstack, "vm9") == there
    log, told = ("console", "log", "show", "vm9"), "GUEST-DATASOURCE openstack"
    reach.until("vm9 to be up", lambda: told in openstack.run(*log), 300)
    openstack.run("server", "delete", "--wait", "vm9")
    openstack.run("image", "delete", "stored")


def test_a_machine_leaves(
    machines: list[Machine], openstack: QuickClient, guests: dict[str, str]
) -> None:
    leaving = machines[1]
    here = [name for name in guests if host(openstack, name) == leaving.name]
    assert here
    refused = machines[0].cumulo("node", "remove", leaving.name)
    assert refused.returncode != 0
    assert "Migrate or delete the instances first" in refused.stderr
    assert leaving.name in machines[0].cumulo("node", "list").stdout
    for name in here:
        openstack.run("server", "delete", "--wait", name)
    leaving.down()
    done = machines[0].cumulo("node", "remove", leaving.name)
    assert done.returncode == 0, done.stderr

    def hosts(*words: str, column: str = "Host") -> set[str]:
        return {row[column] for row in openstack.rows(*words)}

    services = ("compute", "service", "list")
    reach.until("it to be forgotten", lambda: leaving.name not in hosts(*services), 30)
    assert leaving.name not in hosts("hypervisor", "list", column="Hypervisor Hostname")
    assert leaving.name not in hosts("network", "agent", "list")
    assert leaving.name not in machines[0].cumulo("node", "list").stdout
    assert are_known(openstack, machines[2:])


def test_a_guest_moves_with_volumes_on_ceph(
    machines: list[Machine], openstack: QuickClient, joined: list[Machine], key: Path
) -> None:
    first, last = machines[0], machines[2]
    with running_ceph(first.prefix, first.address) as ceph:
        ceph.pool("volumes")
        with (first.state / "cumulo.toml").open("a") as settings:
            settings.write(_CEPH.format(conf=ceph.conf, user=USER))
        first.kill_program()
        first.up()
        openstack.run("volume", "create", "--size", "1", "data")
        there = ["--os-compute-api-version", "2.74", "--host", first.name]
        openstack.run("flavor", "create", "--ram", "128", "--disk", "1", "afloat")
        options = ["--flavor", "afloat", "--image", "guest", "--boot-from-volume", "1"]
        options += ["--network", "red", "--key-name", "key", *there]
        openstack.run("server", "create", *options, "afloat")
        reach.until("it to be built", lambda: is_settled(openstack, "afloat"), 300)
        assert status(openstack, "afloat") == "ACTIVE", openstack.show("server", "show", "afloat")
        address = openstack.show("floating", "ip", "create", "out")["floating_ip_address"]
        openstack.run("server", "add", "floating", "ip", "afloat", address)
        openstack.run("server", "add", "volume", "afloat", "data")

        def told(command: str) -> str | None:
            return reach.ssh(address, key, command, prefix=first.prefix)

        reach.until("it to let us in", lambda: told("test -b /dev/vdb") is not None, 300)
        before = boot_id(address, key, first.prefix)
        write = "echo {} | sudo dd of=/dev/vdb conv=fsync 2>/dev/null"
        read = "echo 3 | sudo tee /proc/sys/vm/drop_caches >/dev/null; sudo head -n1 /dev/vdb"
        assert told(write.format("before")) is not None
        for machine in (last, first):
            live = ["--live-migration", "--os-compute-api-version", "2.30"]
            openstack.run("server", "migrate", *live, "--host", machine.name, "afloat")
            reach.until("it to have moved", lambda: is_settled(openstack, "afloat"), 300)
            assert host(openstack, "afloat") == machine.name
            reach.until("it to answer there", lambda: told("true") is not None, 30)
            assert boot_id(address, key, first.prefix) == before
            assert told(read) == "before\n"
        assert told(f"{write.format('after')}; {read}") == "after\n"
        openstack.run("server", "delete", "--wait", "afloat")

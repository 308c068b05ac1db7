"""What the network service can do besides, each with guests that feel it.

Three guests stand in one network of a project's own: `one` and `two` have addresses outside,
`wide` has a trunk and is reached by a forwarded port.
"""

import functools
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.node import links
from cumulo.walks import private, provider, reach
from cumulo.walks.client import Client, Refused
from cumulo.walks.walk import Walk
from tests.walks import tiers
from tests.walks.clouds import CommandCloud

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
SMALL = ("--flavor", "m1.nano", "--image", "cirros", "--key-name", "mykey")
FORWARDING = ("floating", "ip", "port", "forwarding")
EXTRA = "192.168.10.250"
BYTES = 1_000_000


class Place:
    """The cloud with its guests."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.openstack = walk, walk.client
        self.outside: dict[str, tuple[str, int]] = {}

    def boot(self, name: str, *options: str) -> None:
        """Start a guest, and do not wait for it."""
        self.openstack.run("server", "create", *SMALL, *options, name)

    def let_in(self, name: str) -> None:
        """Give a guest an address outside, and log in to it."""
        self.walk.await_status(name)
        address = self.floating_ip()
        self.openstack.run("server", "add", "floating", "ip", name, address)
        self.outside[name] = (address, 22)
        assert self.on(name, "hostname") == name

    def floating_ip(self) -> str:
        made = self.openstack.show("floating", "ip", "create", "public-net")
        return str(made["floating_ip_address"])

    def forward(self, address: str, name: str, port: int) -> None:
        """Lead a port outside to a guest's SSH."""
        ways = ("--internal-protocol-port", "22", "--external-protocol-port", str(port))
        inner, port_id = self.addresses(name)[False], str(self.port(name)["id"])
        target = ("--internal-ip-address", inner, "--port", port_id, "--protocol", "tcp")
        self.openstack.run(*FORWARDING, "create", *target, *ways, address)
        self.outside[name] = (address, port)

    def on(self, name: str, command: str) -> str:
        """Return what a command prints on a guest."""
        address, port = self.outside[name]
        return self.walk.await_login(address, command, port)

    def port(self, name: str) -> dict[str, Any]:
        """Return the first port of a guest."""
        [found, *_] = self.openstack.rows("port", "list", "--server", name, "--long")
        return self.openstack.show("port", "show", str(found["ID"]))

    def addresses(self, name: str) -> dict[bool, str]:
        """Return a guest's addresses, by whether they are of IPv6."""
        found = [str(each["ip_address"]) for each in self.port(name)["fixed_ips"]]
        return {":" in address: address for address in found}

    def pings(self, name: str, address: str) -> bool:
        said = self.on(name, f"ping -c1 -W2 {address}; true")
        return "1 packets received" in said

    def until(self, what: str, condition: Any) -> None:
        reach.until(what, condition, within_s=60)


@pytest.fixture(scope="module")
def place(
    real: CommandCloud, guest_image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    client = real.client()
    walk = Walk(client, tmp_path_factory.mktemp("walk"), tell=print)
    provider.flavor_and_image(walk, guest_image)
    provider.access(walk)
    private.networks(walk)
    six = ("--ip-version", "6", "--ipv6-ra-mode", "slaac", "--ipv6-address-mode", "slaac")
    rest = ("--network", "private-net", "--subnet-range", "fd00:10::/64", "private-six")
    client.run("subnet", "create", *six, *rest)
    client.run("router", "add", "subnet", "myrouter", "private-six")
    icmp6 = ("--ethertype", "IPv6", "--proto", "ipv6-icmp", "default")
    client.run("security", "group", "rule", "create", *icmp6)
    made = Place(walk)
    client.run("port", "create", "--network", "private-net", "trunk-port")
    client.run("network", "trunk", "create", "--parent-port", "trunk-port", "wide-trunk")
    made.boot("wide", "--port", "trunk-port")
    for name in ("one", "two"):
        made.boot(name, "--network", "private-net")
    for name in ("one", "two"):
        made.let_in(name)
    walk.await_status("wide")
    made.forward(made.floating_ip(), "wide", 2200)
    yield made
    client.close()


def test_guests_reach_each_other_by_ipv6(place: Place) -> None:
    address = place.addresses("two")[True]
    assert f"inet6 {address}/64" in place.on("two", "ip -6 address show dev eth0")
    place.until("the other guest to answer", lambda: place.pings("one", address))
    assert "via fe80::" in place.on("one", "ip -6 route show default")
    assert place.pings("one", "fd00:10::1")


def test_a_port_outside_leads_to_a_port_of_a_guest(place: Place) -> None:
    shared, port = place.outside["wide"]
    assert place.on("wide", "hostname") == "wide"
    [forwarding] = place.openstack.rows(*FORWARDING, "list", shared)
    prefix = place.openstack.prefix
    ssh = functools.partial(reach.ssh, shared, place.walk.key, "hostname", prefix=prefix)
    other = ("--external-protocol-port", "2222", shared, str(forwarding["ID"]))
    place.openstack.run(*FORWARDING, "set", *other)
    place.until("a login by the other port", lambda: ssh(port=2222) == "wide\n")
    assert ssh(port=port) is None
    assert ssh() is None
    place.outside["wide"] = (shared, 2222)


def test_a_guest_sends_no_faster_than_it_may(place: Place) -> None:
    openstack, port = place.openstack, str(place.port("one")["id"])

    def seconds() -> float:
        began = time.monotonic()
        said = place.on("one", f"head -c {BYTES} /dev/zero | tr '\\0' x")
        assert len(said) == BYTES
        return time.monotonic() - began

    free = seconds()
    openstack.run("network", "qos", "policy", "create", "slow")
    limit = ("--type", "bandwidth-limit", "--max-kbps", "1000", "--max-burst-kbits", "100")
    openstack.run("network", "qos", "rule", "create", *limit, "--egress", "slow")
    openstack.run("port", "set", "--qos-policy", "slow", port)
    at_least = BYTES * 8 / 1_000_000 * 0.8
    place.until("the limit to hold", lambda: seconds() > at_least)
    assert free < at_least
    openstack.run("port", "unset", "--qos-policy", port)
    place.until("the limit to be gone", lambda: seconds() < at_least)
    openstack.run("network", "qos", "policy", "delete", "slow")


def _beside(openstack: Client, name: str, prefix: str, router: str) -> None:
    """Give a network a subnet that is no guest's way out, with a router's leg in it."""
    network, subnet = f"{name}-net", f"{name}-subnet"
    own = ("--network", network, "--gateway", "none", "--subnet-range", f"{prefix}.0/24", subnet)
    openstack.run("subnet", "create", *own)
    fixed = ("--fixed-ip", f"subnet={subnet},ip-address={prefix}.254")
    openstack.run("port", "create", "--network", network, *fixed, f"{name}-leg")
    openstack.run("router", "add", "port", router, f"{name}-leg")


def test_a_trunk_brings_a_second_network_with_a_tag(place: Place) -> None:
    openstack = place.openstack
    openstack.run("network", "create", "tagged-net")
    _beside(openstack, "tagged", "192.168.30", "myrouter")
    inner = openstack.show("port", "create", "--network", "tagged-net", "inner-port")
    sub = ("--subport", "port=inner-port,segmentation-type=vlan,segmentation-id=100")
    openstack.run("network", "trunk", "set", *sub, "wide-trunk")
    address = str(inner["fixed_ips"][0]["ip_address"])
    made = [
        "modprobe 8021q",
        "ip link add link eth0 name sub type vlan id 100",
        f"ip link set sub address {inner['mac_address']} up",
        "udhcpc -n -q -i sub -s /etc/udhcpc",
    ]
    place.on("wide", "; ".join(f"sudo {command}" for command in made))
    place.until(
        "the guest to have its address in the tagged network",
        lambda: f"inet {address}/24" in place.on("wide", "ip address show dev sub"),
    )
    place.until("the router to answer", lambda: place.pings("wide", "192.168.30.254"))
    place.on("wide", "sudo ip link delete sub")
    openstack.run("network", "trunk", "unset", "--subport", "inner-port", "wide-trunk")


def test_an_address_pair_may_be_used_and_no_other(place: Place) -> None:
    openstack, port = place.openstack, str(place.port("two")["id"])
    place.on("two", f"sudo ip address add {EXTRA}/32 dev eth0")
    assert not place.pings("one", EXTRA)
    pair = f"ip-address={EXTRA}"
    openstack.run("port", "set", "--allowed-address", pair, port)
    place.until("the pair's address to answer", lambda: place.pings("one", EXTRA))
    openstack.run("port", "set", "--no-allowed-address", port)
    place.until("it to answer no more", lambda: not place.pings("one", EXTRA))
    place.on("two", f"sudo ip address del {EXTRA}/32 dev eth0")


def test_a_rule_follows_its_address_group(place: Place) -> None:
    openstack, port = place.openstack, str(place.port("two")["id"])
    source, target = (place.addresses(name)[False] for name in ("one", "two"))
    openstack.run("address", "group", "create", "friends")
    openstack.run("security", "group", "create", "door")
    friends = ("--proto", "tcp", "--dst-port", "8080", "--remote-address-group", "friends")
    openstack.run("security", "group", "rule", "create", *friends, "door")
    ssh = ("--proto", "tcp", "--dst-port", "22", "door")
    openstack.run("security", "group", "rule", "create", *ssh)
    openstack.run("port", "set", "--no-security-group", "--security-group", "door", port)
    serve = "while :; do echo open | nc -l -p 8080; done"
    place.on("two", f"(setsid sh -c '{serve}' >/dev/null 2>&1 &)")

    def is_open() -> bool:
        return place.on("one", f"nc -w 2 {target} 8080 </dev/null; true") == "open"

    place.until("the door to be closed", lambda: not is_open())
    openstack.run("address", "group", "set", "--address", f"{source}/32", "friends")
    place.until("the door to open", is_open)
    openstack.run("address", "group", "unset", "--address", f"{source}/32", "friends")
    place.until("the door to close", lambda: not is_open())
    openstack.run("port", "set", "--no-security-group", "--security-group", "default", port)
    openstack.run("security", "group", "delete", "door")
    openstack.run("address", "group", "delete", "friends")


def test_a_network_is_lent_to_a_project(real: CommandCloud, place: Place) -> None:
    """Its owner has a router there, which a guest of the other project reaches."""
    demo = real.client("demo")
    try:
        _lent_network(place, demo)
    finally:
        demo.close()


def _lent_network(place: Place, demo: Client) -> None:
    openstack = place.openstack
    network = str(demo.show("network", "create", "lent-net")["id"])
    demo.run("router", "create", "lent-router")
    _beside(demo, "lent", "192.168.40", "lent-router")
    project = str(openstack.show("token", "issue")["project_id"])
    with_ = ("--type", "network", "--action", "access_as_shared", "--target-project", project)
    lending = str(demo.show("network", "rbac", "create", *with_, network)["id"])
    openstack.run("server", "add", "network", "two", network)
    place.until(
        "the guest to have an address there",
        lambda: "inet 192.168.40." in place.on("two", "ip address show"),
    )
    place.until("its router to answer", lambda: place.pings("two", "192.168.40.254"))
    with pytest.raises(Refused, match="409"):
        demo.run("network", "rbac", "delete", lending)
    openstack.run("server", "remove", "network", "two", network)
    place.until(
        "the guest to be out of it",
        lambda: "192.168.40." not in place.on("two", "ip address show"),
    )
    assert not json.loads(
        openstack.run("port", "list", "--network", network, "--server", "two", "-f", "json")
    )
    place.until("the lending to end", lambda: _ends(demo, lending))
    for words in (
        ("router", "remove", "port", "lent-router", "lent-leg"),
        ("router", "delete", "lent-router"),
        ("network", "delete", "lent-net"),
    ):
        demo.run(*words)


def _ends(demo: Client, lending: str) -> bool:
    try:
        demo.run("network", "rbac", "delete", lending)
    except Refused:
        return False
    return True


def test_three_tiers(real: CommandCloud, place: Place, tmp_path: Path) -> None:
    """Only the balancer faces the world; the database's data are on a volume."""
    openstack = place.openstack
    tiers.networks(openstack)
    face = openstack.show(*tiers.FACE)
    back = openstack.show(*tiers.BACK)
    openstack.run("volume", "create", "--size", "1", "data")
    for name, group in (("web1", "web"), ("web2", "web"), ("database", "database")):
        place.boot(name, "--network", "inside", "--security-group", group)
    with tiers.balancer(real) as balancer:
        balancer.plug("face", face, 24)
        balancer.plug("back", back, 16)
        for name in ("web1", "web2", "database"):
            place.walk.await_status(name)
        inner = {name: place.addresses(name)[False] for name in ("web1", "web2", "database")}

        def on(name: str, command: str) -> str | None:
            return reach.ssh(inner[name], place.walk.key, command, prefix=balancer.prefix)

        for name in inner:
            place.until(f"{name} to let us in", lambda name=name: on(name, "hostname") is not None)
        openstack.run("server", "add", "volume", "database", "data")
        for name in ("web1", "web2"):
            on(name, f"mkdir www; echo {name} >www/index.html; sudo httpd -p 80 -h $PWD/www")
        place.until("the disk", lambda: on("database", "test -b /dev/vdb && echo is") == "is\n")
        keep = "sudo mke2fs /dev/vdb && sudo mkdir /data && sudo mount -t ext4 /dev/vdb /data"
        assert on("database", f"({keep}) >/dev/null 2>&1; echo kept | sudo tee /data/row")
        serve = "while :; do nc -l -p 3306 </data/row; done"
        on("database", f"(sudo setsid sh -c '{serve}' >/dev/null 2>&1 &)")
        ask = f"nc -w 3 {inner['database']} 3306 </dev/null; true"

        def fetched(address: str) -> str:
            assert real.namespace is not None
            return links.inside(real.namespace, functools.partial(_fetched, address))

        webs = {name: inner[name] for name in ("web1", "web2")}
        with balancer.serving(tiers.FACE_ADDRESS, webs, tmp_path):
            place.until("the web", lambda: fetched(tiers.FACE_ADDRESS) in {"web1\n", "web2\n"})
            assert {fetched(tiers.FACE_ADDRESS) for _ in range(6)} == {"web1\n", "web2\n"}
        place.until("the database", lambda: on("web1", ask) == "kept\n")
        assert balancer.asks(inner["database"], 3306) == ""
        assert "10.12.0.1" in str(on("web1", "ip route show default"))
        way = f"route add 10.12.0.0/16 via {tiers.FACE_ADDRESS}"
        links.change([way], real.namespace)
        assert "1 packets received" in str(on("web1", "ping -c1 -W2 192.168.56.1"))
        assert fetched(inner["web1"]) == ""
        links.change([way.replace("add", "delete")], real.namespace)
        for name in inner:
            openstack.run("server", "delete", "--wait", name)
        for port in (face, back):
            balancer.unplug(port["id"])
            openstack.run("port", "delete", port["id"])


def _fetched(address: str) -> str:
    """Return a page as the world gets it; nothing where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=3) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""

"""What clients do with networks, one deed after another: everything made, changed and deleted.

A deed may be done again: whose answer was lost on the way looks first whether it was done.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from cumulo.db import Tx
from cumulo.services.network import security_groups
from tests.network.conftest import Net, admin, plural

Deed = Callable[[Net], object]
FLAT = {"provider__network_type": "flat", "provider__physical_network": "physnet1"}


def find(net: Net, noun: str, name: str) -> Any:
    """Return what is called so; floating IPs and the like have that as their description."""
    word = "description" if noun in ("floatingip", "security_group_rule") else "name"
    return next(iter(net.list(noun, f"?{word}={name}")), None)


def id_of(net: Net, noun: str, name: str) -> str:
    return str(find(net, noun, name)["id"])


def make(noun: str, name: str, **facts: Any) -> Deed:
    """Return the deed that makes something, where facts that are functions are asked first."""
    word = "description" if noun in ("floatingip", "security_group_rule") else "name"

    def do(net: Net) -> None:
        if find(net, noun, name) is None:
            net.make(noun, **{word: name}, **known(net, facts))

    return do


def known(net: Net, facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value(net) if callable(value) else value for key, value in facts.items()}


def change(noun: str, name: str, **facts: Any) -> Deed:
    return lambda net: net.change(noun, id_of(net, noun, name), **known(net, facts))


def forget(noun: str, name: str) -> Deed:
    def do(net: Net) -> None:
        found = find(net, noun, name)
        if found is not None:
            answer = net.delete(noun, found["id"])
            assert answer.status == 204, answer.text

    return do


def put(noun: str, name: str, verb: str, facts: dict[str, Any], may_be_refused: int = 0) -> Deed:
    """Return the deed that acts on something; done already it may be refused."""

    def do(net: Net) -> None:
        path = f"/v2.0/{plural(noun)}/{id_of(net, noun, name)}/{verb}"
        answer = net.http.put(path, known(net, facts))
        assert answer.status in (200, 201, may_be_refused), answer.text

    return do


def the(noun: str, name: str) -> Callable[[Net], str]:
    return partial(id_of, noun=noun, name=name)


def both(noun: str, *names: str) -> Callable[[Net], list[str]]:
    return lambda net: [id_of(net, noun, name) for name in names]


def address(name: str) -> Callable[[Net], str]:
    return lambda net: str(find(net, "port", name)["fixed_ips"][0]["ip_address"])


def inner(path: Callable[[Net], str], noun: str, act: str, **facts: Any) -> Deed:
    """Return a deed with the one thing of its kind that is in another."""

    def do(net: Net) -> None:
        url = path(net)
        found = net.http.get(url).json()[f"{noun}s"]
        told = {noun: known(net, facts)}
        if act == "make" and not found:
            assert (answer := net.http.post(url, told)).status == 201, answer.text
        elif act == "change":
            assert (answer := net.http.put(f"{url}/{found[0]['id']}", told)).status == 200, answer
        elif act == "forget" and found:
            assert (answer := net.http.delete(f"{url}/{found[0]['id']}")).status == 204, answer

    return do


def rules(kind: str) -> Callable[[Net], str]:
    return lambda net: f"/v2.0/qos/policies/{id_of(net, 'policy', 'gold')}/{kind}_rules"


def forwardings(net: Net) -> str:
    return f"/v2.0/floatingips/{id_of(net, 'floatingip', 'forwards')}/port_forwardings"


def way_out(net: Net) -> dict[str, Any]:
    return {"network_id": id_of(net, "network", "outside")}


def carries(name: str, tag: int) -> Callable[[Net], list[dict[str, Any]]]:
    kind = {"segmentation_type": "vlan", "segmentation_id": tag}
    return lambda net: [{"port_id": id_of(net, "port", name), **kind}]


def lend(net: Net) -> None:
    """Lend the network to everyone; how that is called is not said anywhere."""
    if not net.list("rbac_policy", "?object_type=network&action=access_as_shared"):
        facts = {"object_type": "network", "object_id": id_of(net, "network", "inside")}
        net.make("rbac_policy", **facts, action="access_as_shared", target_tenant="*")


def take_back(net: Net) -> None:
    for one in net.list("rbac_policy", "?object_type=network&action=access_as_shared"):
        assert net.delete("rbac_policy", one["id"]).status == 204


def topology(net: Net) -> None:
    answer = net.http.get("/v2.0/auto-allocated-topology/null")
    assert answer.status == 200, answer.text


def no_topology(net: Net) -> None:
    assert net.http.delete("/v2.0/auto-allocated-topology/null").status in (204, 404)


def no_default_groups(net: Net) -> None:
    """Delete what came unasked; only the end of a project does that otherwise."""

    def delete(tx: Tx, group: Any) -> None:
        ctx = admin(group["project_id"])
        found = security_groups.group_visible(tx, ctx, group["id"])
        security_groups.delete_group(tx, ctx, found)

    for group in net.list("security_group", "?name=default"):
        net.tools.db.write(delete, group)


SSH = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "direction": "ingress"}
SIX = {"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
POOL = {"prefixes": ["10.64.0.0/16"], "default_prefixlen": 24, "is_default": True}
LEG = {"subnet_id": the("subnet", "inside4")}
LEG6 = {"subnet_id": the("subnet", "inside6")}
ROUTE = {"router": {"routes": [{"destination": "10.99.0.0/24", "nexthop": "10.8.0.9"}]}}
PAIR = [{"ip_address": "10.8.0.100"}]

MADE: dict[str, Deed] = {
    "a group": make("security_group", "web"),
    "a rule": make(
        "security_group_rule", "ssh", security_group_id=the("security_group", "web"), **SSH
    ),
    "an address group": make("address_group", "peers", addresses=["192.0.2.0/24"]),
    "a rule with it": make(
        "security_group_rule",
        "peers",
        security_group_id=the("security_group", "web"),
        remote_address_group_id=the("address_group", "peers"),
        direction="ingress",
    ),
    "a policy": make("policy", "gold"),
    "a limit": inner(rules("bandwidth_limit"), "bandwidth_limit_rule", "make", max_kbps=5000),
    "a mark": inner(rules("dscp_marking"), "dscp_marking_rule", "make", dscp_mark=26),
    "a promise": inner(rules("minimum_bandwidth"), "minimum_bandwidth_rule", "make", min_kbps=9),
    "outside": make("network", "outside", router__external=True, **FLAT),
    "outside's subnet": make(
        "subnet",
        "outside4",
        network_id=the("network", "outside"),
        cidr="203.0.113.0/24",
        ip_version=4,
        enable_dhcp=False,
    ),
    "inside": make("network", "inside"),
    "a subnet": make(
        "subnet", "inside4", network_id=the("network", "inside"), cidr="10.8.0.0/24", ip_version=4
    ),
    "another": make(
        "subnet", "inside6", network_id=the("network", "inside"), cidr="fd00:8::/64", **SIX
    ),
    "a scope": make("address_scope", "scope", ip_version=4),
    "a pool": make("subnetpool", "pool", address_scope_id=the("address_scope", "scope"), **POOL),
    "behind": make("network", "behind"),
    "a subnet of the pool": make(
        "subnet",
        "behind4",
        network_id=the("network", "behind"),
        subnetpool_id=the("subnetpool", "pool"),
        ip_version=4,
    ),
    "a router": make("router", "router", external_gateway_info=way_out),
    "its leg": put("router", "router", "add_router_interface", LEG, 400),
    "its other leg": put("router", "router", "add_router_interface", LEG6, 400),
    "its route": put("router", "router", "add_extraroutes", ROUTE),
    "a port": make(
        "port",
        "one",
        network_id=the("network", "inside"),
        security_groups=both("security_group", "web"),
        qos_policy_id=the("policy", "gold"),
        binding__host_id="host1",
    ),
    "a second": make(
        "port", "two", network_id=the("network", "inside"), allowed_address_pairs=PAIR
    ),
    "a child": make("port", "child", network_id=the("network", "behind")),
    "a floating IP": make(
        "floatingip",
        "floats",
        floating_network_id=the("network", "outside"),
        port_id=the("port", "one"),
    ),
    "another to forward": make(
        "floatingip", "forwards", floating_network_id=the("network", "outside")
    ),
    "a forwarding": inner(
        forwardings,
        "port_forwarding",
        "make",
        protocol="tcp",
        external_port=2222,
        internal_port=22,
        internal_port_id=the("port", "two"),
        internal_ip_address=address("two"),
    ),
    "a trunk": make("trunk", "trunk", port_id=the("port", "two")),
    "what it carries": put(
        "trunk", "trunk", "add_subports", {"sub_ports": carries("child", 7)}, 409
    ),
    "lent": lend,
    "the default way out": change("network", "outside", is_default=True),
    "a topology": topology,
}
CHANGED: dict[str, Deed] = {
    "the group's words": change("security_group", "web", description="servers"),
    "the addresses": put(
        "address_group", "peers", "add_addresses", {"addresses": ["198.51.100.0/24"]}
    ),
    "fewer addresses": put(
        "address_group", "peers", "remove_addresses", {"addresses": ["192.0.2.0/24"]}, 404
    ),
    "the limit": inner(rules("bandwidth_limit"), "bandwidth_limit_rule", "change", max_kbps=900),
    "the mark": inner(rules("dscp_marking"), "dscp_marking_rule", "change", dscp_mark=30),
    "the network's size": change("network", "inside", mtu=1300, dns_domain="example.org."),
    "the network's policy": change("network", "inside", qos_policy_id=the("policy", "gold")),
    "the network off": change("network", "inside", admin_state_up=False),
    "the network on": change("network", "inside", admin_state_up=True),
    "the name servers": change("subnet", "inside4", dns_nameservers=["192.0.2.53"]),
    "no DHCP": change("subnet", "inside4", enable_dhcp=False),
    "DHCP": change("subnet", "inside4", enable_dhcp=True),
    "the pool": change("subnetpool", "pool", address_scope_id=None),
    "no address": change("floatingip", "floats", port_id=None),
    "the port's addresses": change(
        "port", "one", fixed_ips=[{"ip_address": "10.8.0.40"}, {"ip_address": "10.8.0.41"}]
    ),
    "the port's groups": change("port", "two", security_groups=both("security_group", "web")),
    "the port's policy": change("port", "one", qos_policy_id=None),
    "the port off": change("port", "two", admin_state_up=False),
    "no filter": change("port", "child", security_groups=[], port_security_enabled=False),
    "no route": put("router", "router", "remove_extraroutes", ROUTE),
    "the address elsewhere": change("floatingip", "floats", port_id=the("port", "two")),
    "the forwarding": inner(forwardings, "port_forwarding", "change", external_port=2223),
    "no forwarding": inner(forwardings, "port_forwarding", "forget"),
    "no address again": change("floatingip", "floats", port_id=None),
    "no way out": change("router", "router", external_gateway_info={}),
    "a way out": change("router", "router", external_gateway_info=way_out),
    "its ways watched": change(
        "router", "router", enable_default_route_ecmp=True, enable_default_route_bfd=True
    ),
    "the router off": change("router", "router", admin_state_up=False),
    "the trunk off": change("trunk", "trunk", admin_state_up=False),
    "the trunk on": change("trunk", "trunk", admin_state_up=True),
}
DELETED: dict[str, Deed] = {
    "no topology": no_topology,
    "taken back": take_back,
    "what the trunk carries": put(
        "trunk", "trunk", "remove_subports", {"sub_ports": carries("child", 7)}, 404
    ),
    "the trunk": forget("trunk", "trunk"),
    "the forwarding address": forget("floatingip", "forwards"),
    "the floating IP": forget("floatingip", "floats"),
    "the child": forget("port", "child"),
    "the second port": forget("port", "two"),
    "the port": forget("port", "one"),
    "the other leg": put("router", "router", "remove_router_interface", LEG6, 404),
    "the leg": put("router", "router", "remove_router_interface", LEG, 404),
    "the router": forget("router", "router"),
    "the subnet of the pool": forget("subnet", "behind4"),
    "the network behind": forget("network", "behind"),
    "the pool": forget("subnetpool", "pool"),
    "the scope": forget("address_scope", "scope"),
    "the subnet": forget("subnet", "inside6"),
    "the network": forget("network", "inside"),
    "the network outside": forget("network", "outside"),
    "the limit": inner(rules("bandwidth_limit"), "bandwidth_limit_rule", "forget"),
    "the policy": forget("policy", "gold"),
    "the rule": forget("security_group_rule", "peers"),
    "the address group": forget("address_group", "peers"),
    "the group": forget("security_group", "web"),
    "the default groups": no_default_groups,
}
STORY = [
    *((f"make {name}", deed) for name, deed in MADE.items()),
    *((f"change {name}", deed) for name, deed in CHANGED.items()),
    *((f"delete {name}", deed) for name, deed in DELETED.items()),
]

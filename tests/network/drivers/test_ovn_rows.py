"""Plans become rows: the projections, without a database."""

from typing import Any

import msgspec
import pytest

from cumulo.services.network.drivers.base import (
    AddressPair,
    FloatingIpPlan,
    NetworkPlan,
    PortPlan,
    Route,
    RouterPlan,
    RulePlan,
    SegmentPlan,
)
from cumulo.services.network.drivers.ovn import ports
from cumulo.services.network.drivers.ovn.acls import drop_group_id, group_rows, rule_match
from cumulo.services.network.drivers.ovn.dhcp import own_options, subnet_options
from cumulo.services.network.drivers.ovn.names import port_group_id
from cumulo.services.network.drivers.ovn.networks import network_rows
from cumulo.services.network.drivers.ovn.ports import Offer, port_rows
from cumulo.services.network.drivers.ovn.routers import router_rows
from cumulo.services.network.drivers.ovn.rows import Row, row_id
from tests.network.drivers.plans import (
    EGRESS,
    floating_ip,
    gateway,
    group,
    leg,
    mac,
    network,
    port,
    router,
    rule,
    subnet,
    uid,
)

RED = network("red", subnet("red4", "10.0.0.0/24"))
OFFERS = {uid("red4"): Offer(cidr="10.0.0.0/24", options={"router": "10.0.0.1"})}
PG = f"pg_{uid('g').replace('-', '_')}"
OTHER = f"pg_{uid('other').replace('-', '_')}"


def of(rows: list[Row], table: str) -> list[Any]:
    return [row for row in rows if row.table == table]


def only(rows: list[Row], table: str) -> Any:
    [row] = of(rows, table)
    return row


def vm(*addresses: str, **fields: object) -> PortPlan:
    return port("vm1", RED, *addresses, **fields)


def test_a_tenant_network_is_a_switch_without_a_way_out() -> None:
    rows = network_rows(RED)
    assert only(rows, "Logical_Switch").columns["name"] == f"neutron-{RED.id}"
    assert of(rows, "Logical_Switch_Port") == []


def test_a_network_of_several_segments_has_a_way_out_for_each() -> None:
    other = SegmentPlan(network_type="vlan", physical_network="far", segmentation_id=9)
    facts = {"network_type": "flat", "physical_network": "near", "vlan_transparent": True}
    switch, *ways = network_rows(network("n", **facts, more_segments=[other]))
    assert [way.columns["tag"] for way in ways] == [frozenset(), frozenset({9})]
    assert len({way.id for way in ways} | {str(way.columns["name"]) for way in ways}) == 4
    options = switch.columns["other_config"]
    assert isinstance(options, dict)
    assert options["vlan-passthru"] == "true"


@pytest.mark.parametrize(("kind", "tag"), [("flat", frozenset()), ("vlan", frozenset({42}))])
def test_a_provider_network_leads_out(kind: str, tag: frozenset[int]) -> None:
    plan = network("p", network_type=kind, physical_network="physnet1", segmentation_id=42)
    way_out = only(network_rows(plan), "Logical_Switch_Port")
    assert way_out.columns["type"] == "localnet"
    assert way_out.columns["tag"] == tag
    options = way_out.columns["options"]
    assert isinstance(options, dict)
    assert options["network_name"] == "physnet1"
    assert way_out.parent is not None
    assert way_out.parent.row_id == only(network_rows(plan), "Logical_Switch").id


def dhcp(**fields: object) -> dict[str, str] | None:
    one = subnet("s", str(fields.pop("cidr", "10.0.0.0/24")), **fields)
    plan: NetworkPlan = network("n", one, dns_domain="example.org.")
    return subnet_options(plan, one)


def test_dhcp_tells_the_default_route_among_the_routes() -> None:
    options = dhcp(
        metadata_ip="10.0.0.2", host_routes=[Route(destination="10.9.0.0/16", nexthop="10.0.0.9")]
    )
    assert options is not None
    assert options["classless_static_route"] == (
        "{169.254.169.254/32,10.0.0.2, 10.9.0.0/16,10.0.0.9, 0.0.0.0/0,10.0.0.1}"
    )
    assert options["router"] == "10.0.0.1"
    assert options["domain_name"] == '"example.org"'


def test_without_a_gateway_there_is_no_router() -> None:
    options = dhcp(gateway_ip=None, metadata_ip="10.0.0.2")
    assert options is not None
    assert "router" not in options
    assert options["server_id"] == "10.0.0.2"
    assert options["classless_static_route"] == "{169.254.169.254/32,10.0.0.2}"


def test_names_servers_are_told_by_family() -> None:
    servers = ["9.9.9.9", "2620:fe::fe"]
    four = dhcp(dns_nameservers=servers)
    six = dhcp(cidr="fd00::/64", dns_nameservers=servers, ipv6_address_mode="dhcpv6-stateful")
    assert four is not None
    assert six is not None
    assert four["dns_server"] == "{9.9.9.9}"
    assert six["dns_server"] == "{2620:fe::fe}"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("slaac", None), (None, None), ("dhcpv6-stateless", "true"), ("dhcpv6-stateful", "")],
)
def test_dhcpv6_by_address_mode(mode: str | None, expected: str | None) -> None:
    options = dhcp(cidr="fd00::/64", ipv6_address_mode=mode)
    told = None if options is None else options.get("dhcpv6_stateless", "")
    assert told == expected


def test_dhcp_switched_off_tells_nothing() -> None:
    assert dhcp(enable_dhcp=False) is None


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"mtu": "1300"}, {"mtu": "1300"}),
        ({"26": "1300"}, {"mtu": "1300"}),
        ({"MTU": "many"}, {}),
        ({"ntp-server": "10.0.0.5,10.0.0.6"}, {"ntp_server": "{10.0.0.5, 10.0.0.6}"}),
        ({"ntp-server": "time.example"}, {}),
        ({"bootfile-name": "pxelinux.0"}, {"bootfile_name": '"pxelinux.0"'}),
        ({"bootfile-name": 'a"); drop; ("'}, {"bootfile_name": '"a\\"); drop; (\\""'}),
        ({"domain-name": "a\nb"}, {}),
        ({"tftp-server": "10.0.0.9"}, {"tftp_server": "10.0.0.9"}),
        ({"tftp-server": "boot.example"}, {"tftp_server": '"boot.example"'}),
        ({"tftp-server": "no host; drop"}, {}),
        (
            {"classless-static-route": "10.8.0.0/16,10.0.0.3"},
            {"classless_static_route": "{10.8.0.0/16,10.0.0.3}"},
        ),
        ({"ip-forward-enable": "True"}, {"ip_forward_enable": "1"}),
        ({"no-such-option": "1"}, {}),
        ({"router = 6.6.6.6, mtu": "1"}, {}),
    ],
)
def test_a_ports_wishes_are_checked(wish: dict[str, str], expected: dict[str, str]) -> None:
    base = {"lease_time": "43200"}
    assert own_options(base, "10.0.0.0/24", wish) == base | expected


def test_a_guests_port_may_send_from_its_own_addresses() -> None:
    plan = vm("10.0.0.11", host="h1")
    row = only(port_rows(plan, OFFERS), "Logical_Switch_Port")
    assert row.columns["addresses"] == {f"{plan.mac} 10.0.0.11"}
    assert row.columns["port_security"] == {f"{plan.mac} 10.0.0.11"}
    assert row.columns["options"] == {"requested-chassis": "h1"}
    assert row.columns["dhcpv4_options"] == {row_id("DHCP_Options", uid("red4"))}
    assert row.columns["type"] == ""


def test_address_pairs_widen_what_it_may_send_from() -> None:
    other = mac("other")
    pairs = [
        AddressPair(mac=mac("vm1"), ip="10.0.0.100/32"),
        AddressPair(mac=mac("vm1").upper(), ip="10.5.0.0/16"),
        AddressPair(mac=other, ip="10.0.0.101"),
    ]
    plan = vm("10.0.0.11", address_pairs=pairs)
    assert ports.port_security(plan) == {
        f"{plan.mac} 10.0.0.11 10.0.0.100 10.5.0.0/16",
        f"{other} 10.0.0.101",
    }
    assert ports.addresses(plan) == {f"{plan.mac} 10.0.0.11", other}


def test_without_port_security_it_sends_and_gets_all() -> None:
    plan = vm("10.0.0.11", port_security=False, security_group_ids=[uid("g")])
    assert ports.port_security(plan) == frozenset()
    assert ports.addresses(plan) == {f"{plan.mac} 10.0.0.11", "unknown"}
    assert ports.group_ids(plan) == set()


def test_a_port_without_addresses_has_one_that_nobody_has() -> None:
    plan = vm()
    assert ports.port_security(plan) == {f"{plan.mac} 0.0.0.0"}


def test_every_guarded_port_is_in_the_drop_group() -> None:
    assert ports.group_ids(vm("10.0.0.11")) == {drop_group_id()}
    in_group = vm("10.0.0.11", security_group_ids=[uid("g")])
    assert ports.group_ids(in_group) == {drop_group_id(), port_group_id(uid("g"))}


@pytest.mark.parametrize(
    ("owner", "kind", "addresses"),
    [
        ("network:router_interface", "router", {"router"}),
        ("network:router_gateway", "router", {"router"}),
        ("network:distributed", "localport", {f"{mac('vm1')} 10.0.0.11"}),
    ],
)
def test_ports_of_the_network_itself(owner: str, kind: str, addresses: set[str]) -> None:
    plan = vm("10.0.0.11", device_owner=owner, security_group_ids=[uid("g")])
    row = only(port_rows(plan, OFFERS), "Logical_Switch_Port")
    assert (row.columns["type"], row.columns["addresses"]) == (kind, addresses)
    assert row.columns["port_security"] == frozenset()
    assert row.columns["dhcpv4_options"] == frozenset()
    assert ports.group_ids(plan) == set()


def test_a_floating_ips_port_is_none() -> None:
    assert port_rows(vm("10.0.0.11", device_owner="network:floatingip"), OFFERS) == []


def test_a_port_with_a_name_has_dhcp_and_dns_of_its_own() -> None:
    rows = port_rows(vm("10.0.0.11", hostname="Web"), OFFERS)
    own = only(rows, "DHCP_Options")
    assert own.columns["options"] == {"router": "10.0.0.1", "hostname": '"Web"'}
    assert only(rows, "Logical_Switch_Port").columns["dhcpv4_options"] == {own.id}
    assert only(rows, "DNS").columns["records"] == {
        "web": "10.0.0.11",
        "11.0.0.10.in-addr.arpa": "web",
    }


def test_a_whole_name_has_the_networks_domain() -> None:
    rows = port_rows(vm("10.0.0.11", hostname="Web", dns_domain="lab.test"), OFFERS)
    assert only(rows, "DNS").columns["records"] == {
        "web": "10.0.0.11",
        "web.lab.test": "10.0.0.11",
        "11.0.0.10.in-addr.arpa": "web.lab.test",
    }


def test_a_port_may_want_no_dhcp() -> None:
    row = only(
        port_rows(vm("10.0.0.11", dhcp_options={"dhcp_disabled": "true"}), OFFERS),
        "Logical_Switch_Port",
    )
    assert row.columns["dhcpv4_options"] == frozenset()


def test_dhcp_waits_for_its_subnet() -> None:
    row = only(port_rows(vm("10.0.0.11", hostname="web"), {}), "Logical_Switch_Port")
    assert row.columns["dhcpv4_options"] == frozenset()
    wishes = ports.DhcpWishes(
        port_id=uid("vm1"), network_id=RED.id, subnet_ids=[uid("red4")], options={}
    )
    later = ports.port_dhcp(wishes, OFFERS)
    assert later.cells["dhcpv4_options"] == frozenset({row_id("DHCP_Options", uid("red4"))})


TCP = {"port_range_min": 22, "port_range_max": 22}
MATCHES = [
    (rule("ingress"), f"outport == @{PG} && ip4"),
    (rule("egress", ethertype="IPv6"), f"inport == @{PG} && ip6"),
    (rule("ingress", "tcp", **TCP), f"outport == @{PG} && ip4 && tcp && tcp.dst == 22"),
    (rule("ingress", "6", **TCP), f"outport == @{PG} && ip4 && tcp && tcp.dst == 22"),
    (
        rule("egress", "udp", port_range_min=1, port_range_max=9),
        f"inport == @{PG} && ip4 && udp && udp.dst >= 1 && udp.dst <= 9",
    ),
    (rule("ingress", "sctp"), f"outport == @{PG} && ip4 && sctp"),
    (rule("ingress", "icmp"), f"outport == @{PG} && ip4 && icmp4"),
    (
        rule("ingress", "icmp", port_range_min=8, port_range_max=0),
        f"outport == @{PG} && ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0",
    ),
    (
        rule("ingress", "ipv6-icmp", ethertype="IPv6", port_range_min=128),
        f"outport == @{PG} && ip6 && icmp6 && icmp6.type == 128",
    ),
    (
        rule("ingress", "icmp", ethertype="IPv6"),
        f"outport == @{PG} && ip6 && icmp6",
    ),
    (rule("ingress", "vrrp"), f"outport == @{PG} && ip4 && ip.proto == 112"),
    (rule("ingress", "89"), f"outport == @{PG} && ip4 && ip.proto == 89"),
    (rule("ingress", "any"), f"outport == @{PG} && ip4"),
    (
        rule("ingress", remote_ip_prefix="10.0.0.5/24"),
        f"outport == @{PG} && ip4 && ip4.src == 10.0.0.0/24",
    ),
    (
        rule("egress", remote_ip_prefix="fd00::/16", ethertype="IPv6"),
        f"inport == @{PG} && ip6 && ip6.dst == fd00::/16",
    ),
    (rule("ingress", remote_ip_prefix="0.0.0.0/0"), f"outport == @{PG} && ip4"),
    (
        rule("ingress", remote_group_id=uid("other")),
        f"outport == @{PG} && ip4 && ip4.src == ${OTHER}_ip4",
    ),
    (
        rule("egress", remote_group_id=uid("other"), ethertype="IPv6"),
        f"inport == @{PG} && ip6 && ip6.dst == ${OTHER}_ip6",
    ),
    (
        rule("ingress", "udplite", port_range_min=1, port_range_max=65535),
        f"outport == @{PG} && ip4 && ip.proto == 136",
    ),
]


@pytest.mark.parametrize(("one", "match"), MATCHES, ids=map(str, range(len(MATCHES))))
def test_a_rule_in_ovns_words(one: RulePlan, match: str) -> None:
    assert rule_match(one, uid("g")) == match


@pytest.mark.parametrize(
    "one",
    [
        rule("ingress", "dccp", port_range_min=5, port_range_max=6),
        rule("ingress", remote_ip_prefix="fd00::/16"),
    ],
)
def test_what_ovn_cannot_tell_apart_is_not_let_in(one: RulePlan) -> None:
    assert rule_match(one, uid("g")) is None
    assert of(group_rows(group("g", one)), "ACL") == []


def test_stateless_groups_keep_no_state() -> None:
    actions = {row.columns["action"] for row in of(group_rows(group("g", *EGRESS)), "ACL")}
    assert actions == {"allow-related"}
    stateless = group_rows(group("g", *EGRESS, stateful=False))
    assert {row.columns["action"] for row in of(stateless, "ACL")} == {"allow-stateless"}


INNER = port("leg", RED, "10.0.0.1")
OUTER = port("gw", network("out", subnet("out4", "203.0.113.0/24")), "203.0.113.5")


def r1(**fields: object) -> RouterPlan:
    given: dict[str, object] = {"gateway": gateway(OUTER, "203.0.113.5/24", "203.0.113.1")}
    return router("r1", leg(INNER, "10.0.0.1/24", "fd00::1/64", mtu=1442), **given | fields)


def test_a_router_translates_what_it_sends_out() -> None:
    nat = only(router_rows(r1(), {OUTER.id: ["c1"]}, distributed=False), "NAT")
    assert (nat.columns["type"], nat.columns["external_ip"]) == ("snat", "203.0.113.5")
    assert nat.columns["logical_ip"] == "10.0.0.0/24"
    closed = r1(gateway=gateway(OUTER, "203.0.113.5/24", "203.0.113.1", snat=False))
    assert of(router_rows(closed, {OUTER.id: ["c1"]}, distributed=False), "NAT") == []


def test_its_way_out_has_hosts_by_priority() -> None:
    rows = router_rows(r1(), {OUTER.id: ["best", "next"]}, distributed=False)
    hosts = of(rows, "Gateway_Chassis")
    assert [(h.columns["chassis_name"], h.columns["priority"]) for h in hosts] == [
        ("best", 2),
        ("next", 1),
    ]
    route = only(rows, "Logical_Router_Static_Route")
    assert (route.columns["ip_prefix"], route.columns["nexthop"]) == ("0.0.0.0/0", "203.0.113.1")
    assert route.columns["output_port"] == {f"lrp-{OUTER.id}"}
    narrow = [row.columns["options"] for row in of(rows, "Logical_Router_Port")]
    assert narrow == [{}, {"gateway_mtu": "1442"}]


@pytest.mark.parametrize("distributed", [False, True])
def test_a_floating_ip(distributed: bool) -> None:
    address: FloatingIpPlan = floating_ip("203.0.113.10", port("vm1", RED, "10.0.0.11"))
    rows = router_rows(r1(floating_ips=[address]), {OUTER.id: ["c1"]}, distributed=distributed)
    nat = next(row for row in of(rows, "NAT") if row.columns["type"] == "dnat_and_snat")
    assert nat.columns["external_ip"] == "203.0.113.10"
    assert nat.columns["logical_ip"] == "10.0.0.11"
    assert bool(nat.columns["logical_port"]) is distributed
    assert nat.columns["external_mac"] == ({mac("203.0.113.10")} if distributed else frozenset())


def test_router_advertisements() -> None:
    six = router("r1", leg(INNER, "fd00::1/64", ipv6_ra_mode="dhcpv6-stateless", mtu=1442))
    row = only(router_rows(six, {}, distributed=False), "Logical_Router_Port")
    assert row.columns["ipv6_ra_configs"] == {
        "address_mode": "dhcpv6_stateless",
        "send_periodic": "true",
        "mtu": "1442",
    }


def test_a_router_that_is_down() -> None:
    row = only(router_rows(r1(admin_state_up=False), {}, distributed=False), "Logical_Router")
    assert row.columns["enabled"] == {False}


def test_a_rule_for_an_address_group_admits_its_addresses_of_the_family() -> None:
    ranges = ["10.0.0.1/32", "10.1.0.0/16", "fd00::/64"]
    four = rule_match(rule("ingress", "tcp", remote_addresses=ranges), uid("g"))
    assert four is not None
    assert "ip4.src == {10.0.0.1/32, 10.1.0.0/16}" in four
    six = rule_match(rule("egress", ethertype="IPv6", remote_addresses=ranges), uid("g"))
    assert six is not None
    assert "ip6.dst == {fd00::/64}" in six
    assert rule_match(rule("ingress", remote_addresses=["fd00::/64"]), uid("g")) is None


def test_several_ways_out_each_have_hosts_and_translations() -> None:
    far = network("far", subnet("far4", "198.51.100.0/24"))
    second = port("gw2", far, "198.51.100.5")
    more = gateway(second, "198.51.100.5/24", "198.51.100.1")
    address = msgspec.structs.replace(
        floating_ip("198.51.100.9", port("vm1", RED, "10.0.0.11")), gateway_port_id=second.id
    )
    plan = r1(more_gateways=[more], floating_ips=[address])
    rows = router_rows(plan, {OUTER.id: ["c1"], second.id: ["c2"]}, distributed=False)
    hosts = {h.columns["chassis_name"] for h in of(rows, "Gateway_Chassis")}
    assert hosts == {"c1", "c2"}
    ways = {
        (nat.columns["type"], nat.columns["external_ip"]): nat.columns["gateway_port"]
        for nat in of(rows, "NAT")
    }
    first, other = ({row_id("Logical_Router_Port", one.id)} for one in (OUTER, second))
    assert ways == {
        ("snat", "203.0.113.5"): first,
        ("snat", "198.51.100.5"): other,
        ("dnat_and_snat", "198.51.100.9"): other,
    }
    route = only(rows, "Logical_Router_Static_Route")
    assert route.columns["nexthop"] == "203.0.113.1"


def test_ways_out_are_alike_where_that_is_wanted_and_depend_on_who_answers() -> None:
    far = network("far", subnet("far4", "198.51.100.0/24"))
    second = port("gw2", far, "198.51.100.5")
    more = gateway(second, "198.51.100.5/24", "198.51.100.1")
    plan = r1(more_gateways=[more], spreads=True, probes=True)
    rows = router_rows(plan, {}, distributed=False)
    probes = {probe.id: probe.columns for probe in of(rows, "BFD")}
    ways = {
        (route.columns["ip_prefix"], route.columns["nexthop"]): route.columns["bfd"]
        for route in of(rows, "Logical_Router_Static_Route")
    }
    assert ways.keys() == {("0.0.0.0/0", "203.0.113.1"), ("0.0.0.0/0", "198.51.100.1")}
    for (_, nexthop), watched in ways.items():
        assert [probes[one]["dst_ip"] for one in watched] == [nexthop]
    one_network = [msgspec.structs.replace(more, nexthops=["203.0.113.1"])]
    alike = r1(more_gateways=one_network, spreads=True)
    routes = of(router_rows(alike, {}, distributed=False), "Logical_Router_Static_Route")
    assert len({route.id for route in routes}) == 2

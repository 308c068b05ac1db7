"""What others tried on clouds of this kind: other projects' things, lies, limits."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cumulo.services.network.api import OPERATIONS
from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import NOWHERE, OTHER, PROJECT, Net


@pytest.fixture
def victim(net: Net) -> dict[str, str]:
    """Return an id of everything that a project may have."""
    outside, _ = net.outside()
    network, subnet = net.network()
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])
    port = net.make("port", network_id=network["id"])
    group = net.make("security_group", name="web")
    policy = {"object_type": "network", "object_id": network["id"], "target_tenant": "d" * 32}
    return {
        "network_id": network["id"],
        "subnet_id": subnet["id"],
        "segment_id": net.admin.list("segment", f"?network_id={network['id']}")[0]["id"],
        "router_id": router["id"],
        "port_id": port["id"],
        "floatingip_id": net.make(
            "floatingip", floating_network_id=outside["id"], port_id=port["id"]
        )["id"],
        "security_group_id": group["id"],
        "security_group_rule_id": group["security_group_rules"][0]["id"],
        "rbac_policy_id": net.make("rbac_policy", **policy, action="access_as_shared")["id"],
        "project_id": PROJECT,
        "port_forwarding_id": NOWHERE,
        "policy_id": net.as_(f"mia:{PROJECT}:manager,member,reader").make("policy", name="q")["id"],
        "rule_id": NOWHERE,
        "address_group_id": net.make("address_group", addresses=["10.0.0.0/8"])["id"],
        "trunk_id": net.make("trunk", port_id=port["id"])["id"],
        "rule_type": "dscp_marking",
        "subnetpool_id": net.make("subnetpool", name="p", prefixes=["10.0.0.0/8"])["id"],
        "address_scope_id": net.make("address_scope", name="s", ip_version=4)["id"],
        "tag": "x",
        "agent_id": "x",
        "alias": "router",
    }


FORWARDINGS = "/v2.0/floatingips/{floatingip_id}/port_forwardings"
QOS = "/v2.0/qos/policies/{policy_id}"
BODIES: dict[str, Any] = {
    "/v2.0/networks/{network_id}": {"network": {"name": "x"}},
    "/v2.0/subnets/{subnet_id}": {"subnet": {"name": "x"}},
    "/v2.0/segments/{segment_id}": {"segment": {"name": "x"}},
    "/v2.0/ports/{port_id}": {"port": {"name": "x"}},
    "/v2.0/routers/{router_id}": {"router": {"name": "x"}},
    "/v2.0/floatingips/{floatingip_id}": {"floatingip": {"port_id": None}},
    "/v2.0/security-groups/{security_group_id}": {"security_group": {"name": "x"}},
    "/v2.0/rbac-policies/{rbac_policy_id}": {"rbac_policy": {"target_tenant": "e" * 32}},
    "/v2.0/subnetpools/{subnetpool_id}": {"subnetpool": {"name": "x"}},
    "/v2.0/address-scopes/{address_scope_id}": {"address_scope": {"name": "x"}},
    f"{FORWARDINGS}/{{port_forwarding_id}}": {"port_forwarding": {"description": "x"}},
    FORWARDINGS: {
        "port_forwarding": {
            "protocol": "tcp",
            "external_port": 22,
            "internal_port": 22,
            "internal_port_id": NOWHERE,
        }
    },
    f"{QOS}": {"policy": {"name": "x"}},
    f"{QOS}/bandwidth_limit_rules": {"bandwidth_limit_rule": {"max_kbps": 1}},
    f"{QOS}/bandwidth_limit_rules/{{rule_id}}": {"bandwidth_limit_rule": {"max_kbps": 1}},
    f"{QOS}/dscp_marking_rules": {"dscp_marking_rule": {"dscp_mark": 8}},
    f"{QOS}/dscp_marking_rules/{{rule_id}}": {"dscp_marking_rule": {"dscp_mark": 8}},
    f"{QOS}/minimum_bandwidth_rules": {"minimum_bandwidth_rule": {"min_kbps": 1}},
    f"{QOS}/minimum_bandwidth_rules/{{rule_id}}": {"minimum_bandwidth_rule": {"min_kbps": 1}},
    "/v2.0/qos/alias_bandwidth_limit_rules/{rule_id}": {
        "alias_bandwidth_limit_rule": {"max_kbps": 1}
    },
    "/v2.0/qos/alias_dscp_marking_rules/{rule_id}": {"alias_dscp_marking_rule": {"dscp_mark": 8}},
    "/v2.0/qos/alias_minimum_bandwidth_rules/{rule_id}": {
        "alias_minimum_bandwidth_rule": {"min_kbps": 1}
    },
    "/v2.0/trunks/{trunk_id}": {"trunk": {"name": "x"}},
    "/v2.0/trunks/{trunk_id}/add_subports": {"sub_ports": [{"port_id": NOWHERE}]},
    "/v2.0/trunks/{trunk_id}/remove_subports": {"sub_ports": [{"port_id": NOWHERE}]},
    "/v2.0/address-groups/{address_group_id}": {"address_group": {"name": "x"}},
    "/v2.0/quotas/{project_id}": {"quota": {"port": 1}},
}


def body_for(path: str, victim: dict[str, str]) -> Any:
    if path.endswith("_router_interface"):
        return {"subnet_id": victim["subnet_id"]}
    if path.endswith("_extraroutes"):
        return {"router": {"routes": []}}
    if path.endswith("_external_gateways"):
        return {"router": {"external_gateways": []}}
    if path.endswith("_addresses"):
        return {"addresses": ["10.9.0.0/24"]}
    if path.endswith("onboard_network_subnets"):
        return {"network_id": victim["network_id"]}
    if path.endswith("_prefixes"):
        return {"prefixes": ["10.9.0.0/24"]}
    return {"tags": ["x"]} if path.endswith("/tags") else BODIES.get(path)


def everything(net: Net) -> Any:
    nouns = ("network", "subnet", "port", "router", "floatingip", "security_group", "rbac_policy")
    more = (
        "security_group_rule",
        "subnetpool",
        "address_scope",
        "segment",
        "policy",
        "trunk",
        "address_group",
    )
    return {noun: net.admin.list(noun) for noun in (*nouns, *more, "address_group")}


def test_another_projects_id_opens_nothing_on_any_operation(
    net: Net, victim: dict[str, str]
) -> None:
    """Every operation on one thing, tried by a stranger, is 404 or 403 and changes nothing."""
    net.stranger.list("security_group")
    before = everything(net)
    tried = 0
    for operation in OPERATIONS:
        path = operation.path
        if "{" not in path or "{alias}" in path or "{rule_type}" in path:
            continue
        body = body_for(path, victim)
        answer = net.stranger.http.request(operation.method, path.format(**victim), body)
        assert answer.status in (403, 404), (operation.method, path, answer.text)
        tried += 1
    assert tried > 60
    assert everything(net) == before


def test_another_projects_id_is_no_parent_reference_or_filter(
    net: Net, victim: dict[str, str]
) -> None:
    theirs = net.stranger
    network, subnet = theirs.network("10.50.0.0/24")
    port, router = theirs.make("port", network_id=network["id"]), theirs.make("router")
    group = theirs.make("security_group", name="g")
    before = everything(net)
    outside = theirs.list("network", "?router:external=True")[0]["id"]
    for answer in (
        theirs.try_("subnet", network_id=victim["network_id"], cidr="10.9.0.0/24", ip_version=4),
        theirs.try_("port", network_id=victim["network_id"]),
        theirs.try_(
            "port", network_id=network["id"], fixed_ips=[{"subnet_id": victim["subnet_id"]}]
        ),
        theirs.try_(
            "port", network_id=network["id"], security_groups=[victim["security_group_id"]]
        ),
        theirs.try_change("port", port["id"], security_groups=[victim["security_group_id"]]),
        theirs.try_change("port", port["id"], fixed_ips=[{"subnet_id": victim["subnet_id"]}]),
        theirs.attach(router["id"], subnet_id=victim["subnet_id"]),
        theirs.attach(router["id"], port_id=victim["port_id"]),
        theirs.attach(victim["router_id"], subnet_id=subnet["id"]),
        theirs.try_("router", external_gateway_info={"network_id": victim["network_id"]}),
        theirs.try_("floatingip", floating_network_id=outside, port_id=victim["port_id"]),
        theirs.try_("floatingip", floating_network_id=victim["network_id"]),
        theirs.try_(
            "security_group_rule",
            security_group_id=group["id"],
            direction="ingress",
            remote_group_id=victim["security_group_id"],
        ),
        theirs.try_(
            "security_group_rule",
            security_group_id=victim["security_group_id"],
            direction="ingress",
        ),
        theirs.try_("network", project_id=PROJECT),
        theirs.try_("security_group", tenant_id=PROJECT),
    ):
        assert answer.status in (400, 403, 404), answer.text
    assert everything(net) == before
    for noun, query in (
        ("network", f"?project_id={PROJECT}"),
        ("port", f"?network_id={victim['network_id']}"),
        ("port", f"?fixed_ips=subnet_id={victim['subnet_id']}"),
        ("subnet", f"?id={victim['subnet_id']}"),
        ("router", f"?tenant_id={PROJECT}"),
        ("security_group_rule", f"?security_group_id={victim['security_group_id']}"),
    ):
        assert theirs.list(noun, query) == [], query
    marker = theirs.http.get(f"/v2.0/ports?limit=1&marker={victim['port_id']}")
    assert marker.status == 404


def test_identity_in_the_body_or_headers_is_not_believed(net: Net) -> None:
    forged = {"X-Roles": "admin", "X-Project-Id": OTHER, "X-Is-Admin-Project": "True"}
    shared = {"network": {"shared": True}}
    assert net.http.post("/v2.0/networks", shared, headers=forged).status == 403
    inside = {"network": {"name": "x", "target": {"project_id": PROJECT}}}
    assert net.http.post("/v2.0/networks", inside).status == 400
    assert net.http.get("/v2.0/agents?role=admin&user_id=root").status == 400


def test_port_security_is_not_talked_around(net: Net, driver: FakeDriver) -> None:
    """A guest of a shared network keeps its MAC, address, groups and anti-spoofing (2015-018)."""
    network = net.admin.make("network", shared=True)
    net.admin.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = net.make("port", network_id=network["id"])
    for facts in (
        {"device_owner": "network:dhcp"},
        {"device_owner": "network:router_interface", "device_id": "r"},
        {"port_security_enabled": False},
        {"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}]},
        {"fixed_ips": [{"ip_address": "10.0.0.1"}]},
        {"mac_address": "fa:16:3e:00:00:01"},
    ):
        answer = net.try_change("port", port["id"], **facts)
        assert answer.status == 403, facts
    own, _ = net.network()
    mine = net.make("port", network_id=own["id"])
    net.change("port", mine["id"], device_owner="network:dhcp")
    net.project()
    assert driver.ports[mine["id"]].device_owner == ""
    assert driver.ports[mine["id"]].port_security


def test_a_line_break_reaches_no_dhcp_option(net: Net) -> None:
    """A value that becomes a line of a server's file stays one line (2021-005)."""
    network, _ = net.network()
    port = net.make("port", network_id=network["id"])
    for bad in ("x\ny", "x\r\ny", "x\x00y", "\x7f"):
        for option in ({"opt_name": "mtu", "opt_value": bad}, {"opt_name": bad, "opt_value": "1"}):
            assert net.try_change("port", port["id"], extra_dhcp_opts=[option]).status == 400
            refused = net.try_("port", network_id=network["id"], extra_dhcp_opts=[option])
            assert refused.status == 400
    assert net.show("port", port["id"])["extra_dhcp_opts"] == []


def test_a_rule_that_cannot_be_leaves_the_others_in_force(net: Net, driver: FakeDriver) -> None:
    """An invalid or repeated rule must not disable the set (2019-001, 2019-002)."""
    group = net.make("security_group", name="web")["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
    net.make("security_group_rule", **rule, port_range_min=80, port_range_max=80)
    for bad in (
        {**rule, "port_range_min": 0, "port_range_max": 0},
        {**rule, "protocol": "vrrp", "port_range_min": 1, "port_range_max": 1},
        {**rule, "port_range_min": 80, "port_range_max": 80},
        {**rule, "remote_ip_prefix": "10.0.0.0/-1"},
        {**rule, "remote_ip_prefix": "::ffff:10.0.0.1/200"},
        {**rule, "protocol": "tcp; reboot"},
    ):
        assert net.try_("security_group_rule", **bad).status in (400, 409), bad
    net.project()
    assert len(driver.security_groups[group].rules) == 3


def test_a_changed_rule_reaches_the_backend_at_once(net: Net, driver: FakeDriver) -> None:
    """It must not take a new port or a restart (2015-021)."""
    group = net.make("security_group", name="web")["id"]
    rule = net.make("security_group_rule", security_group_id=group, direction="ingress")
    net.project()
    net.delete("security_group_rule", rule["id"])
    net.project()
    assert {r.direction for r in driver.security_groups[group].rules} == {"egress"}


@pytest.mark.parametrize(
    ("resource", "facts"),
    [
        ("network", {}),
        ("router", {}),
        ("security_group", {"name": "x"}),
    ],
)
def test_parallel_creates_do_not_pass_a_limit(
    net: Net, resource: str, facts: dict[str, Any]
) -> None:
    net.list("security_group")
    used = net.http.get(f"/v2.0/quotas/{PROJECT}/details").json()["quota"][resource]["used"]
    limit = {"quota": {resource: used + 1, "security_group_rule": -1}}
    assert net.admin.http.put(f"/v2.0/quotas/{PROJECT}", limit).status == 200
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: net.try_(resource, **facts).status, range(8)))
    assert (found.count(201), found.count(409)) == (1, 7)


def test_parallel_creates_do_not_take_the_same_thing(net: Net) -> None:
    """One address, one MAC, one segment, one leg, one default group, whoever comes first."""
    network, subnet = net.network()
    outside, _ = net.outside()
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])
    port = net.make("port", network_id=network["id"])
    address = {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.99"}]}
    mac = {"network_id": network["id"], "mac_address": "02:00:00:00:00:01"}
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
    overlap = {"network_id": network["id"], "cidr": "10.3.0.0/16", "ip_version": 4}
    floating = {"floating_network_id": outside["id"], "port_id": port["id"]}
    rule = {"security_group_id": net.list("security_group")[0]["id"], "direction": "ingress"}
    for noun, facts in (
        ("port", address),
        ("port", mac),
        ("network", flat),
        ("subnet", overlap),
        ("floatingip", floating),
        ("security_group_rule", {**rule, "protocol": "tcp"}),
    ):
        with ThreadPoolExecutor(6) as pool:
            statuses = list(
                pool.map(lambda _, n=noun, f=facts: net.admin.try_(n, **f).status, range(6))
            )
        assert statuses.count(201) == 1, (noun, statuses)
        assert set(statuses) <= {201, 400, 409}, (noun, statuses)
    fresh = net.as_("zoe:" + "f" * 32 + ":member")
    with ThreadPoolExecutor(6) as pool:
        groups = list(pool.map(lambda _: fresh.list("security_group"), range(6)))
    assert len({group["id"] for found in groups for group in found}) == 1


def test_one_request_is_not_made_to_cost_much(net: Net) -> None:
    query = "&".join(f"name={i}" for i in range(300))
    assert net.http.get(f"/v2.0/networks?{query}").status == 400
    assert net.http.get("/v2.0/networks?limit=" + "9" * 400).status == 200
    assert net.http.get("/v2.0/networks?mtu=" + "9" * 4000).status in (200, 400)
    deep = b'{"network":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert net.http.request("POST", "/v2.0/networks", body=deep).status == 400
    names = [{"name": "x" * 256}] * 100
    assert net.http.post("/v2.0/networks", {"networks": names}).status == 400

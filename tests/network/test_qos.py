"""QoS: how fast ports may be, and how their packets are marked."""

from typing import Any

import pytest

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import NOWHERE, OTHER, PROJECT, Net, error_of


@pytest.fixture
def boss(net: Net) -> Net:
    """Return the API as those see it who may make policies in the project."""
    return net.as_(f"mia:{PROJECT}:manager,member,reader")


def say(net: Net, policy: Any, kind: str, **facts: Any) -> Any:
    path = f"/v2.0/qos/policies/{policy['id']}/{kind}_rules"
    return net.http.post(path, {f"{kind}_rule": facts})


def test_policies_are_made_of_rules(net: Net, boss: Net) -> None:
    assert net.try_("policy", name="gold").status == 403
    policy = boss.make("policy", name="gold", description="d")
    assert (policy["rules"], policy["shared"]) == ([], False)
    limit = say(boss, policy, "bandwidth_limit", max_kbps=1000).json()["bandwidth_limit_rule"]
    assert limit == {
        "id": limit["id"],
        "max_kbps": 1000,
        "max_burst_kbps": 0,
        "direction": "egress",
    }
    twice = say(boss, policy, "bandwidth_limit", max_kbps=2000)
    assert error_of(twice) == (409, "QoSRulesConflict")
    facts = {"max_kbps": 2000, "direction": "ingress"}
    assert say(boss, policy, "bandwidth_limit", **facts).status == 201
    mark = say(boss, policy, "dscp_marking", dscp_mark=26).json()["dscp_marking_rule"]
    assert mark == {"id": mark["id"], "dscp_mark": 26}
    assert error_of(say(boss, policy, "dscp_marking", dscp_mark=27))[0] == 400
    shown = net.show("policy", policy["id"])
    assert sorted(rule["type"] for rule in shown["rules"]) == [
        *("bandwidth_limit", "bandwidth_limit", "dscp_marking"),
    ]
    assert shown["revision_number"] > policy["revision_number"]
    path = f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules"
    changed = boss.http.put(f"{path}/{limit['id']}", {"bandwidth_limit_rule": {"max_kbps": 9}})
    assert changed.json()["bandwidth_limit_rule"]["max_kbps"] == 9
    assert len(net.http.get(path).json()["bandwidth_limit_rules"]) == 2
    assert net.http.get(f"{path}/{mark['id']}").status == 404
    assert boss.http.delete(f"{path}/{limit['id']}").status == 204
    assert net.stranger.http.get(path).status == 404


def test_ports_have_their_own_policy_or_their_networks(
    net: Net, boss: Net, driver: FakeDriver
) -> None:
    slow, fast = boss.make("policy", name="slow"), boss.make("policy", name="fast")
    limit = say(boss, slow, "bandwidth_limit", max_kbps=100).json()["bandwidth_limit_rule"]
    say(boss, fast, "bandwidth_limit", max_kbps=1000, max_burst_kbps=50)
    say(boss, fast, "dscp_marking", dscp_mark=46)
    network, _ = net.network(qos_policy_id=slow["id"])
    one = net.make("port", network_id=network["id"])
    two = net.make("port", network_id=network["id"], qos_policy_id=fast["id"])
    net.project()

    def limits(port: Any) -> list[tuple[str, int, int]]:
        plan = driver.ports[port["id"]]
        return [(b.direction, b.max_kbps, b.max_burst_kbps) for b in plan.bandwidth]

    assert (limits(one), limits(two)) == ([("egress", 100, 80)], [("egress", 1000, 50)])
    assert driver.ports[two["id"]].dscp_mark == 46
    path = f"/v2.0/qos/policies/{slow['id']}/bandwidth_limit_rules/{limit['id']}"
    boss.http.put(path, {"bandwidth_limit_rule": {"max_kbps": 200}})
    net.project()
    assert limits(one) == [("egress", 200, 160)]
    net.change("network", network["id"], qos_policy_id=None)
    net.change("port", two["id"], qos_policy_id=slow["id"])
    net.project()
    assert (limits(one), limits(two)) == ([], [("egress", 200, 160)])
    assert error_of(boss.delete("policy", slow["id"])) == (409, "QosPolicyInUse")
    net.delete("port", two["id"])
    assert boss.delete("policy", slow["id"]).status == 204
    missing = net.try_("port", network_id=network["id"], qos_policy_id=NOWHERE)
    assert error_of(missing) == (404, "QosPolicyNotFound")


def test_floating_ips_have_a_policy_of_their_own(net: Net, boss: Net, driver: FakeDriver) -> None:
    slow = boss.make("policy", name="slow")
    limit = say(boss, slow, "bandwidth_limit", max_kbps=100).json()["bandwidth_limit_rule"]
    say(boss, slow, "dscp_marking", dscp_mark=46)
    outside, _ = net.outside()
    network, subnet = net.network()
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])
    port = net.make("port", network_id=network["id"])
    made = {"floating_network_id": outside["id"], "port_id": port["id"]}
    floating = net.make("floatingip", **made, qos_policy_id=slow["id"])
    assert floating["qos_policy_id"] == slow["id"]
    assert net.list("floatingip", f"?qos_policy_id={slow['id']}") == [floating]

    def limits() -> list[tuple[str, int, int]]:
        net.project()
        (plan,) = driver.routers[router["id"]].floating_ips
        assert plan.dscp_mark == (46 if plan.bandwidth else None)
        return [(b.direction, b.max_kbps, b.max_burst_kbps) for b in plan.bandwidth]

    assert limits() == [("egress", 100, 80)]
    path = f"/v2.0/qos/policies/{slow['id']}/bandwidth_limit_rules/{limit['id']}"
    boss.http.put(path, {"bandwidth_limit_rule": {"max_kbps": 200}})
    assert limits() == [("egress", 200, 160)]
    assert error_of(boss.delete("policy", slow["id"])) == (409, "QosPolicyInUse")
    changed = net.change("floatingip", floating["id"], qos_policy_id=None)
    assert (changed["qos_policy_id"], changed["port_id"]) == (None, port["id"])
    assert limits() == []
    missing = net.try_change("floatingip", floating["id"], qos_policy_id=NOWHERE)
    assert error_of(missing) == (404, "QosPolicyNotFound")


def test_policies_are_shared_and_lent(net: Net, boss: Net) -> None:
    policy = boss.make("policy", name="gold")
    network, _ = net.stranger.network()
    wanted = {"network_id": network["id"], "qos_policy_id": policy["id"]}
    assert error_of(net.stranger.try_("port", **wanted)) == (404, "QosPolicyNotFound")
    facts = {"object_type": "qos_policy", "object_id": policy["id"], "target_tenant": OTHER}
    lent = net.make("rbac_policy", **facts, action="access_as_shared")
    net.stranger.make("port", **wanted)
    assert error_of(net.delete("rbac_policy", lent["id"])) == (409, "RbacPolicyInUse")
    shared = net.admin.make("policy", name="all", shared=True)
    assert net.stranger.show("policy", shared["id"])["shared"] is True


def test_kinds_of_rules_are_told(net: Net) -> None:
    kinds = net.http.get("/v2.0/qos/rule-types").json()["rule_types"]
    names = ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"]
    assert kinds == [{"type": name} for name in names]
    told = net.admin.http.get("/v2.0/qos/rule-types/dscp_marking").json()["rule_type"]
    (driver,) = told["drivers"]
    (mark,) = driver["supported_parameters"]
    assert (driver["name"], mark["parameter_name"]) == ("fake", "dscp_mark")
    assert {0, 26, 56} <= set(mark["parameter_values"])
    told = net.admin.http.get("/v2.0/qos/rule-types/bandwidth_limit").json()["rule_type"]
    names = [one["parameter_name"] for one in told["drivers"][0]["supported_parameters"]]
    assert names == ["max_kbps", "max_burst_kbps", "direction"]
    assert net.http.get("/v2.0/qos/rule-types/dscp_marking").status == 403
    assert net.http.get("/v2.0/qos/rule-types/packet_rate_limit").status == 404


def test_new_networks_have_the_projects_default(net: Net, boss: Net) -> None:
    policy = boss.make("policy", name="gold", is_default=True)
    again = boss.try_("policy", name="other", is_default=True)
    assert error_of(again) == (409, "QoSPolicyDefaultAlreadyExists")
    assert net.make("network")["qos_policy_id"] == policy["id"]
    assert net.make("network", qos_policy_id=None)["qos_policy_id"] is None
    assert net.stranger.make("network")["qos_policy_id"] is None


def test_ports_in_physical_networks_have_a_least_rate(
    net: Net, boss: Net, driver: FakeDriver
) -> None:
    policy = boss.make("policy", name="least")
    rule = say(boss, policy, "minimum_bandwidth", min_kbps=300).json()["minimum_bandwidth_rule"]
    assert rule == {"id": rule["id"], "min_kbps": 300, "direction": "egress"}
    inward = say(boss, policy, "minimum_bandwidth", min_kbps=200, direction="ingress")
    assert inward.status == 201
    assert error_of(say(boss, policy, "minimum_bandwidth", min_kbps=1)) == (409, "QoSRulesConflict")
    assert error_of(say(boss, policy, "bandwidth_limit", max_kbps=299)) == (
        409,
        "QoSRuleParameterConflict",
    )
    assert say(boss, policy, "bandwidth_limit", max_kbps=300).status == 201
    path = f"/v2.0/qos/policies/{policy['id']}/minimum_bandwidth_rules/{rule['id']}"
    more = boss.http.put(path, {"minimum_bandwidth_rule": {"min_kbps": 301}})
    assert error_of(more) == (409, "QoSRuleParameterConflict")
    flat, _ = net.outside()
    tunnelled, _ = net.network()
    ids = [
        net.admin.make("port", network_id=one["id"], qos_policy_id=policy["id"])["id"]
        for one in (flat, tunnelled)
    ]
    net.project()
    assert [driver.ports[one].min_kbps for one in ids] == [300, None]
    less = boss.http.put(path, {"minimum_bandwidth_rule": {"min_kbps": 100}})
    assert less.json()["minimum_bandwidth_rule"]["min_kbps"] == 100
    net.project()
    assert driver.ports[ids[0]].min_kbps == 100
    (shown,) = net.http.get(path.rpartition("/")[0] + "?direction=ingress").json().values()
    assert [one["min_kbps"] for one in shown] == [200]
    assert boss.http.delete(path).status == 204
    net.project()
    assert driver.ports[ids[0]].min_kbps is None
    told = net.admin.http.get("/v2.0/qos/rule-types/minimum_bandwidth").json()["rule_type"]
    names = [one["parameter_name"] for one in told["drivers"][0]["supported_parameters"]]
    assert names == ["min_kbps", "direction"]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("bandwidth_limit", {"max_kbps": 100}, {"max_kbps": 200}),
        ("dscp_marking", {"dscp_mark": 26}, {"dscp_mark": 30}),
        ("minimum_bandwidth", {"min_kbps": 100}, {"min_kbps": 200}),
    ],
)
def test_rules_are_known_without_their_policies(
    net: Net, boss: Net, kind: str, before: dict[str, int], after: dict[str, int]
) -> None:
    policy = boss.make("policy", name="p")
    rule = say(boss, policy, kind, **before).json()[f"{kind}_rule"]
    path, name = f"/v2.0/qos/alias_{kind}_rules/{rule['id']}", f"alias_{kind}_rule"
    assert net.http.get(path).json() == {name: rule}
    assert net.http.put(path, {name: after}).status == 403
    assert net.stranger.http.get(path).status == 404
    assert boss.http.put(path, {name: after}).json()[name] == {**rule, **after}
    others = {"bandwidth_limit": "dscp_marking"}.get(kind, "bandwidth_limit")
    wrong = f"/v2.0/qos/alias_{others}_rules/{rule['id']}"
    assert error_of(net.http.get(wrong)) == (404, "QosRuleNotFound")
    assert net.http.delete(path).status == 403
    assert boss.http.delete(path).status == 204
    assert net.show("policy", policy["id"])["rules"] == []

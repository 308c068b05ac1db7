"""Security groups and their rules: what may be said, once."""

from typing import Any

import pytest

from tests.network.conftest import OTHER, PROJECT, Net, error_of


def rule(net: Net, group: str, **facts: Any) -> Any:
    return net.make("security_group_rule", security_group_id=group, direction="ingress", **facts)


def try_rule(net: Net, group: str, **facts: Any) -> tuple[int, str]:
    wanted = {"security_group_id": group, "direction": "ingress", **facts}
    answer = net.try_("security_group_rule", **wanted)
    return (201, "") if answer.status == 201 else error_of(answer)


def test_a_project_has_a_default_group_whose_members_hear_each_other(net: Net) -> None:
    (default,) = net.list("security_group")
    assert (default["name"], default["stateful"]) == ("default", True)
    said = {
        (r["direction"], r["ethertype"], r["remote_group_id"], r["belongs_to_default_sg"])
        for r in default["security_group_rules"]
    }
    assert said == {
        ("egress", "IPv4", None, True),
        ("egress", "IPv6", None, True),
        ("ingress", "IPv4", default["id"], True),
        ("ingress", "IPv6", default["id"], True),
    }
    assert net.list("security_group") == [default]
    assert len(net.list("security_group_rule")) == 4
    assert net.stranger.list("security_group")[0]["id"] != default["id"]


def test_a_new_group_lets_everything_out_and_nothing_in(net: Net) -> None:
    group = net.make("security_group", name="web", description="d")
    assert {r["direction"] for r in group["security_group_rules"]} == {"egress"}
    assert len(group["security_group_rules"]) == 2
    changed = net.change("security_group", group["id"], name="web2", description="e")
    assert (changed["name"], changed["description"]) == ("web2", "e")
    assert net.delete("security_group", group["id"]).status == 204
    assert error_of(net.delete("security_group", group["id"])) == (404, "SecurityGroupNotFound")


def test_the_default_group_is_the_only_one_of_its_name(net: Net) -> None:
    (default,) = net.list("security_group")
    again = net.try_("security_group", name="Default")
    assert error_of(again) == (409, "SecurityGroupDefaultAlreadyExists")
    renamed = net.try_change("security_group", default["id"], name="x")
    assert error_of(renamed) == (409, "SecurityGroupCannotUpdateDefault")
    assert error_of(net.delete("security_group", default["id"])) == (
        409,
        "SecurityGroupCannotRemoveDefault",
    )
    assert net.change("security_group", default["id"], description="x")["description"] == "x"


def test_a_group_with_ports_is_not_deleted(net: Net) -> None:
    network, _ = net.network()
    group = net.make("security_group", name="web")["id"]
    net.make("port", network_id=network["id"], security_groups=[group])
    assert error_of(net.delete("security_group", group)) == (409, "SecurityGroupInUse")
    flip = net.try_change("security_group", group, stateful=False)
    assert error_of(flip) == (409, "SecurityGroupInUse")
    stateless = net.make("security_group", name="s", stateful="false")
    assert stateless["stateful"] is False
    mixed = net.try_("port", network_id=network["id"], security_groups=[group, stateless["id"]])
    assert error_of(mixed) == (409, "SecurityGroupConflict")


def test_rules_are_kept_as_they_are_meant(net: Net) -> None:
    group = net.make("security_group", name="web")["id"]
    made = rule(net, group, protocol="TCP", port_range_min="22", port_range_max=22)
    assert (made["protocol"], made["port_range_min"], made["ethertype"]) == ("tcp", 22, "IPv4")
    assert made["normalized_cidr"] is None
    assert made["project_id"] == made["tenant_id"] == PROJECT
    prefix = rule(net, group, remote_ip_prefix="10.0.0.7/8", protocol=17)
    assert (prefix["remote_ip_prefix"], prefix["normalized_cidr"]) == ("10.0.0.7/8", "10.0.0.0/8")
    assert prefix["protocol"] == "17"
    single = rule(net, group, remote_ip_prefix="192.0.2.1")
    assert single["remote_ip_prefix"] == "192.0.2.1/32"
    assert rule(net, group, ethertype="ipv6", protocol="icmp")["protocol"] == "ipv6-icmp"
    everything = rule(net, group, protocol="udp", port_range_min=1, port_range_max=65535)
    assert everything["port_range_min"] is None
    assert rule(net, group, protocol="any", remote_group_id=group)["protocol"] is None
    icmp = rule(net, group, protocol="icmp", port_range_min=8, port_range_max=0)
    assert (icmp["port_range_min"], icmp["port_range_max"]) == (8, 0)
    shown = net.http.get(f"/v2.0/security-group-rules/{made['id']}").json()
    assert shown["security_group_rule"] == made
    assert net.delete("security_group_rule", made["id"]).status == 204
    assert error_of(net.delete("security_group_rule", made["id"])) == (
        404,
        "SecurityGroupRuleNotFound",
    )


def test_a_rule_is_said_once_however_it_is_spelled(net: Net) -> None:
    group = net.make("security_group", name="web")["id"]
    rule(net, group, protocol="tcp", port_range_min=80, port_range_max=80)
    same = {"port_range_min": 80, "port_range_max": 80}
    for spelled in (
        {"protocol": "6", **same},
        {"protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0", **same},
    ):
        assert try_rule(net, group, **spelled) == (409, "SecurityGroupRuleExists"), spelled
    assert try_rule(net, group, protocol="tcp", port_range_min=80, port_range_max=81)[0] == 201
    one = {"security_group_id": group, "direction": "ingress", "protocol": "udp"}
    body = {"security_group_rules": [one, one]}
    twice = net.http.post("/v2.0/security-group-rules", body)
    assert error_of(twice) == (409, "DuplicateSecurityGroupRuleInPost")
    egress = net.try_("security_group_rule", security_group_id=group, direction="egress")
    assert error_of(egress) == (409, "SecurityGroupRuleExists")


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"direction": "sideways"}, "HTTPBadRequest"),
        ({"ethertype": "ipx"}, "SecurityGroupRuleInvalidEtherType"),
        ({"protocol": "smoke"}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "256"}, "SecurityGroupRuleInvalidProtocol"),
        ({"port_range_min": 80, "port_range_max": 80}, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "tcp", "port_range_min": 80}, "SecurityGroupInvalidPortRange"),
        (
            {"protocol": "tcp", "port_range_min": 81, "port_range_max": 80},
            "SecurityGroupInvalidPortRange",
        ),
        (
            {"protocol": "tcp", "port_range_min": 0, "port_range_max": 80},
            "SecurityGroupInvalidPortValue",
        ),
        (
            {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536},
            "SecurityGroupInvalidPortValue",
        ),
        (
            {"protocol": "vrrp", "port_range_min": 1, "port_range_max": 2},
            "SecurityGroupInvalidProtocolForPort",
        ),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 1}, "SecurityGroupMissingIcmpType"),
        ({"protocol": "ipv6-icmp"}, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "10.0.0.0/99"}, "InvalidCIDR"),
        ({"remote_ip_prefix": "fd00::/8"}, "SecurityGroupRuleParameterConflict"),
        (
            {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "g"},
            "SecurityGroupMultipleRemoteEntites",
        ),
        ({"colour": "red"}, "HTTPBadRequest"),
        ({"remote_address_group_id": "a"}, "HTTPBadRequest"),
    ],
)
def test_rules_that_cannot_be_are_refused(net: Net, facts: dict[str, Any], kind: str) -> None:
    group = net.make("security_group", name="web")["id"]
    assert try_rule(net, group, **facts) == (400, kind)
    assert len(net.show("security_group", group)["security_group_rules"]) == 2


def test_groups_of_others_do_not_exist(net: Net) -> None:
    mine, theirs = net.make("security_group", name="a"), net.stranger.make("security_group")
    group, other = mine["id"], theirs["id"]
    assert try_rule(net.stranger, group) == (404, "SecurityGroupNotFound")
    assert try_rule(net, group, remote_group_id=other) == (404, "SecurityGroupNotFound")
    (first, *_) = mine["security_group_rules"]
    for answer in (
        net.stranger.http.get(f"/v2.0/security-groups/{group}"),
        net.stranger.delete("security_group", group),
        net.stranger.try_change("security_group", group, name="x"),
        net.stranger.http.get(f"/v2.0/security-group-rules/{first['id']}"),
        net.stranger.delete("security_group_rule", first["id"]),
    ):
        assert answer.status == 404
    listed = net.stranger.list("security_group_rule", f"?security_group_id={group}")
    assert listed == []
    assert net.admin.list("security_group", f"?project_id={OTHER}&name=")[0]["id"] == other


def test_rules_of_one_group_come_together(net: Net) -> None:
    one, two = (net.make("security_group", name=name)["id"] for name in "ab")
    rules = [
        {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
        for group in (one, two)
    ]
    mixed = net.http.post("/v2.0/security-group-rules", {"security_group_rules": rules})
    assert error_of(mixed) == (400, "SecurityGroupNotSingleGroupRules")
    rules[1] |= {"security_group_id": one, "protocol": "udp"}
    both = net.http.post("/v2.0/security-group-rules", {"security_group_rules": rules})
    assert [r["protocol"] for r in both.json()["security_group_rules"]] == ["tcp", "udp"]


def test_a_deleted_group_is_admitted_nowhere(net: Net) -> None:
    one, two = (net.make("security_group", name=name)["id"] for name in "ab")
    rule(net, one, remote_group_id=two)
    assert net.delete("security_group", two).status == 204
    assert len(net.show("security_group", one)["security_group_rules"]) == 2
    net.project()
    plan = net.tools.driver.security_groups[one]  # type: ignore[attr-defined]
    assert {r.direction for r in plan.rules} == {"egress"}

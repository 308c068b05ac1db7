"""What security groups begin with is the operator's to say."""

from typing import Any

from tests.network.conftest import NOWHERE, OTHER, Net, error_of

KIND = "default_security_group_rule"


def permitted(group: Any) -> set[tuple[str, str, str | None]]:
    return {
        (rule["direction"], rule["ethertype"], rule["protocol"])
        for rule in group["security_group_rules"]
    }


def test_the_cloud_begins_with_four_rules(net: Net) -> None:
    found = net.list(KIND)
    assert len(found) == 4
    inward = [rule for rule in found if rule["direction"] == "ingress"]
    assert {rule["remote_group_id"] for rule in inward} == {"PARENT"}
    assert {rule["used_in_non_default_sg"] for rule in inward} == {False}
    assert net.list(KIND, "?direction=egress&ethertype=IPv4&fields=id") == [
        {
            "id": next(
                r["id"] for r in found if (r["direction"], r["ethertype"]) == ("egress", "IPv4")
            )
        }
    ]
    assert error_of(net.http.get("/v2.0/default-security-group-rules?nonsense=1"))[0] == 400


def test_new_groups_begin_with_what_the_operator_says(net: Net) -> None:
    ssh = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    rule = net.admin.make(KIND, **ssh, used_in_default_sg=True)
    assert net.show(KIND, rule["id"]) == rule
    for built_in in net.list(KIND, "?direction=egress&ethertype=IPv6"):
        assert net.admin.delete(KIND, built_in["id"]).status == 204
    outward = ("egress", "IPv4", None)
    assert permitted(net.make("security_group", name="g")) == {outward, ("ingress", "IPv4", "tcp")}
    default = next(g for g in net.list("security_group") if g["name"] == "default")
    among = {("ingress", kind, None) for kind in ("IPv4", "IPv6")}
    assert permitted(default) == {outward, ("ingress", "IPv4", "tcp"), *among}
    own = [r for r in default["security_group_rules"] if r["remote_group_id"]]
    assert {r["remote_group_id"] for r in own} == {default["id"]}
    assert net.admin.delete(KIND, rule["id"]).status == 204
    assert permitted(net.make("security_group", name="h")) == {outward}
    assert len(net.list(KIND)) == 3


def test_rules_that_cannot_be_are_refused(net: Net) -> None:
    admin = net.admin
    facts = {"direction": "ingress", "protocol": "tcp"}
    assert error_of(net.try_(KIND, **facts))[0] == 403
    assert error_of(admin.try_(KIND, **facts, port_range_min=9))[0] == 400
    assert error_of(admin.try_(KIND, **facts, remote_group_id=NOWHERE))[0] == 404
    assert error_of(admin.try_(KIND, **facts, remote_address_group_id=NOWHERE))[0] == 404
    both = {"remote_group_id": "PARENT", "remote_ip_prefix": "10.0.0.0/8"}
    assert error_of(admin.try_(KIND, **facts, **both))[0] == 400
    admin.make(KIND, **facts, used_in_default_sg=True)
    assert error_of(admin.try_(KIND, **facts))[0] == 409
    only = {"used_in_default_sg": True, "used_in_non_default_sg": False}
    assert error_of(admin.try_(KIND, **facts, **only))[0] == 409
    open_out = {"direction": "egress", "ethertype": "IPv6"}
    assert error_of(admin.try_(KIND, **open_out))[0] == 409  # the cloud's own says so already
    assert error_of(net.admin.delete(KIND, NOWHERE))[0] == 404
    assert error_of(net.delete(KIND, net.list(KIND)[0]["id"]))[0] == 403


def test_one_rule_for_each_kind_of_group_may_say_the_same(net: Net) -> None:
    facts = {"direction": "ingress", "protocol": "tcp"}
    for default in (True, False):
        used = {"used_in_default_sg": default, "used_in_non_default_sg": not default}
        net.admin.make(KIND, **facts, **used)
    inward = ("ingress", "IPv4", "tcp")
    assert inward in permitted(net.make("security_group", name="g"))
    (default_group,) = net.list("security_group", "?name=default")
    assert inward in permitted(default_group)
    (theirs,) = net.admin.list("security_group", f"?project_id={OTHER}&name=default")
    assert inward in permitted(theirs)

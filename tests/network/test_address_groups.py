"""Address groups: addresses that rules speak of by one name."""

from typing import Any

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import NOWHERE, OTHER, Net, error_of


def change(net: Net, group: Any, verb: str, *addresses: str) -> Any:
    path = f"/v2.0/address-groups/{group['id']}/{verb}_addresses"
    return net.http.put(path, {"addresses": list(addresses)})


def test_addresses_come_and_go(net: Net) -> None:
    group = net.make("address_group", name="a", addresses=["10.0.0.1/32", "fd00::/64"])
    assert (group["addresses"], group["shared"]) == (["10.0.0.1/32", "fd00::/64"], False)
    added = change(net, group, "add", "10.1.0.0/16", "10.0.0.1/32").json()["address_group"]
    assert added["addresses"] == ["10.0.0.1/32", "10.1.0.0/16", "fd00::/64"]
    gone = change(net, group, "remove", "10.0.0.1/32").json()["address_group"]
    assert gone["addresses"] == ["10.1.0.0/16", "fd00::/64"]
    assert error_of(change(net, group, "remove", "10.9.9.9")) == (404, "AddressesNotFound")
    assert change(net, group, "add", "this is bad").status == 400
    assert net.try_("address_group", addresses=["10.20.30.40"]).status == 400
    assert net.change("address_group", group["id"], name="b")["name"] == "b"
    assert net.delete("address_group", group["id"]).status == 204


def test_rules_speak_of_groups_whose_addresses_change(net: Net, driver: FakeDriver) -> None:
    group = net.make("address_group", addresses=["10.0.0.1/32"])
    web = net.make("security_group", name="web")
    facts = {"security_group_id": web["id"], "direction": "ingress", "protocol": "tcp"}
    rule = net.make("security_group_rule", **facts, remote_address_group_id=group["id"])
    assert rule["remote_address_group_id"] == group["id"]
    both = {"remote_address_group_id": group["id"], "remote_ip_prefix": "10.0.0.0/8"}
    refused = net.try_("security_group_rule", **facts, **both)
    assert error_of(refused) == (400, "SecurityGroupMultipleRemoteEntites")
    missing = net.try_("security_group_rule", **facts, remote_address_group_id=NOWHERE)
    assert error_of(missing) == (404, "AddressGroupNotFound")
    net.project()
    change(net, group, "add", "10.2.0.0/16")
    net.project()
    plans = {one.id: one for one in driver.security_groups[web["id"]].rules}
    assert plans[rule["id"]].remote_addresses == ["10.0.0.1/32", "10.2.0.0/16"]
    assert error_of(net.delete("address_group", group["id"])) == (409, "AddressGroupInUse")
    net.delete("security_group_rule", rule["id"])
    assert net.delete("address_group", group["id"]).status == 204


def test_groups_are_lent_while_they_are_used(net: Net) -> None:
    group = net.make("address_group", addresses=["10.0.0.1/32"])
    facts = {"object_type": "address_group", "object_id": group["id"], "target_tenant": OTHER}
    lent = net.make("rbac_policy", **facts, action="access_as_shared")
    assert net.stranger.show("address_group", group["id"])["shared"] is True
    assert error_of(net.stranger.try_change("address_group", group["id"], name="x")) == (
        404,
        "AddressGroupNotFound",
    )
    assert net.stranger.delete("address_group", group["id"]).status == 404
    web = net.stranger.make("security_group", name="web")
    wanted = {"security_group_id": web["id"], "direction": "ingress"}
    net.stranger.make("security_group_rule", **wanted, remote_address_group_id=group["id"])
    assert error_of(net.delete("rbac_policy", lent["id"])) == (409, "RbacPolicyInUse")

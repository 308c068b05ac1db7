"""Networks lent to projects by name."""

from typing import Any

from tests.network.conftest import OTHER, PROJECT, Net, error_of


def lend(network: Any, target: str = OTHER, action: str = "access_as_shared") -> dict[str, Any]:
    facts = {"object_type": "network", "object_id": network["id"]}
    return {**facts, "action": action, "target_tenant": target}


def test_a_network_is_lent_to_one_project_and_taken_back(net: Net) -> None:
    network, subnet = net.network()
    policy = net.make("rbac_policy", **lend(network))
    assert policy["target_tenant"] == OTHER
    assert policy["project_id"] == PROJECT
    seen = net.stranger.show("network", network["id"])
    assert (seen["shared"], net.show("network", network["id"])["shared"]) == (True, False)
    assert net.stranger.show("subnet", subnet["id"])["cidr"] == "10.0.0.0/24"
    port = net.stranger.make("port", network_id=network["id"])
    router = net.stranger.make("router")
    assert net.stranger.attach(router["id"], subnet_id=subnet["id"]).status == 200
    kept = net.delete("rbac_policy", policy["id"])
    assert error_of(kept) == (409, "InvalidSharedSetting")
    net.stranger.attach(router["id"], "remove", subnet_id=subnet["id"])
    net.stranger.delete("port", port["id"])
    assert net.delete("rbac_policy", policy["id"]).status == 204
    assert net.stranger.http.get(f"/v2.0/networks/{network['id']}").status == 404


def test_only_administrators_lend_to_everyone(net: Net) -> None:
    network = net.make("network")
    assert error_of(net.try_("rbac_policy", **lend(network, "*"))) == (403, "PolicyNotAuthorized")
    policy = net.admin.make("rbac_policy", **lend(network, "*"))
    assert net.stranger.show("network", network["id"])["shared"] is True
    again = net.admin.try_("rbac_policy", **lend(network, "*"))
    assert error_of(again) == (409, "DuplicateRbacPolicy")
    changed = net.admin.change("rbac_policy", policy["id"], target_tenant=OTHER)
    assert changed["target_tenant"] == OTHER
    own = net.make("rbac_policy", **lend(network, "d" * 32))
    to_all = net.try_change("rbac_policy", own["id"], target_tenant="*")
    assert error_of(to_all) == (403, "PolicyNotAuthorized")


def test_what_is_not_ones_own_is_not_lent(net: Net) -> None:
    shared = net.admin.make("network", shared=True)
    assert error_of(net.try_("rbac_policy", **lend(shared))) == (400, "InvalidInput")
    private = net.make("network")
    assert error_of(net.stranger.try_("rbac_policy", **lend(private))) == (404, "NetworkNotFound")
    policy = net.make("rbac_policy", **lend(private))
    assert net.stranger.list("rbac_policy") == []
    assert error_of(net.stranger.delete("rbac_policy", policy["id"])) == (404, "RbacPolicyNotFound")
    assert [p["id"] for p in net.list("rbac_policy", f"?object_id={private['id']}")] == [
        policy["id"]
    ]
    wrong = {**lend(private), "object_type": "teapot"}
    assert error_of(net.try_("rbac_policy", **wrong)) == (400, "HTTPBadRequest")


def test_a_way_out_is_lent_too(net: Net) -> None:
    network = net.admin.make("network")
    net.admin.make("rbac_policy", **lend(network, PROJECT, "access_as_external"))
    assert net.show("network", network["id"])["router:external"] is True
    assert net.stranger.http.get(f"/v2.0/networks/{network['id']}").status == 404
    net.admin.make("subnet", network_id=network["id"], cidr="203.0.113.0/24", ip_version=4)
    net.make("router", external_gateway_info={"network_id": network["id"]})
    (policy,) = net.admin.list("rbac_policy", f"?object_id={network['id']}")
    assert error_of(net.admin.delete("rbac_policy", policy["id"])) == (409, "RbacPolicyInUse")


def test_a_security_group_is_lent_and_not_taken_back_while_it_is_used(net: Net) -> None:
    group = net.make("security_group", name="web")
    missing = net.stranger.http.get(f"/v2.0/security-groups/{group['id']}")
    assert error_of(missing) == (404, "SecurityGroupNotFound")
    facts = {"object_type": "security_group", "object_id": group["id"], "target_tenant": OTHER}
    wrong = net.try_("rbac_policy", **facts, action="access_as_external")
    assert error_of(wrong) == (400, "InvalidInput")
    before = net.show("security_group", group["id"])["revision_number"]
    policy = net.make("rbac_policy", **facts, action="access_as_shared")
    assert net.show("security_group", group["id"])["revision_number"] > before
    assert net.stranger.show("security_group", group["id"])["shared"] is True
    (seen,) = net.stranger.list("security_group", "?shared=True")
    assert seen["id"] == group["id"]
    assert net.stranger.delete("security_group", group["id"]).status == 403
    network, _ = net.stranger.network()
    port = net.stranger.make("port", network_id=network["id"], security_groups=[group["id"]])
    assert error_of(net.delete("rbac_policy", policy["id"])) == (409, "RbacPolicyInUse")
    net.stranger.delete("port", port["id"])
    assert net.delete("rbac_policy", policy["id"]).status == 204
    assert net.stranger.http.get(f"/v2.0/security-groups/{group['id']}").status == 404


def test_what_is_shared_with_all_is_counted_but_not_refused(net: Net) -> None:
    made = [net.admin.make("network", shared=True) for _ in range(11)]
    facts = {**lend(made[0]), "object_id": net.admin.make("network")["id"]}
    assert error_of(net.admin.try_("rbac_policy", **facts)) == (409, "OverQuota")
    net.admin.delete("network", made[0]["id"])
    net.admin.delete("network", made[1]["id"])
    assert net.admin.try_("rbac_policy", **facts).status == 201


def test_lending_as_external_makes_a_network_external_and_ends_it(net: Net) -> None:
    network = net.admin.make("network")
    facts = {"object_type": "network", "object_id": network["id"], "target_tenant": "*"}
    policy = net.admin.make("rbac_policy", action="access_as_external", **facts)
    assert net.admin.show("network", network["id"])["router:external"] is True
    user = net.stranger.make("router", external_gateway_info={"network_id": network["id"]})
    assert error_of(net.admin.delete("rbac_policy", policy["id"])) == (409, "RbacPolicyInUse")
    net.admin.change("rbac_policy", policy["id"], target_tenant=OTHER)
    assert net.stranger.delete("router", user["id"]).status == 204
    assert net.admin.delete("rbac_policy", policy["id"]).status == 204
    assert net.admin.show("network", network["id"])["router:external"] is False


def test_the_default_way_out_stays_open_to_all(net: Net) -> None:
    outside, _ = net.outside()
    net.admin.change("network", outside["id"], is_default=True)
    (policy,) = net.admin.list("rbac_policy", f"?object_id={outside['id']}")
    assert error_of(net.admin.delete("rbac_policy", policy["id"])) == (409, "RbacPolicyInUse")
    net.admin.change("network", outside["id"], is_default=False)
    assert net.admin.delete("rbac_policy", policy["id"]).status == 204


def test_a_pool_is_lent_to_who_may_use_its_scope(net: Net) -> None:
    scope = net.make("address_scope", name="s", ip_version=4)
    pool = {"prefixes": ["10.0.0.0/8"], "address_scope_id": scope["id"]}
    made = net.make("subnetpool", name="p", **pool)
    facts = {"target_tenant": OTHER, "action": "access_as_shared"}
    lent = net.try_("rbac_policy", object_type="subnetpool", object_id=made["id"], **facts)
    assert error_of(lent) == (400, "RbacPolicyInitError")
    net.make("rbac_policy", object_type="address_scope", object_id=scope["id"], **facts)
    net.make("rbac_policy", object_type="subnetpool", object_id=made["id"], **facts)

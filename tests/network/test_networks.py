"""Networks: who sees and changes them, and what they hold."""

from typing import Any

import pytest

from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.settings import NetworkSettings
from tests.network.conftest import ADMIN, OTHER, PROJECT, Net, error_of


def test_a_member_makes_a_network_and_sees_no_wires(net: Net) -> None:
    network = net.make("network", name="private", description="mine")
    assert network["status"] == "ACTIVE"
    assert network["project_id"] == network["tenant_id"] == PROJECT
    assert (network["shared"], network["router:external"], network["mtu"]) == (False, False, 1442)
    assert network["revision_number"] == 1
    assert network["subnets"] == network["availability_zones"] == []
    assert network["created_at"].endswith("Z")
    assert not [name for name in network if name.startswith("provider:")]
    seen = net.admin.show("network", network["id"])
    assert seen["provider:network_type"] == "geneve"
    assert 1 <= seen["provider:segmentation_id"] <= 65536
    assert seen["provider:physical_network"] is None


def test_networks_of_others_do_not_exist(net: Net) -> None:
    network = net.make("network", name="private")
    missing = {
        "type": "NetworkNotFound",
        "message": f"Network {network['id']} could not be found.",
        "detail": "",
    }
    path = f"/v2.0/networks/{network['id']}"
    assert net.stranger.list("network") == []
    for answer in (
        net.stranger.http.get(path),
        net.stranger.try_change("network", network["id"], name="x"),
        net.stranger.delete("network", network["id"]),
    ):
        assert (answer.status, answer.json()) == (404, {"NeutronError": missing})
    assert [n["id"] for n in net.admin.list("network")] == [network["id"]]


def test_shared_and_external_networks_are_seen_by_all_but_changed_by_none(net: Net) -> None:
    shared = net.admin.make("network", name="shared", shared=True)
    outside = net.admin.make("network", name="out", router__external=True)
    for network in (shared, outside):
        assert net.show("network", network["id"])["name"] == network["name"]
        assert error_of(net.try_change("network", network["id"], name="x"))[0] == 403
        assert error_of(net.delete("network", network["id"]))[0] == 403
    assert {n["name"] for n in net.list("network")} == {"shared", "out"}
    assert [n["name"] for n in net.list("network", "?shared=True")] == ["shared"]
    assert [n["name"] for n in net.list("network", "?router:external=true")] == ["out"]

    net.admin.change("network", shared["id"], shared=False)
    assert [n["name"] for n in net.list("network")] == ["out"]


def test_only_administrators_choose_wires_and_sharing(net: Net) -> None:
    for facts in (
        {"shared": True},
        {"router:external": True},
        {"provider:network_type": "vlan"},
        {"provider:physical_network": "tenant"},
        {"provider:segmentation_id": 7},
    ):
        assert error_of(net.try_("network", **facts)) == (403, "PolicyNotAuthorized")
    assert net.make("network", shared=False, router__external="false")["shared"] is False
    own = net.make("network")
    assert error_of(net.try_change("network", own["id"], shared=True))[0] == 403


def test_a_segment_belongs_to_one_network(net: Net) -> None:
    admin = net.admin
    facts = {"provider:physical_network": "physnet1", "provider:network_type": "flat"}
    admin.make("network", **facts)
    assert error_of(admin.try_("network", **facts)) == (409, "FlatNetworkInUse")
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "tenant"}
    admin.make("network", **vlan, **{"provider:segmentation_id": 1500})
    again = admin.try_("network", **vlan, **{"provider:segmentation_id": "1500"})
    assert error_of(again) == (409, "VlanIdInUse")
    picked = admin.make("network", **{"provider:network_type": "vlan"})
    assert picked["provider:physical_network"] == "tenant"
    assert 1000 <= picked["provider:segmentation_id"] <= 2000
    tunnel = {"provider:network_type": "vxlan", "provider:segmentation_id": 77}
    made = admin.make("network", **tunnel)
    assert made["mtu"] == 1450
    assert error_of(admin.try_("network", **tunnel)) == (409, "TunnelIdInUse")
    assert admin.delete("network", made["id"]).status == 204
    admin.make("network", **tunnel)


def test_segments_that_cannot_be_are_refused_by_name(net: Net) -> None:
    for facts, said in (
        ({"network_type": "token_ring"}, "network_type value 'token_ring' not supported"),
        ({"network_type": "flat"}, "physical_network required"),
        ({"network_type": "vlan", "physical_network": "x"}, "physical_network 'x' unknown"),
        ({"network_type": "vlan", "segmentation_id": 5}, "requires physical_network"),
        ({"network_type": "geneve", "segmentation_id": 1 << 24}, "out of range"),
        ({"segmentation_id": 5}, "network_type required"),
    ):
        answer = net.admin.try_("network", **{f"provider:{k}": v for k, v in facts.items()})
        assert error_of(answer) == (400, "InvalidInput")
        assert said in answer.json()["NeutronError"]["message"]


@pytest.mark.parametrize("settings", [NetworkSettings(network_vlan_ranges=("tenant:7:8",))])
def test_when_segments_run_out_the_next_network_waits(net: Net) -> None:
    vlan = {"provider:network_type": "vlan"}
    body = {"networks": [dict(vlan), dict(vlan)]}
    made = net.admin.http.post("/v2.0/networks", body).json()["networks"]
    assert {network["provider:segmentation_id"] for network in made} == {7, 8}
    assert error_of(net.admin.try_("network", **vlan)) == (503, "NoNetworkAvailable")
    assert net.admin.delete("network", made[0]["id"]).status == 204
    assert net.admin.http.post("/v2.0/networks", {"network": vlan}).status == 201


def test_an_unknown_attribute_is_refused_by_name(net: Net) -> None:
    answer = net.try_("network", name="x", colour="red")
    assert answer.json()["NeutronError"] == {
        "type": "HTTPBadRequest",
        "message": "Unrecognized attribute(s) 'colour'",
        "detail": "",
    }
    assert answer.status == 400
    assert error_of(net.http.post("/v2.0/networks", {"net": {}})) == (400, "HTTPBadRequest")
    assert error_of(net.try_("network", name="x" * 256)) == (400, "HTTPBadRequest")
    assert error_of(net.try_("network", name=7)) == (400, "HTTPBadRequest")
    assert error_of(net.try_("network", mtu=9000)) == (400, "InvalidInput")
    assert net.list("network") == []


def test_many_are_made_together_or_not_at_all(net: Net) -> None:
    both = net.http.post("/v2.0/networks", {"networks": [{"name": "a"}, {"name": "b"}]})
    assert both.status == 201
    assert [n["name"] for n in both.json()["networks"]] == ["a", "b"]
    one_bad = [{"name": "c"}, {"name": "d", "shared": True}]
    assert net.http.post("/v2.0/networks", {"networks": one_bad}).status == 403
    assert {n["name"] for n in net.list("network")} == {"a", "b"}
    assert error_of(net.http.post("/v2.0/networks", {"networks": []}))[0] == 400


def test_a_change_counts_and_may_be_bound_to_a_revision(net: Net) -> None:
    network = net.make("network", name="a")
    changed = net.change("network", network["id"], name="b", admin_state_up="False", mtu=1400)
    assert (changed["name"], changed["admin_state_up"], changed["mtu"]) == ("b", False, 1400)
    assert changed["revision_number"] == 2
    path, body = f"/v2.0/networks/{network['id']}", {"network": {"name": "c"}}
    late = net.http.put(path, body, headers={"If-Match": "revision_number=1"})
    assert error_of(late) == (412, "RevisionNumberConstraintFailed")
    assert net.http.delete(path, headers={"If-Match": "revision_number=1"}).status == 412
    in_time = net.http.put(path, body, headers={"If-Match": "revision_number=2"})
    assert in_time.json()["network"]["revision_number"] == 3
    assert error_of(net.http.put(path, body, headers={"If-Match": "3"}))[0] == 400


def test_an_administrator_makes_networks_for_others(net: Net) -> None:
    network = net.admin.make("network", tenant_id=OTHER)
    assert [n["id"] for n in net.stranger.list("network")] == [network["id"]]
    assert error_of(net.try_("network", project_id=OTHER)) == (400, "HTTPBadRequest")
    both = net.admin.try_("network", project_id=OTHER, tenant_id=PROJECT)
    assert error_of(both) == (400, "HTTPBadRequest")


def test_lists_are_filtered_sorted_cut_and_paged(net: Net) -> None:
    for name in ("b", "a", "d", "c"):
        net.make("network", name=name, admin_state_up=name != "d")
    names = [n["name"] for n in net.list("network", "?sort_key=name&sort_dir=desc")]
    assert names == ["d", "c", "b", "a"]
    assert {n["name"] for n in net.list("network", "?name=a&name=b")} == {"a", "b"}
    assert [n["name"] for n in net.list("network", "?admin_state_up=False")] == ["d"]
    assert net.list("network", "?name=a&fields=name") == [{"name": "a"}]
    query = "?sort_key=name&sort_dir=asc&limit=2"
    first = net.http.get(f"/v2.0/networks{query}").json()
    assert [n["name"] for n in first["networks"]] == ["a", "b"]
    links = {link["rel"]: link["href"] for link in first["networks_links"]}
    second = net.http.get(links["next"].removeprefix("http://cloud")).json()
    assert [n["name"] for n in second["networks"]] == ["c", "d"]
    back = {link["rel"]: link["href"] for link in second["networks_links"]}["previous"]
    again = net.http.get(back.removeprefix("http://cloud")).json()
    assert [n["name"] for n in again["networks"]] == ["a", "b"]
    for bad in ("?colour=red", "?sort_key=colour&sort_dir=asc", "?sort_key=name", "?limit=-1"):
        assert error_of(net.http.get(f"/v2.0/networks{bad}")) == (400, "HTTPBadRequest")
    assert error_of(net.http.get("/v2.0/networks?limit=1&marker=nowhere"))[0] == 404


def test_lists_are_filtered_by_what_other_rows_tell(net: Net) -> None:
    network, subnet = net.network()
    pool = net.make("subnetpool", name="p", prefixes=["10.9.0.0/16"], default_prefixlen=24)
    other = net.make("network")["id"]
    wish = {"network_id": other, "ip_version": 4, "subnetpool_id": pool["id"]}
    pooled = net.make("subnet", **wish)
    _, outside = net.outside()
    group = net.make("security_group", name="g")
    trunk = net.make("trunk", port_id=net.make("port", network_id=network["id"])["id"])
    router = net.make("router")
    rules = "?belongs_to_default_sg=False"
    expected = {
        ("subnet", f"?subnetpool_id={pool['id']}"): [pooled],
        ("subnet", "?router:external=True"): [outside],
        ("subnet", "?router:external=False&cidr=10.0.0.0/24"): [subnet],
        ("trunk", "?status=DOWN"): [trunk],
        ("trunk", "?status=ACTIVE"): [],
        ("router", "?enable_snat=True"): [router],
        ("router", "?enable_snat=False"): [],
    }
    for (noun, query), found in expected.items():
        assert [one["id"] for one in net.list(noun, query)] == [one["id"] for one in found], query
    assert {r["security_group_id"] for r in net.list("security_group_rule", rules)} == {group["id"]}


def test_a_network_in_use_is_not_deleted(net: Net) -> None:
    network, subnet = net.network()
    port = net.make("port", network_id=network["id"])
    assert error_of(net.delete("network", network["id"])) == (409, "NetworkInUse")
    assert net.delete("port", port["id"]).status == 204
    assert net.delete("network", network["id"]).status == 204
    assert net.delete("network", network["id"]).status == 404
    assert net.http.get(f"/v2.0/subnets/{subnet['id']}").status == 404
    assert net.admin.list("port") == []


def test_a_network_that_others_use_stays_shared(net: Net) -> None:
    network = net.admin.make("network", shared=True)
    net.admin.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = net.make("port", network_id=network["id"])
    refused = net.admin.try_change("network", network["id"], shared=False)
    assert error_of(refused) == (409, "InvalidSharedSetting")
    net.delete("port", port["id"])
    net.admin.change("network", network["id"], shared=False)


def test_without_a_token_there_is_nothing(net: Net) -> None:
    answer = net.as_(None).http.get("/v2.0/networks")
    assert (answer.status, answer.json()["NeutronError"]["type"]) == (401, "HTTPUnauthorized")
    assert net.as_(None).http.get("/").json()["versions"][0]["id"] == "v2.0"
    assert net.as_(ADMIN).http.get("/v2.0/nothing").status == 404


def test_links_lead_past_the_last_page_and_back(net: Net) -> None:
    names = [net.make("network", name=f"n{number}")["name"] for number in range(3)]
    url, found = "/v2.0/networks?limit=1&sort_key=name&sort_dir=asc", []
    for _ in range(3):
        answer = net.http.get(url).json()
        found += [one["name"] for one in answer["networks"]]
        links = {one["rel"]: one["href"] for one in answer["networks_links"]}
        url = links["next"].removeprefix("http://cloud")
    beyond = net.http.get(url).json()
    assert beyond["networks"] == []
    (link,) = beyond["networks_links"]
    assert link["rel"] == "previous"
    last = net.http.get(link["href"].removeprefix("http://cloud")).json()
    assert (found, [one["name"] for one in last["networks"]]) == (names, ["n2"])


def test_a_network_may_have_several_segments(net: Net, driver: FakeDriver) -> None:
    segments = [
        {"provider:network_type": "vlan", "provider:physical_network": "tenant"},
        {"provider:network_type": "flat", "provider:physical_network": "other"},
    ]
    made = net.admin.make("network", segments=segments)
    assert "provider:network_type" not in made
    first, second = made["segments"]
    assert 1000 <= first["provider:segmentation_id"] <= 2000
    assert second["provider:physical_network"] == "other"
    assert "segments" not in net.admin.make("network")
    net.project()
    plan = driver.networks[made["id"]]
    assert (plan.physical_network, plan.segmentation_id) == (
        "tenant",
        first["provider:segmentation_id"],
    )
    assert [one.physical_network for one in plan.more_segments] == ["other"]
    both = net.admin.try_("network", segments=segments[:1], provider__network_type="geneve")
    assert error_of(both) == (400, "SegmentsSetInConjunctionWithProviders")
    taken = net.admin.try_("network", segments=segments)
    assert error_of(taken) == (409, "FlatNetworkInUse")
    for wrong in ([], [segments[0], segments[0]], [{"provider:network_type": "pigeon"}]):
        assert error_of(net.admin.try_("network", segments=wrong))[0] == 400
    assert error_of(net.try_("network", segments=segments))[0] == 403
    assert net.admin.delete("network", made["id"]).status == 204
    net.admin.make("network", segments=segments)


def test_guests_tags_pass_where_the_network_lets_them(net: Net, driver: FakeDriver) -> None:
    made = net.make("network", vlan_transparent=True)
    plain = net.make("network")
    assert (made["vlan_transparent"], plain["vlan_transparent"]) == (True, None)
    assert [one["id"] for one in net.list("network", "?vlan_transparent=true")] == [made["id"]]
    net.project()
    assert driver.networks[made["id"]].vlan_transparent
    assert not driver.networks[plain["id"]].vlan_transparent


def test_the_many_of_one_request_may_be_inside_of_their_names(net: Net) -> None:
    bare, named = {"name": "a", "admin_state_up": "false"}, {"network": {"name": "b"}}
    made = net.http.post("/v2.0/networks", {"networks": [bare, named]}).json()["networks"]
    assert [(one["name"], one["admin_state_up"]) for one in made] == [("a", False), ("b", True)]
    named_wrong = [{"network": {}, "name": "x"}]
    several: tuple[Any, ...] = ([{"port": {}}], named_wrong, [[]], {"network": {}}, ["x"])
    for wrong in several:
        answer = net.http.post("/v2.0/networks", {"networks": wrong})
        assert error_of(answer)[0] == 400, wrong

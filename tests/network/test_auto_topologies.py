"""A project that asks for a network with a way out gets one, once."""

from typing import Any

from tests.network.conftest import OTHER, PROJECT, Net, error_of

URL = "/v2.0/auto-allocated-topology"


def ask(net: Net, whose: str = "null", query: str = "") -> Any:
    answer = net.http.get(f"{URL}/{whose}{query}")
    assert answer.status == 200, answer.text
    return answer.json()["auto_allocated_topology"]


def prepare(net: Net) -> Any:
    outside, _ = net.outside()
    net.admin.change("network", outside["id"], is_default=True)
    facts = {"is_default": True, "shared": True}
    pool = {"prefixes": ["10.128.0.0/16"], "default_prefixlen": 26, **facts}
    net.admin.make("subnetpool", name="four", **pool)
    pool = {"prefixes": ["fd00:128::/48"], "default_prefixlen": 64, **facts}
    net.admin.make("subnetpool", name="six", **pool)
    return outside


def test_it_is_made_once_and_goes_as_a_whole(net: Net) -> None:
    outside = prepare(net)
    assert ask(net, query="?fields=dry-run")["id"] == "dry-run=pass"
    assert net.list("router") == []
    made = ask(net)
    assert made == {"id": made["id"], "tenant_id": PROJECT, "project_id": PROJECT}
    assert ask(net, PROJECT) == made
    network = net.show("network", made["id"])
    assert (network["name"], len(network["subnets"])) == ("auto_allocated_network", 2)
    (router,) = net.list("router")
    assert router["external_gateway_info"]["network_id"] == outside["id"]
    legs = net.admin.list("port", f"?device_id={router['id']}&network_id={network['id']}")
    assert len(legs) == 2
    assert ask(net.stranger)["id"] != made["id"]

    port = net.make("port", network_id=network["id"])
    assert net.http.delete(f"{URL}/null").status == 409
    assert net.list("router") == [router]
    net.delete("port", port["id"])
    assert net.http.delete(f"{URL}/null").status == 204
    assert (net.list("router"), net.list("subnet", f"?network_id={network['id']}")) == ([], [])
    assert error_of(net.http.delete(f"{URL}/null"))[0] == 404
    assert ask(net)["id"] != made["id"]


def test_taken_apart_by_hand_it_is_made_anew(net: Net) -> None:
    prepare(net)
    made = ask(net)
    (router,) = net.list("router")
    for subnet in net.list("subnet", f"?network_id={made['id']}"):
        net.attach(router["id"], "remove", subnet_id=subnet["id"])
    assert net.delete("router", router["id"]).status == 204
    assert ask(net)["id"] != made["id"]


def test_what_is_missing_is_said(net: Net) -> None:
    answer = net.http.get(f"{URL}/null")
    assert error_of(answer) == (409, "AutoAllocationFailure")
    assert "external" in answer.text
    outside, _ = net.outside()
    net.admin.change("network", outside["id"], is_default=True)
    assert "subnetpools" in net.http.get(f"{URL}/null?fields=dry-run").text
    second = net.admin.try_("network", router__external=True, is_default=True)
    assert error_of(second) == (409, "DefaultExternalNetworkExists")
    assert error_of(net.try_("network", is_default=True))[0] == 403


def test_others_do_not_ask_for_a_project(net: Net) -> None:
    prepare(net)
    assert error_of(net.http.get(f"{URL}/{OTHER}"))[0] == 403
    assert error_of(net.http.delete(f"{URL}/{OTHER}"))[0] == 403
    assert ask(net.admin, OTHER)["project_id"] == OTHER

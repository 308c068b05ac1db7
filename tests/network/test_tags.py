"""Tags on everything, and lists by them."""

from typing import Any

import pytest

from tests.network.conftest import Net, error_of


def test_tags_come_and_go(net: Net) -> None:
    network = net.make("network")
    path = f"/v2.0/networks/{network['id']}/tags"
    assert net.http.get(path).json() == {"tags": []}
    assert net.http.put(path, {"tags": ["red", "blue"]}).json() == {"tags": ["blue", "red"]}
    assert net.http.put(f"{path}/green").status == 201
    assert net.http.put(f"{path}/green").status == 201
    assert net.http.get(f"{path}/green").status == 204
    assert error_of(net.http.get(f"{path}/black")) == (404, "TagNotFound")
    assert net.show("network", network["id"])["tags"] == ["blue", "green", "red"]
    assert net.http.delete(f"{path}/green").status == 204
    assert error_of(net.http.delete(f"{path}/green")) == (404, "TagNotFound")
    added = net.http.post(path, {"tags": ["red", "grey"]})
    assert added.json() == {"tags": ["blue", "grey", "red"]}
    assert net.http.delete(path).status == 204
    assert net.show("network", network["id"])["tags"] == []
    assert net.show("network", network["id"])["revision_number"] > network["revision_number"]


@pytest.mark.parametrize("noun", ["network", "subnet", "port", "router", "security_group"])
def test_everything_carries_tags_for_its_owner_only(net: Net, noun: str) -> None:
    network, subnet = net.network()
    made = {
        "network": network,
        "subnet": subnet,
        "port": net.make("port", network_id=network["id"]),
        "router": net.make("router"),
        "security_group": net.make("security_group"),
    }[noun]
    collection = noun.replace("_", "-") + "s"
    path = f"/v2.0/{collection}/{made['id']}/tags"
    assert net.http.put(f"{path}/mine").status == 201
    assert [one["id"] for one in net.list(noun, "?tags=mine")] == [made["id"]]
    for answer in (
        net.stranger.http.get(path),
        net.stranger.http.put(f"{path}/theirs"),
        net.stranger.http.delete(path),
    ):
        assert error_of(answer) == (404, "TagResourceNotFound")
    assert net.delete(noun, made["id"]).status in (204, 409)


def test_lists_combine_tags(net: Net) -> None:
    for name, words in (("a", ["x"]), ("b", ["x", "y"]), ("c", [])):
        network = net.make("network", name=name)
        net.http.put(f"/v2.0/networks/{network['id']}/tags", {"tags": words})
    found = {
        query: "".join(sorted(n["name"] for n in net.list("network", f"?{query}")))
        for query in ("tags=x", "tags=x,y", "tags-any=x,y", "not-tags=x,y", "not-tags-any=x,y")
    }
    assert found == {
        "tags=x": "ab",
        "tags=x,y": "b",
        "tags-any=x,y": "ab",
        "not-tags=x,y": "ac",
        "not-tags-any=x,y": "c",
    }


def test_tags_that_cannot_be_are_refused(net: Net) -> None:
    network = net.make("network")
    path = f"/v2.0/networks/{network['id']}/tags"
    bodies: list[dict[str, Any]] = [
        {"tags": ["x", "x"]},
        {"tags": ["x" * 256]},
        {"tags": [""]},
        {"tags": [7]},
        {"tags": [f"t{i}" for i in range(51)]},
        {"words": []},
    ]
    for body in bodies:
        assert net.http.put(path, body).status == 400, body
    shared = net.admin.make("network", shared=True)
    assert error_of(net.http.put(f"/v2.0/networks/{shared['id']}/tags/x"))[0] == 403

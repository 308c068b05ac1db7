"""What Cinder has and this cloud does not: replicas, clusters, moves that others carry out."""

from typing import Any

import pytest

from tests.client import Client
from tests.volume.conftest import Made

HOST = "node1@fake"


def test_back_ends_have_no_replicas(root: Client, ann: Client) -> None:
    for path in ("failover_host", "failover"):
        where = f"/v3/os-services/{path}"
        answer = root.put(where, {"host": HOST, "backend_id": "far"})
        assert (answer.status, "no replicas" in answer.text) == (400, True)
        assert root.put(where, {"host": "nobody@fake"}).status == 404
        assert root.put(where, {}).status == 400
        assert ann.put(where, {"host": HOST}).status == 403
    assert root.put("/v3/os-services/failover", {"cluster": "c"}).status == 404
    assert root.at("volume 3.25").put("/v3/os-services/failover", {"host": HOST}).status == 404


def test_there_are_no_clusters(root: Client, ann: Client) -> None:
    assert root.get("/v3/clusters").json() == {"clusters": []}
    assert root.get("/v3/clusters/detail").json() == {"clusters": []}
    assert root.get("/v3/clusters/one").status == 404
    assert (
        root.put("/v3/clusters/disable", {"name": "one", "binary": "cinder-volume"}).status == 404
    )
    assert root.put("/v3/clusters/enable", {"name": "one"}).status == 404
    assert ann.get("/v3/clusters").status == 403
    assert root.at("volume 3.6").get("/v3/clusters").status == 404


def test_no_work_is_left_to_clean_up(root: Client, ann: Client) -> None:
    wanted = {"host": HOST, "binary": "cinder-volume", "disabled": True}
    told = root.post("/v3/workers/cleanup", wanted)
    assert (told.status, told.json()) == (202, {"cleaning": [], "unavailable": []})
    assert ann.post("/v3/workers/cleanup", wanted).status == 403


@pytest.mark.parametrize("action", ["os-migrate_volume_completion", "os-extend_volume_completion"])
def test_others_neither_move_nor_extend_volumes(
    root: Client, ann: Client, made: Made, action: str
) -> None:
    volume_id, other = made.volume(), made.volume()
    told: dict[str, Any] = {"error": False}
    if action == "os-migrate_volume_completion":
        told["new_volume"] = other
    path = f"/v3/volumes/{volume_id}/action"
    assert ann.post(path, {action: told}).status == 403
    assert root.post(path, {action: told}).status == 400
    assert root.post(f"/v3/volumes/{made.snapshot(other)}/action", {action: told}).status == 404

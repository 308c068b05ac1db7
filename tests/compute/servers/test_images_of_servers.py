"""Servers copied to images, made anew from them, shelved in them, rescued by them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.compute.workflows.offload_server import OFFLOAD_SERVER
from cumulo.services.compute.workflows.rebuild_server import REBUILD_SERVER
from cumulo.services.compute.workflows.rescue_server import RESCUE_SERVER, UNRESCUE_SERVER
from cumulo.services.compute.workflows.shelve_server import SHELVE_SERVER
from cumulo.services.compute.workflows.snapshot_server import SNAPSHOT_SERVER
from cumulo.services.compute.workflows.unshelve_server import UNSHELVE_SERVER
from cumulo.settings import Settings
from cumulo.work import testing
from tests.cloud import Emulated
from tests.compute.servers.mover import Mover


@pytest.fixture
def emulated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulated]:
    """A cloud; where a test asks for it, shelved servers stay on their hosts there."""
    stays = getattr(request, "param", False)
    settings = Settings(compute=ComputeSettings(shelved_offload_time=-1 if stays else 0))
    cloud = Emulated(tmp_path, settings=settings)
    yield cloud
    cloud.close()


def images_of(one: Mover) -> list[dict[str, Any]]:
    """Return the images that were made of the server, newest first."""
    found = one.cloud.client("image", "root:p0:admin").get("/v2/images?sort_key=created_at")
    return [image for image in found.json()["images"] if image.get("instance_uuid") == one.id]


def test_a_server_is_copied(one: Mover) -> None:
    body = {"createImage": {"name": "copy", "metadata": {"role": "web"}}}
    answer = one.ann.post(f"/v2.1/servers/{one.id}/action", body)
    assert answer.status == 202
    assert one.shown["OS-EXT-STS:task_state"] == "image_snapshot_pending"
    one.cloud.work()
    [image] = images_of(one)
    assert answer.headers["location"].endswith(image["id"])
    assert (image["name"], image["status"], image["role"]) == ("copy", "active", "web")
    assert (image["image_type"], image["visibility"]) == ("snapshot", "private")
    assert (image["owner"], image["min_disk"]) == ("p1", 1)
    assert one.status == "ACTIVE"
    assert one.node.snapshots(one.id) == []


def test_the_copy_is_told_in_the_body_since_2_45(one: Mover) -> None:
    body = {"createImage": {"name": "copy"}}
    new = one.ann.at("compute 2.45")
    told = new.post(f"/v2.1/servers/{one.id}/action", body).json()
    assert set(told) == {"image_id"}


def test_copying_may_repeat_and_unwinds(one: Mover) -> None:
    one.do("createImage", {"name": "copy"}, work=False)
    testing.steps_may_repeat(SNAPSHOT_SERVER, None, one.cloud.db, one.tools)
    assert [image["status"] for image in images_of(one)] == ["active"]
    one.do("createImage", {"name": "second"}, work=False)
    testing.unwinds_from("copy", SNAPSHOT_SERVER, None, one.cloud.db, one.tools, before=True)
    assert [image["name"] for image in images_of(one)] == ["copy"]
    assert (one.status, one.node.snapshots(one.id)) == ("ACTIVE", [])


def test_backups_rotate(one: Mover) -> None:
    for number in range(3):
        body = {"name": f"b{number}", "backup_type": "daily", "rotation": 2}
        assert one.do("createBackup", body) == 202
    assert sorted(image["name"] for image in images_of(one)) == ["b1", "b2"]
    assert one.do("createBackup", {"name": "b", "backup_type": "daily"}) == 400


def test_rebuild(one: Mover) -> None:
    one.do("os-stop")
    assert one.node.guests()[one.id].power == "stopped"
    body = {
        "rebuild": {"imageRef": one.shown["image"]["id"], "name": "new", "metadata": {"a": "b"}}
    }
    answer = one.ann.post(f"/v2.1/servers/{one.id}/action", body)
    assert answer.status == 202
    server = answer.json()["server"]
    assert (server["status"], server["name"], server["metadata"]) == ("REBUILD", "new", {"a": "b"})
    assert server["adminPass"]
    one.cloud.work()
    assert (one.status, one.shown["name"]) == ("SHUTOFF", "new")
    assert one.guests() == {"node1": "stopped"}


def test_rebuilds_hold_nothing_twice_and_pass_no_filter(one: Mover) -> None:
    """OSSA-2017-005, 2017-006: a rebuild skipped the filters, or took what it had once more."""
    held, root = one.held(), one.cloud.client("compute", "root:p1:admin")
    quota = root.get("/v2.1/limits").json()["limits"]["absolute"]
    image = one.shown["image"]["id"]
    for _ in range(3):
        assert one.do("rebuild", {"imageRef": image}) == 202
    assert (one.status, one.held()) == ("ACTIVE", held)
    after = root.get("/v2.1/limits").json()["limits"]["absolute"]
    assert after == quota
    images = one.cloud.client("image")
    other = images.post(
        "/v2/images",
        {"name": "arm", "disk_format": "raw", "container_format": "bare", "hw_architecture": "arm"},
    ).json()["id"]
    kind = {"content-type": "application/octet-stream"}
    images.put(f"/v2/images/{other}/file", body=b"disk", headers=kind)
    assert one.do("rebuild", {"imageRef": other}) == 400
    assert (one.status, one.shown["image"]["id"], one.held()) == ("ACTIVE", image, held)


@pytest.mark.parametrize(
    "wrong",
    [
        {"imageRef": "11111111-2222-4333-8444-555555555555"},
        {"imageRef": "x"},
        {"name": ""},
        {"metadata": {"k": 1}},
        {"accessIPv4": "x"},
        {"colour": 1},
    ],
)
def test_bad_rebuilds_are_refused(one: Mover, wrong: dict[str, Any]) -> None:
    image = one.shown["image"]["id"]
    assert one.do("rebuild", {"imageRef": image, **wrong}) == 400
    assert one.status == "ACTIVE"


def test_rebuilding_may_repeat_and_ends_in_error(one: Mover) -> None:
    image = one.shown["image"]["id"]
    one.do("rebuild", {"imageRef": image}, work=False)
    testing.steps_may_repeat(REBUILD_SERVER, None, one.cloud.db, one.tools)
    assert (one.status, one.guests()) == ("ACTIVE", {"node1": "running"})
    one.do("rebuild", {"imageRef": image}, work=False)
    testing.unwinds_from("clear", REBUILD_SERVER, None, one.cloud.db, one.tools)
    assert one.status == "ERROR"
    assert one.do("rebuild", {"imageRef": image}) == 202
    assert (one.status, one.guests()) == ("ACTIVE", {"node1": "running"})


def test_shelve_and_unshelve(one: Mover) -> None:
    assert one.do("shelve") == 202
    assert one.shown["status"] == "SHELVED_OFFLOADED"
    assert (one.guests(), one.held()) == ({}, 0)
    assert [image["name"] for image in images_of(one)] == ["web-shelved"]
    assert one.counted() == (1, 512)
    assert one.do("shelve") == 409
    assert one.do("unshelve") == 202
    assert (one.status, one.guests()) == ("ACTIVE", {"node1": "running"})
    assert (one.held(), images_of(one)) == (512, [])
    assert one.shown["addresses"]["private"][0]["addr"]


@pytest.mark.parametrize("emulated", [True], indirect=True)
def test_a_shelved_server_leaves_its_host_when_it_is_told_to(one: Mover) -> None:
    one.do("shelve")
    assert (one.status, one.guests()) == ("SHELVED", {"node1": "stopped"})
    assert one.do("shelveOffload") == 403
    assert one.do("unshelve", {"availability_zone": "nova"}, by=one.ann.at("compute 2.77")) == 409
    assert one.do("unshelve") == 202
    assert (one.status, one.guests(), images_of(one)) == ("ACTIVE", {"node1": "running"}, [])
    one.do("shelve")
    assert one.do("shelveOffload", by=one.root) == 202
    assert (one.shown["status"], one.guests()) == ("SHELVED_OFFLOADED", {})


def test_a_shelved_server_is_deleted_with_its_image(one: Mover) -> None:
    one.do("shelve")
    assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204
    one.cloud.work()
    assert (images_of(one), one.counted()) == ([], (0, 0))


def test_unshelve_to_a_zone_or_host(one: Mover) -> None:
    one.do("shelve")
    new = one.root.at("compute 2.91")
    assert one.do("unshelve", {"availability_zone": "mars"}, by=new) == 400
    assert one.do("unshelve", {"host": "node1"}, by=one.ann.at("compute 2.91")) == 403
    assert one.do("unshelve", {"availability_zone": "nova", "host": "node1"}, by=new) == 202
    assert one.status == "ACTIVE"


def test_shelving_may_repeat(one: Mover) -> None:
    one.do("shelve", work=False)
    testing.steps_may_repeat(SHELVE_SERVER, None, one.cloud.db, one.tools)
    testing.steps_may_repeat(OFFLOAD_SERVER, None, one.cloud.db, one.tools)
    assert (one.shown["status"], one.held()) == ("SHELVED_OFFLOADED", 0)
    one.do("unshelve", work=False)
    testing.steps_may_repeat(UNSHELVE_SERVER, None, one.cloud.db, one.tools)
    assert (one.status, one.held()) == ("ACTIVE", 512)


@pytest.mark.parametrize("step", ["stop", "copy"])
def test_shelving_unwinds(one: Mover, step: str) -> None:
    one.do("shelve", work=False)
    testing.unwinds_from(step, SHELVE_SERVER, None, one.cloud.db, one.tools)
    assert (one.status, one.guests(), images_of(one)) == ("ACTIVE", {"node1": "running"}, [])


@pytest.mark.parametrize("step", ["place", "plug", "spawn"])
def test_unshelving_unwinds(one: Mover, step: str) -> None:
    one.do("shelve")
    one.do("unshelve", work=False)
    testing.unwinds_from(step, UNSHELVE_SERVER, None, one.cloud.db, one.tools)
    assert one.shown["status"] == "SHELVED_OFFLOADED"
    assert (one.guests(), one.held()) == ({}, 0)
    assert one.do("unshelve") == 202
    assert one.status == "ACTIVE"


def test_rescue_and_back(one: Mover) -> None:
    answer = one.ann.post(f"/v2.1/servers/{one.id}/action", {"rescue": {"adminPass": "secret"}})
    assert (answer.status, answer.json()) == (200, {"adminPass": "secret"})
    one.cloud.work()
    assert one.status == "RESCUE"
    assert one.node.spec(one.id).rescue is not None
    assert one.do("os-stop") == 409
    assert one.do("unrescue") == 202
    assert (one.status, one.node.spec(one.id).rescue) == ("ACTIVE", None)
    assert one.guests() == {"node1": "running"}


def test_rescuing_may_repeat_and_unwinds(one: Mover) -> None:
    one.do("rescue", None, work=False)
    testing.steps_may_repeat(RESCUE_SERVER, None, one.cloud.db, one.tools)
    one.do("unrescue", work=False)
    testing.steps_may_repeat(UNRESCUE_SERVER, None, one.cloud.db, one.tools)
    assert one.status == "ACTIVE"
    one.do("rescue", {}, work=False)
    testing.unwinds_from("rescue", RESCUE_SERVER, None, one.cloud.db, one.tools)
    assert (one.status, one.node.spec(one.id).rescue) == ("ACTIVE", None)
    assert one.guests() == {"node1": "running"}


@pytest.mark.parametrize("action", ["resize", "rebuild", "shelve", "rescue", "createImage"])
def test_what_is_locked_or_anothers_is_left_alone(one: Mover, action: str) -> None:
    image = one.shown["image"]["id"]
    bodies = {
        "resize": {"flavorRef": "2"},
        "rebuild": {"imageRef": image},
        "createImage": {"name": "copy"},
    }
    body = bodies.get(action)
    bob = one.cloud.client("compute", "bob:p2:member")
    assert one.do(action, body, by=bob) == 404
    assert one.root.post(f"/v2.1/servers/{one.id}/action", {"lock": None}).status == 202
    assert one.do(action, body) == 409
    assert one.status == "ACTIVE"

"""Imports: data is staged, then made the image's by a workflow that may be killed anywhere."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cumulo.kit.clock import CLOCK
from cumulo.services.image import reconcile
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.drivers.file import FileStore
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.work import testing
from tests.client import Answer, Client
from tests.image import malice
from tests.image.service import BYTES, Service, active, create, show, upload

DIRECT = {"method": {"name": "glance-direct"}}
CONTENT = b"disk" * 1000


@pytest.fixture(params=["fake", "file"])
def service(request: pytest.FixtureRequest, tools: Any, tmp_path: Path) -> Service:
    stores: dict[str, Callable[[], Any]] = {
        "fake": FakeStore,
        "file": lambda: FileStore(tmp_path / "store"),
    }
    return Service(dataclasses.replace(tools, images=stores[request.param]()))


def stage(client: Client, image_id: str, content: bytes = CONTENT) -> Answer:
    return client.put(f"/v2/images/{image_id}/stage", body=content, headers=BYTES)


def staged(client: Client, content: bytes = CONTENT, **fields: Any) -> str:
    image_id = create(client, **fields)
    answer = stage(client, image_id, content)
    assert answer.status == 204, answer.text
    return image_id


def importing(client: Client, image_id: str) -> Answer:
    return client.post(f"/v2/images/{image_id}/import", DIRECT)


def tasks(client: Client, image_id: str) -> list[Any]:
    found: list[Any] = client.get(f"/v2/images/{image_id}/tasks").json()["tasks"]
    return found


def uploading(client: Client) -> int:
    usage = client.get("/v2/info/usage").json()["usage"]
    return int(usage["image_count_uploading"]["usage"])


def test_staged_data_becomes_the_image(service: Service, ann: Client, root: Client) -> None:
    image_id = staged(ann)
    assert show(ann, image_id)["status"] == "uploading"
    assert ann.get(f"/v2/images/{image_id}/file").status == 204
    assert uploading(ann) == 1
    answer = importing(ann, image_id)
    assert answer.status == 202
    assert show(ann, image_id)["status"] == "importing"
    (task,) = tasks(ann, image_id)
    assert (task["status"], task["image_id"], task["result"]) == ("pending", image_id, None)
    assert task["request_id"] == answer.headers["x-openstack-request-id"]
    assert task["input"]["import_req"] == DIRECT
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["size"]) == ("active", len(CONTENT))
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT
    assert shown["checksum"] == show(ann, active(ann, CONTENT))["checksum"]
    (task,) = tasks(ann, image_id)
    assert (task["status"], task["result"]) == ("success", {"image_id": image_id})
    assert root.get(f"/v2/tasks/{task['id']}").json() == task
    hidden = {"input", "message", "result", "image_id", "user_id", "request_id"}
    listed = {name: value for name, value in task.items() if name not in hidden}
    assert listed in root.get("/v2/tasks").json()["tasks"]
    assert uploading(ann) == 0


def test_methods_are_told_and_others_refused(ann: Client) -> None:
    methods = ann.get("/v2/info/import").json()["import-methods"]["value"]
    answer = ann.post("/v2/images", {"name": "i"})
    assert answer.headers["openstack-image-import-methods"].split(",") == methods
    image_id = create(ann)
    for wrong, word in (
        ({"method": {"name": "glance-download"}}, "glance-download"),
        ({"method": {"name": "web-download"}}, "URI"),
        ({"method": {"name": "glance-direct", "uri": "file:///etc/shadow"}}, "uri"),
        ({"method": {}}, "name"),
        ({}, "method"),
        ({**DIRECT, "stores": ["elsewhere"]}, "stores"),
        ({**DIRECT, "x": 1}, "x"),
    ):
        refused = ann.post(f"/v2/images/{image_id}/import", wrong)
        assert refused.status == 400
        assert word in refused.text


def test_only_staged_data_is_imported_and_only_once(service: Service, ann: Client) -> None:
    image_id = create(ann)
    assert importing(ann, image_id).status == 409
    assert stage(ann, image_id).status == 204
    assert stage(ann, image_id).status == 409
    assert upload(ann, image_id, CONTENT).status == 409
    assert importing(ann, image_id).status == 202
    assert importing(ann, image_id).status == 409
    assert stage(ann, image_id).status == 409
    service.work()
    assert importing(ann, image_id).status == 409
    assert len(tasks(ann, image_id)) == 1


def test_bad_data_is_refused_while_it_is_staged(service: Service, ann: Client) -> None:
    image_id = create(ann, disk_format="qcow2")
    answer = stage(ann, image_id, malice.qcow2(backing_file="/etc/shadow"))
    assert answer.status == 415
    assert "backing file" in answer.text
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []
    assert uploading(ann) == 0


def test_others_may_not_stage_import_or_look(ann: Client, ben: Client, root: Client) -> None:
    image_id = staged(ann, visibility="community")
    hidden = staged(ann, visibility="private")
    for one, status in ((image_id, 403), (hidden, 404)):
        assert stage(ben, one).status == status
        assert importing(ben, one).status == status
        assert ben.get(f"/v2/images/{one}/tasks").status == status
    assert importing(ann, image_id).status == 202
    (task,) = tasks(ann, image_id)
    assert ann.get("/v2/tasks").status == 403
    assert ann.get(f"/v2/tasks/{task['id']}").status == 403
    assert root.get("/v2/tasks/none").status == 404


def test_schemas_of_tasks_name_every_field(ann: Client, ben: Client, root: Client) -> None:
    image_id = staged(ann)
    importing(ann, image_id)
    described = ann.get("/v2/schemas/task").json()
    assert described["name"] == "task"
    listed = root.get("/v2/tasks").json()
    (task,) = listed["tasks"]
    one = root.get(f"/v2/tasks/{task['id']}").json()
    assert set(task) | set(one) <= set(described["properties"])
    for field in ("type", "status"):
        assert one[field] in described["properties"][field]["enum"]
    all_of_them = ben.get(listed["schema"]).json()
    assert all_of_them["name"] == "tasks"
    assert all_of_them["properties"]["tasks"]["items"] == ben.get(one["schema"]).json() == described
    for path in (one["schema"], listed["schema"]):
        assert ann.as_("ann:p1:guest").get(path).status == 200
        assert ann.as_(None).get(path).status == 401


def test_too_much_is_refused_with_a_reason_and_leaves_nothing(
    service: Service, ann: Client
) -> None:
    limited = service.limited(image_size_total=0)
    client = limited.client("ann:p1:member")
    image_id = staged(client)
    importing(client, image_id)
    limited.work()
    assert show(client, image_id)["status"] == "queued"
    (task,) = tasks(client, image_id)
    assert task["status"] == "failure"
    assert "image_size_total" in task["message"]
    assert service.files() == []
    assert uploading(client) == 0
    assert upload(ann, image_id, CONTENT).status == 204


def test_steps_may_repeat(service: Service, ann: Client) -> None:
    image_id = staged(ann)
    importing(ann, image_id)
    testing.steps_may_repeat(IMPORT_IMAGE, None, service.tools.db, service.tools)
    assert show(ann, image_id)["status"] == "active"
    assert service.files() == [image_id]
    assert uploading(ann) == 0
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert usage["image_size_total"]["usage"] == 1


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", ["fetch_bytes", "adopt_bytes"])
def test_a_step_that_fails_leaves_a_queued_image(
    service: Service, ann: Client, step: str, before: bool
) -> None:
    image_id = staged(ann)
    importing(ann, image_id)
    testing.unwinds_from(step, IMPORT_IMAGE, None, service.tools.db, service.tools, before=before)
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []
    assert uploading(ann) == 0
    assert [task["status"] for task in tasks(ann, image_id)] == ["failure"]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", [step.name for step in IMPORT_IMAGE.steps])
def test_another_process_carries_on(service: Service, ann: Client, step: str, before: bool) -> None:
    image_id = staged(ann)
    importing(ann, image_id)
    db = service.tools.db
    testing.crash_at(step, IMPORT_IMAGE, None, db, service.tools, before=before)
    assert show(ann, image_id)["status"] == "active"
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT


@pytest.mark.parametrize("begun", [False, True])
def test_a_delete_leaves_nothing_of_what_was_staged(
    service: Service, ann: Client, begun: bool
) -> None:
    image_id = staged(ann)
    if begun:
        importing(ann, image_id)
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    service.work()
    assert service.files() == []
    assert uploading(ann) == 0
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert {one["usage"] for one in usage.values()} == {0}


def test_staged_data_waits_and_what_died_half_way_goes(tools: Any) -> None:
    service = Service(dataclasses.replace(tools, images=FakeStore()))
    ann = service.client("ann:p1:member")
    with CLOCK.held() as clock:
        image_id = staged(ann)
        clock.move(24 * 3600)
        reconcile.end_dead_uploads(service.tools)
        reconcile.remove_orphans(service.tools)
        assert show(ann, image_id)["status"] == "uploading"
        assert importing(ann, image_id).status == 202
        reconcile.remove_orphans(service.tools)
        service.work()
        reconcile.remove_orphans(service.tools)
        assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT


def test_tasks_come_in_pages(service: Service, ann: Client, root: Client) -> None:
    made = {staged_task(service, ann) for _ in range(3)}
    path, seen = "/v2/tasks?limit=2&sort_key=id&sort_dir=asc", list[str]()
    while path:
        page = root.get(path).json()
        assert page["first"] == "/v2/tasks?limit=2&sort_key=id&sort_dir=asc"
        seen += [task["id"] for task in page["tasks"]]
        path = page.get("next", "")
    assert seen == sorted(made)
    assert root.get("/v2/tasks?status=failure").json()["tasks"] == []
    assert len(root.get("/v2/tasks?type=api_image_import&owner=p1").json()["tasks"]) == 3
    assert root.get("/v2/tasks?sort_key=message").status == 400
    assert root.get("/v2/tasks?marker=none").status == 404


def staged_task(service: Service, ann: Client) -> str:
    image_id = staged(ann)
    importing(ann, image_id)
    service.work()
    (task,) = tasks(ann, image_id)
    return str(task["id"])

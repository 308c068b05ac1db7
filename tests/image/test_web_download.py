"""Imports of what a URL names: fetched by a workflow, from public places only."""

import dataclasses
from typing import Any

import pytest

from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.work import testing
from tests.client import Answer, Client
from tests.image.fetched import CONTENT, IN_VAIN, REFUSED, website
from tests.image.service import Service, create, show
from tests.websites import Website

URL = "http://site/disk"


@pytest.fixture
def site() -> Website:
    return website()


@pytest.fixture
def service(tools: ImageTools, site: Website) -> Service:
    return Service(dataclasses.replace(tools, outbound=site.outbound()))


def ask(client: Client, image_id: str, url: str = URL) -> Answer:
    wish = {"method": {"name": "web-download", "uri": url}}
    return client.post(f"/v2/images/{image_id}/import", wish)


def asked(client: Client, url: str = URL, **fields: Any) -> str:
    image_id = create(client, **fields)
    answer = ask(client, image_id, url)
    assert answer.status == 202, answer.text
    return image_id


def only_task(client: Client, image_id: str) -> Any:
    (task,) = client.get(f"/v2/images/{image_id}/tasks").json()["tasks"]
    return task


def used(client: Client) -> dict[str, int]:
    usage = client.get("/v2/info/usage").json()["usage"]
    return {name: one["usage"] for name, one in usage.items() if one["usage"]}


def test_what_a_url_names_becomes_the_image(service: Service, ann: Client) -> None:
    image_id = asked(ann)
    assert show(ann, image_id)["status"] == "importing"
    assert used(ann) == {"image_count_total": 1, "image_count_uploading": 1}
    assert ask(ann, image_id).status == 409
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["size"]) == ("active", len(CONTENT))
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT
    task = only_task(ann, image_id)
    assert task["status"] == "success"
    assert task["input"]["import_req"]["method"] == {"name": "web-download", "uri": URL}
    assert used(ann) == {"image_count_total": 1, "image_size_total": 1}
    assert ask(ann, image_id).status == 409


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_leads_inside_is_refused_at_once(ann: Client, url: str) -> None:
    image_id = create(ann)
    answer = ask(ann, image_id, url)
    assert answer.status == 400
    assert "SECRET" not in answer.text
    assert show(ann, image_id)["status"] == "queued"


@pytest.mark.parametrize(("url", "fields", "told"), IN_VAIN)
def test_what_cannot_be_had_leaves_a_queued_image_and_a_reason(
    service: Service, ann: Client, url: str, fields: dict[str, str], told: str
) -> None:
    image_id = asked(ann, url, **fields)
    service.work()
    assert show(ann, image_id)["status"] == "queued"
    task = only_task(ann, image_id)
    assert task["status"] == "failure"
    assert told in task["message"]
    assert "SECRET" not in task["message"]
    assert service.files() == []
    assert used(ann) == {"image_count_total": 1}


def test_formats_must_be_known_before(ann: Client) -> None:
    image_id = create(ann, disk_format=None)
    answer = ask(ann, image_id)
    assert answer.status == 409
    assert "disk_format" in answer.text


def test_others_may_not(ann: Client, ben: Client) -> None:
    for visibility, status in (("community", 403), ("private", 404)):
        assert ask(ben, create(ann, visibility=visibility)).status == status


def test_steps_may_repeat(service: Service, ann: Client) -> None:
    image_id = asked(ann)
    testing.steps_may_repeat(IMPORT_IMAGE, None, service.tools.db, service.tools)
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT
    assert used(ann) == {"image_count_total": 1, "image_size_total": 1}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", ["fetch_bytes", "adopt_bytes"])
def test_a_step_that_fails_leaves_nothing(
    service: Service, ann: Client, step: str, before: bool
) -> None:
    image_id = asked(ann)
    testing.unwinds_from(step, IMPORT_IMAGE, None, service.tools.db, service.tools, before=before)
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []
    assert used(ann) == {"image_count_total": 1}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", [step.name for step in IMPORT_IMAGE.steps])
def test_another_process_carries_on(service: Service, ann: Client, step: str, before: bool) -> None:
    image_id = asked(ann)
    testing.crash_at(step, IMPORT_IMAGE, None, service.tools.db, service.tools, before=before)
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT


def test_a_delete_stops_it(service: Service, ann: Client, site: Website) -> None:
    image_id = asked(ann)
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    service.work()
    assert service.files() == []
    assert used(ann) == {}


def task(**more: Any) -> dict[str, Any]:
    properties = {"name": "made", "disk_format": "raw", "container_format": "bare"}
    wanted = {"import_from": URL, "import_from_format": "raw", "image_properties": properties}
    return {"type": "import", "input": {**wanted, **more}}


def test_administrators_make_whole_images_by_tasks(service: Service, root: Client) -> None:
    answer = root.post("/v2/tasks", task())
    assert answer.status == 201, answer.text
    made = answer.json()
    assert (made["type"], made["status"], made["input"]) == ("import", "pending", task()["input"])
    assert answer.headers["location"].endswith(made["self"])
    service.work()
    done = root.get(made["self"]).json()
    assert done["status"] == "success"
    shown = show(root, done["result"]["image_id"])
    assert (shown["name"], shown["status"]) == ("made", "active")


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (task(import_from="file:///etc/shadow"), "file"),
        (task(import_from_format="qcow2"), "import_from_format"),
        (task(image_properties={"disk_format": 5}), "disk_format"),
        ({**task(), "type": "export"}, "type"),
        ({"type": "import", "input": {}}, "import_from"),
    ],
)
def test_a_wrong_task_is_refused_and_makes_nothing(
    root: Client, ann: Client, wrong: dict[str, Any], word: str
) -> None:
    answer = root.post("/v2/tasks", wrong)
    assert answer.status == 400
    assert word in answer.text
    assert root.get("/v2/images").json()["images"] == []
    assert ann.post("/v2/tasks", task()).status == 403

"""What each workflow survives: every step twice, a failure at and before every step, a dead worker.

Whatever an operator's stores did meanwhile, afterwards what images say is what lies there.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec
import pytest

from cumulo.kit.clock import CLOCK, Clock
from cumulo.services.image import public, reconcile
from cumulo.services.image.assembly import more_stores
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.limits import StoreSettings
from cumulo.services.image.stores import Backend
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import WORKFLOWS
from cumulo.services.image.workflows.add_location import ADD_LOCATION
from cumulo.services.image.workflows.cache_image import CACHE_IMAGE
from cumulo.services.image.workflows.copy_image import COPY_IMAGE, REMOVE_COPY
from cumulo.services.image.workflows.delete_image import DELETE_IMAGE
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.work import Workflow, runs_under_way, testing
from tests.client import Answer
from tests.image.fetched import CONTENT, website
from tests.image.service import BYTES, Service, create, show, upload

URL = "http://site/disk"
HOUR = 3600
# What is left when these fail nobody waits for: reconcilers remove it, after their grace.
LATER = {"activate", "drop_stage", "remove_bytes"}


class Scene:
    """Images in two stores and on the web, and what is begun with them."""

    def __init__(self, tools: ImageTools, clock: Clock) -> None:
        self.clock = clock
        self.near, self.far = FakeStore("near"), FakeStore("far")
        web = more_stores(
            msgspec.structs.replace(tools.image_limits, stores={"web": StoreSettings(kind="http")}),
            lambda: pytest.fail("not asked"),
            website().outbound(),
            tools.db,
        )
        limits = msgspec.structs.replace(tools.image_limits, default_backend="near")
        changed = dataclasses.replace(
            tools,
            images=self.near,
            image_limits=limits,
            outbound=website().outbound(),
            more_stores=(Backend(self.far), *web),
        )
        self.service = Service(changed)
        self.db, self.tools = changed.db, changed
        self.root = self.service.client("root:admin:admin")

    def done(self, answer: Answer) -> None:
        assert answer.status in (202, 204), answer.text

    def staged(self) -> str:
        image_id = create(self.root)
        where = f"/v2/images/{image_id}/stage"
        self.done(self.root.put(where, body=CONTENT, headers=BYTES))
        return image_id

    def active(self, store: str = "near") -> str:
        image_id = create(self.root)
        self.done(upload(self.root, image_id, CONTENT, **{"X-Image-Meta-Store": store}))
        return image_id

    def in_both(self) -> str:
        image_id = self.active()
        self.bring_in(image_id, "copy-image", stores=["far"])
        self.service.work()
        assert show(self.root, image_id)["stores"] == "near,far"
        return image_id

    def located(self) -> str:
        image_id = create(self.root)
        self.done(self.root.post(f"/v2/images/{image_id}/locations", {"url": URL}))
        return image_id

    def bring_in(self, image_id: str, method: str, **more: Any) -> None:
        how = {"name": method, **({"uri": URL} if method == "web-download" else {})}
        self.done(self.root.post(f"/v2/images/{image_id}/import", {"method": how, **more}))

    def delete(self, image_id: str) -> None:
        self.done(self.root.delete(f"/v2/images/{image_id}"))

    def delete_copy(self, image_id: str, store: str) -> None:
        self.done(self.root.delete(f"/v2/stores/{store}/{image_id}"))

    def cache(self, image_id: str) -> None:
        self.done(self.root.put(f"/v2/cache/{image_id}"))

    def cached(self) -> str:
        image_id = self.active("far")
        public.bring(self.tools, image_id)
        return image_id

    def pass_hours(self) -> None:
        """Let the reconcilers find what is old by now."""
        self.clock.move(2 * HOUR)
        for one in reconcile.RECONCILERS:
            one.run(self.tools)

    def agree(self) -> None:
        """Nothing is on its way, nothing lies about, and what images say is there is there."""
        assert not self.db.read(runs_under_way)
        shown = self.root.get("/v2/images?limit=1000").json()["images"]
        assert {one["status"] for one in shown} <= {"queued", "active"}
        active = [one for one in shown if one["status"] == "active"]
        assert not any(one.get("os_glance_importing_to_stores") for one in active)
        found = self.root.get("/v2/cache").json()
        cached = {one["image_id"] for one in found["cached_images"]}
        assert found["queued_images"] == []
        for store in (self.near, self.far):
            told = {one["id"] for one in active if store.name in one["stores"].split(",")}
            extra = cached if store is self.near else set()
            assert set(store.images) == told | extra
            assert set(store.images.values()) <= {CONTENT}
            assert store.uploads == {}
        assert all(self.read(one["id"]) == CONTENT for one in active)
        told = self.root.get("/v2/tasks?limit=1000").json()["tasks"]
        assert {one["status"] for one in told} <= {"success", "failure"}
        usage = self.root.get("/v2/info/usage").json()["usage"]
        assert {name: one["usage"] for name, one in usage.items()} == {
            "image_count_total": len(shown),
            "image_size_total": len(active),
            "image_count_uploading": 0,
        }

    def read(self, image_id: str) -> bytes:
        return self.root.get(f"/v2/images/{image_id}/file").body


Begin: TypeAlias = Callable[[Scene], object]
BEGIN: dict[str, tuple[Workflow[Any, Any], Begin]] = {
    "import staged": (IMPORT_IMAGE, lambda one: one.bring_in(one.staged(), "glance-direct")),
    "import elsewhere": (
        IMPORT_IMAGE,
        lambda one: one.bring_in(one.staged(), "glance-direct", stores=["far"]),
    ),
    "import everywhere": (
        IMPORT_IMAGE,
        lambda one: one.bring_in(one.staged(), "glance-direct", all_stores=True),
    ),
    "download": (IMPORT_IMAGE, lambda one: one.bring_in(create(one.root), "web-download")),
    "download elsewhere": (
        IMPORT_IMAGE,
        lambda one: one.bring_in(create(one.root), "web-download", stores=["far"]),
    ),
    "add a location": (ADD_LOCATION, lambda one: one.located()),
    "copy": (COPY_IMAGE, lambda one: one.bring_in(one.active(), "copy-image", stores=["far"])),
    "copy back": (
        COPY_IMAGE,
        lambda one: one.bring_in(one.active("far"), "copy-image", stores=["near"]),
    ),
    "copy what is cached": (
        COPY_IMAGE,
        lambda one: one.bring_in(one.cached(), "copy-image", stores=["near"]),
    ),
    "remove a copy": (REMOVE_COPY, lambda one: one.delete_copy(one.in_both(), "far")),
    "remove the first": (REMOVE_COPY, lambda one: one.delete_copy(one.in_both(), "near")),
    "cache": (CACHE_IMAGE, lambda one: one.cache(one.active("far"))),
    "delete": (DELETE_IMAGE, lambda one: one.delete(one.in_both())),
    "delete what is staged": (DELETE_IMAGE, lambda one: one.delete(one.staged())),
    "delete what is cached": (DELETE_IMAGE, lambda one: one.delete(one.cached())),
}


@pytest.fixture
def scene(tools: ImageTools) -> Iterator[Scene]:
    with CLOCK.held() as clock:
        yield Scene(tools, clock)


def test_every_workflow_is_here() -> None:
    assert {flow.name for flow, _ in BEGIN.values()} == {flow.name for flow in WORKFLOWS}


@pytest.mark.parametrize("name", BEGIN)
def test_whatever_happens_images_and_stores_agree(name: str, scene: Scene) -> None:
    flow, begin = BEGIN[name]
    begin(scene)
    testing.steps_may_repeat(flow, None, scene.db, scene.tools)
    scene.agree()
    for step in flow.steps:
        for before in (True, False):
            begin(scene)
            testing.crash_at(step.name, flow, None, scene.db, scene.tools, before=before)
            scene.agree()
            begin(scene)
            testing.unwinds_from(step.name, flow, None, scene.db, scene.tools, before=before)
            if step.name in LATER:
                scene.pass_hours()
            scene.agree()

"""Several stores: which one an image's data lies in, how it gets to more, and to fewer."""

import dataclasses
from typing import Any

import msgspec
import pytest

from cumulo.kit.clock import CLOCK
from cumulo.kit.errors import Invalid, Unavailable
from cumulo.services.image import public, reconcile
from cumulo.services.image.assembly import more_stores
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.limits import ImageLimits, StoreSettings
from cumulo.services.image.stores import Backend
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows.copy_image import COPY_IMAGE
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.work import testing
from tests.client import Answer, Client
from tests.image.service import BYTES, Service, active, create, show, upload

CONTENT = b"disk" * 1000


class FullStore(FakeStore):
    """A store that takes nothing."""

    def begin(self, image_id: str, upload_id: str) -> Any:
        raise Unavailable("The store is away.")


@pytest.fixture
def far() -> FakeStore:
    return FakeStore("far")


@pytest.fixture
def service(tools: ImageTools, far: FakeStore) -> Service:
    more = (Backend(far, weight=5, description="slow"), Backend(FullStore("full")))
    limits = msgspec.structs.replace(tools.image_limits, first_store_weight=1)
    return Service(dataclasses.replace(tools, more_stores=more, image_limits=limits))


def ask(client: Client, image_id: str, method: str = "copy-image", **more: Any) -> Answer:
    return client.post(f"/v2/images/{image_id}/import", {"method": {"name": method}, **more})


def staged(client: Client) -> str:
    image_id = create(client)
    url = f"/v2/images/{image_id}/stage"
    assert client.put(url, body=CONTENT, headers=BYTES).status == 204
    return image_id


def read(client: Client, image_id: str) -> bytes:
    return client.get(f"/v2/images/{image_id}/file").body


def test_stores_are_told_with_what_operators_say(ann: Client, root: Client) -> None:
    listed = ann.get("/v2/info/stores").json()["stores"]
    assert listed[0] == {"id": "file", "default": "true"}
    assert listed[1] == {"id": "far", "description": "slow"}
    detail = root.get("/v2/info/stores/detail").json()["stores"]
    assert (detail[1]["type"], detail[1]["weight"]) == ("fake", 5)
    assert ann.get("/v2/info/stores/detail").status == 403
    assert "copy-image" in ann.get("/v2/info/import").json()["import-methods"]["value"]
    assert root.get("/versions").json()["versions"][0]["id"] == "v2.18"


def test_a_client_chooses_the_store_of_an_upload(
    service: Service, ann: Client, far: FakeStore
) -> None:
    image_id = create(ann)
    assert upload(ann, image_id, CONTENT, **{"X-Image-Meta-Store": "none"}).status == 400
    assert upload(ann, image_id, CONTENT, **{"X-Image-Meta-Store": "far"}).status == 204
    assert show(ann, image_id)["stores"] == "far"
    assert (list(far.images), service.files()) == ([image_id], [])
    assert read(ann, image_id) == CONTENT
    public.bring(service.tools, image_id)
    public.bring(service.tools, image_id)
    assert service.files() == [image_id]
    assert show(ann, image_id)["stores"] == "far"
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    service.work()
    assert (list(far.images), service.files()) == ([], [])


def test_an_import_goes_to_the_stores_that_were_named(
    service: Service, ann: Client, far: FakeStore
) -> None:
    image_id = staged(ann)
    assert ask(ann, image_id, "glance-direct", stores=["far", "file"]).status == 202
    assert show(ann, image_id)["os_glance_importing_to_stores"] == "far,file"
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["stores"]) == ("active", "far,file")
    assert (shown["os_glance_importing_to_stores"], shown["os_glance_failed_import"]) == ("", "")
    only = staged(ann)
    assert ask(ann, only, "glance-direct", stores=["far"]).status == 202
    service.work()
    assert (show(ann, only)["stores"], service.files()) == ("far", [image_id])
    assert read(ann, only) == CONTENT


def test_a_store_that_fails_stops_an_import_only_if_all_must_succeed(
    service: Service, ann: Client, far: FakeStore
) -> None:
    image_id = staged(ann)
    wish: dict[str, Any] = {"all_stores": True, "all_stores_must_succeed": False}
    assert ask(ann, image_id, "glance-direct", **wish).status == 202
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["stores"]) == ("active", "far,file")
    assert shown["os_glance_failed_import"] == "full"


def test_an_image_is_copied_to_more_stores(service: Service, root: Client, far: FakeStore) -> None:
    image_id = active(root, CONTENT)
    assert ask(root, image_id, stores=["far"]).status == 202
    assert show(root, image_id)["os_glance_importing_to_stores"] == "far"
    assert ask(root, image_id, stores=["far"]).status == 409
    service.work()
    assert show(root, image_id)["stores"] == "far,file"
    assert far.images == {image_id: CONTENT}
    assert ask(root, image_id, stores=["far"]).status == 409
    (task,) = root.get(f"/v2/images/{image_id}/tasks").json()["tasks"]
    assert task["status"] == "success"
    far.images[image_id] = b"first"  # the store of the largest weight is read
    assert read(root, image_id)[:5] == b"first"


def test_who_may_copy_and_what(ann: Client, root: Client) -> None:
    image_id = active(ann, CONTENT)
    assert ask(ann, image_id, stores=["far"]).status == 403
    assert ask(root, create(root), stores=["far"]).status == 409
    assert ask(root, image_id, stores=["none"]).status == 400
    assert ask(root, image_id, stores=["far"], all_stores=True).status == 400


def test_data_goes_from_one_store_but_not_from_the_last(
    service: Service, ann: Client, root: Client, far: FakeStore
) -> None:
    image_id = active(root, CONTENT, visibility="public")
    url = f"/v2/stores/far/{image_id}"
    assert root.delete(url).status == 404
    assert root.delete(f"/v2/stores/file/{image_id}").status == 403
    ask(root, image_id, stores=["far"])
    service.work()
    assert ann.delete(url).status == 403
    assert root.delete(f"/v2/stores/none/{image_id}").status == 404
    assert root.delete(url).status == 204
    service.work()
    assert (far.images, show(root, image_id)["stores"]) == ({}, "file")


def test_copying_may_repeat(service: Service, root: Client, far: FakeStore) -> None:
    image_id = active(root, CONTENT)
    ask(root, image_id, stores=["far"])
    testing.steps_may_repeat(COPY_IMAGE, None, service.tools.db, service.tools)
    assert (far.images, far.uploads) == ({image_id: CONTENT}, {})
    both = staged(root)
    ask(root, both, "glance-direct", stores=["far"])
    testing.steps_may_repeat(IMPORT_IMAGE, None, service.tools.db, service.tools)
    assert (far.images[both], service.files()) == (CONTENT, [image_id])


@pytest.mark.parametrize("before", [False, True])
def test_a_copy_that_fails_leaves_nothing(
    service: Service, root: Client, far: FakeStore, before: bool
) -> None:
    image_id = active(root, CONTENT)
    ask(root, image_id, stores=["far"])
    db = service.tools.db
    testing.unwinds_from("copy_bytes", COPY_IMAGE, None, db, service.tools, before=before)
    shown = show(root, image_id)
    assert (shown["stores"], shown["os_glance_failed_import"]) == ("file", "far")
    assert (far.images, far.uploads) == ({}, {})
    assert read(root, image_id) == CONTENT


def test_what_no_image_says_is_there_goes(service: Service, root: Client, far: FakeStore) -> None:
    with CLOCK.held() as clock:
        kept, lost = create(root), create(root)
        for image_id in (kept, lost):
            assert upload(root, image_id, CONTENT, **{"X-Image-Meta-Store": "far"}).status == 204
        far.touched["stray", None] = far.touched[lost, None]
        far.images["stray"] = b"x"
        clock.move(600)
        reconcile.remove_orphans_elsewhere(service.tools)
        assert set(far.images) == {kept, lost}


def test_wrong_settings_are_named(tools: ImageTools) -> None:
    web = StoreSettings(kind="http")
    for wrong, word in (
        ({"default_backend": "none"}, "none"),
        ({"default_backend": "web", "stores": {"web": web}}, "takes no uploads"),
        ({"stores": {"web": web, "net": web}}, "web, net"),
        ({"stores": {"a,b": StoreSettings(kind="swift")}}, "a,b"),
        ({"stores": {"file": StoreSettings(kind="swift")}}, "file"),
        ({"stores": {"x": StoreSettings(kind="file")}}, "filesystem_store_datadir"),
    ):
        settings = ImageLimits(**wrong)
        with pytest.raises(Invalid, match=word):
            more_stores(settings, nowhere, tools.outbound, tools.db)


def nowhere() -> Any:
    """Stand for object storage that nobody asks."""

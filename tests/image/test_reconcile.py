"""The store as the rows say: after a crash at any point nothing is stuck and nothing is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.auth import Context, Policy
from cumulo.kit.clock import CLOCK
from cumulo.kit.ids import new_id
from cumulo.services.image import image_data, reconcile
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.policy import RULES
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows.delete_image import DELETE_IMAGE, DeleteImage
from cumulo.work import testing
from tests.client import Client
from tests.image.service import Service, active, create, show, upload

HOUR = 3600


@pytest.fixture
def service(tools: ImageTools) -> Service:
    """The service on a store that tells the held clock's time."""
    return Service(ImageTools(tools.db, FakeStore(), tools.image_limits))


def die_while_uploading(service: Service, image_id: str, *, kept: bool = False) -> None:
    """Leave what a process leaves that is killed in the middle of an upload."""
    roles = frozenset({"member", "reader"})
    caller = Context(user_id="ann", project_id="p1", roles=roles, policy=Policy(RULES))
    db, store = service.tools.db, service.tools.images
    upload_id = new_id()
    db.write(image_data._begin, caller, image_id, upload_id, service.tools.image_limits)
    incoming = store.begin(image_id, upload_id)
    incoming.write(b"half of it")
    if kept:
        incoming.keep()


def reconcile_all(service: Service) -> None:
    reconcile.end_dead_uploads(service.tools)
    reconcile.remove_orphans(service.tools)


@pytest.mark.parametrize("kept", [False, True])
def test_an_upload_whose_process_died_can_be_made_again(
    service: Service, ann: Client, kept: bool
) -> None:
    with CLOCK.held() as clock:
        image_id = create(ann)
        die_while_uploading(service, image_id, kept=kept)
        reconcile_all(service)
        assert show(ann, image_id)["status"] == "saving"
        assert service.files() == [image_id]

        clock.move(HOUR)
        reconcile_all(service)
        assert show(ann, image_id)["status"] == "queued"
        assert service.files() == []
        usage = ann.get("/v2/info/usage").json()["usage"]
        assert usage["image_count_uploading"]["usage"] == 0
        assert upload(ann, image_id, b"all of it").status == 204


def test_an_upload_that_is_alive_is_left_alone(service: Service, ann: Client) -> None:
    with CLOCK.held() as clock:
        image_id = create(ann)
        roles = frozenset({"member", "reader"})
        caller = Context(user_id="ann", project_id="p1", roles=roles, policy=Policy(RULES))

        def pieces() -> Iterator[bytes]:
            for _ in range(50):
                clock.move(30)
                reconcile_all(service)
                yield b"slowly"

        given = image_data.Upload(image_id=image_id, pieces=pieces())
        image_data.upload(
            service.tools.db, caller, service.tools.images, service.tools.image_limits, given
        )
        assert show(ann, image_id)["size"] == 300


def test_bytes_that_no_image_owns_go_after_a_while(service: Service, ann: Client) -> None:
    with CLOCK.held() as clock:
        mine = active(ann)
        off = active(ann)
        ann.post(f"/v2/images/{off}/actions/deactivate")
        stray = service.tools.images.begin(new_id(), new_id())
        stray.write(b"x")
        stray.keep()
        service.tools.images.begin(new_id(), new_id()).write(b"x")
        reconcile_all(service)
        assert len(service.files()) == 4
        clock.move(HOUR)
        reconcile_all(service)
        assert service.files() == sorted([mine, off])


def test_a_delete_is_carried_on_by_another_process(service: Service, ann: Client) -> None:
    image_id = active(ann)
    ann.delete(f"/v2/images/{image_id}")
    assert service.files() == [image_id]
    for before in (True, False):
        params = DeleteImage(image_id)
        step = DELETE_IMAGE.steps[0].name
        testing.crash_at(step, DELETE_IMAGE, params, service.tools.db, service.tools, before=before)
        assert service.files() == []


def test_removing_bytes_may_repeat(service: Service, ann: Client) -> None:
    image_id = active(ann)
    params = DeleteImage(image_id)
    testing.steps_may_repeat(DELETE_IMAGE, params, service.tools.db, service.tools)
    assert service.files() == []


def test_a_file_is_removed_with_its_directory_entry(tools: ImageTools, directory: Path) -> None:
    service = Service(tools)
    ann = service.client("ann:p1:member")
    image_id = active(ann)
    assert (directory / image_id).exists()
    ann.delete(f"/v2/images/{image_id}")
    service.work()
    assert [p.name for p in directory.iterdir()] == [".incoming"]

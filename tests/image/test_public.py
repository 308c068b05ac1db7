"""What compute may ask of images."""

from pathlib import Path

import pytest

from cumulo.auth import Context, Policy
from cumulo.db import Database
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.image import public
from cumulo.services.image.policy import RULES
from cumulo.services.image.tools import ImageTools
from tests.client import Client
from tests.image import malice
from tests.image.service import Service, active, create, show


def caller(project: str) -> Context:
    roles = frozenset({"member", "reader"})
    return Context(user_id="u", project_id=project, roles=roles, policy=Policy(RULES))


def test_an_active_image_is_given_with_all_that_a_server_needs(
    ann: Client, db: Database, directory: Path
) -> None:
    content = malice.qcow2()
    fields = {"disk_format": "qcow2", "min_ram": 64, "hw_disk_bus": "virtio", "tags": ["t"]}
    image_id = active(ann, content, **fields)
    image = db.read(public.get_image, caller("p1"), image_id)
    assert (image.disk_format, image.container_format) == ("qcow2", "bare")
    assert (image.size, image.virtual_size) == (len(content), malice.GIB)
    assert (image.min_disk, image.min_ram) == (0, 64)
    assert image.properties == {"hw_disk_bus": "virtio"}
    assert image.os_hash_value == show(ann, image_id)["os_hash_value"]
    assert public.path_of(directory, image_id).read_bytes() == content


def test_who_may_not_see_an_image_cannot_use_it(ann: Client, db: Database) -> None:
    image_id = active(ann)
    with pytest.raises(NotFound):
        db.read(public.get_image, caller("p2"), image_id)
    assert db.read(public.find_image, caller("p2"), image_id) is None
    ann.post(f"/v2/images/{image_id}/members", {"member": "p2"})
    assert db.read(public.get_image, caller("p2"), image_id).id == image_id


def test_an_image_that_is_not_ready_cannot_be_used(ann: Client, db: Database) -> None:
    with pytest.raises(Conflict, match="not active"):
        db.read(public.get_image, caller("p1"), create(ann))
    off = active(ann)
    ann.post(f"/v2/images/{off}/actions/deactivate")
    with pytest.raises(Conflict, match="not active"):
        db.read(public.get_image, caller("p1"), off)
    shown = db.read(public.find_image, caller("p1"), off)
    assert shown is not None
    packed = active(ann, container_format="ova")
    with pytest.raises(Conflict, match="container_format ova"):
        db.read(public.get_image, caller("p1"), packed)


def test_a_snapshot_is_an_image_like_any_other(
    tools: ImageTools, service: Service, db: Database, ann: Client
) -> None:
    spec = public.ImageSpec(
        name="snap",
        disk_format="raw",
        container_format="bare",
        properties={"image_type": "snapshot"},
    )
    image_id = db.write(public.new_image, caller("p1"), spec, tools.image_limits)
    public.upload(db, caller("p1"), tools.images, tools.image_limits, image_id, [b"disk"])
    image = show(ann, image_id)
    assert (image["status"], image["owner"], image["image_type"]) == ("active", "p1", "snapshot")
    db.write(public.delete_image, caller("p1"), image_id)
    service.work()
    assert service.files() == []

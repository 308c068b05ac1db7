"""Data of images: up, down, whole or in part; whatever goes wrong leaves nothing."""

import hashlib
from collections.abc import Iterator

import pytest

from cumulo.auth import Context, Policy
from cumulo.db import Database
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.image import image_data
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.policy import RULES
from cumulo.services.image.tools import ImageTools
from tests.client import Client
from tests.image.service import BYTES, MIB, Service, active, create, show, upload

CONTENT = bytes(range(256)) * 1000


def test_data_comes_back_as_it_was_sent(ann: Client, service: Service) -> None:
    image_id = active(ann, CONTENT)
    image = show(ann, image_id)
    assert image["status"] == "active"
    assert image["size"] == image["virtual_size"] == len(CONTENT)
    assert image["checksum"] == hashlib.md5(CONTENT).hexdigest()
    assert image["os_hash_algo"] == "sha512"
    assert image["os_hash_value"] == hashlib.sha512(CONTENT).hexdigest()
    assert image["stores"] == "file"
    answer = ann.get(f"/v2/images/{image_id}/file")
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-md5"] == image["checksum"]
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert service.files() == [image_id]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=255990-", 255990, 256000),
        ("bytes=255990-999999999", 255990, 256000),
        ("bytes=-5", 255995, 256000),
        ("bytes=-999999999", 0, 256000),
    ],
)
def test_a_range_is_sent_alone(ann: Client, asked: str, start: int, end: int) -> None:
    image_id = active(ann, CONTENT)
    answer = ann.get(f"/v2/images/{image_id}/file", headers={"Range": asked})
    assert (answer.status, answer.body) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/256000"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=256000-", 416),
        ("bytes=9-3", 416),
        ("bytes=-0", 416),
        ("lines=1-2", 416),
        ("bytes=1-2,4-5", 400),
    ],
)
def test_a_range_outside_of_the_data_is_refused(ann: Client, asked: str, status: int) -> None:
    image_id = active(ann, CONTENT)
    answer = ann.get(f"/v2/images/{image_id}/file", headers={"Range": asked})
    assert answer.status == status


def test_an_image_without_data_has_no_content(ann: Client) -> None:
    assert ann.get(f"/v2/images/{create(ann)}/file").status == 204


def test_an_empty_image_is_an_image(ann: Client) -> None:
    image_id = active(ann, b"")
    assert show(ann, image_id)["size"] == 0
    assert ann.get(f"/v2/images/{image_id}/file").body == b""


def test_formats_must_be_known_before_data_comes(ann: Client, service: Service) -> None:
    image_id = create(ann, disk_format=None)
    answer = upload(ann, image_id, b"x")
    assert answer.status == 400
    assert "Property disk_format must be set prior to saving data." in answer.text
    neither = create(ann, disk_format=None, container_format=None)
    assert "Properties disk_format, container_format" in upload(ann, neither, b"x").text
    assert service.files() == []


def test_data_is_written_once(ann: Client) -> None:
    image_id = active(ann, b"one")
    answer = upload(ann, image_id, b"two")
    assert answer.status == 409
    assert "Image status transition from active to saving is not allowed" in answer.text
    assert ann.get(f"/v2/images/{image_id}/file").body == b"one"


def test_only_bytes_are_data(ann: Client) -> None:
    image_id = create(ann)
    assert ann.put(f"/v2/images/{image_id}/file", {"a": 1}).status == 415


def test_data_over_the_limit_is_refused(ann: Client, service: Service) -> None:
    image_id = create(ann)
    answer = upload(ann, image_id, b"x" * (8 * MIB + 1))
    assert answer.status == 413
    assert "The limit is 8388608 bytes" in answer.text
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []


def test_a_size_announced_must_come_true(ann: Client, service: Service) -> None:
    image_id = create(ann)
    for announced in ("4", "2", "x", "-1"):
        answer = upload(ann, image_id, b"abc", **{"X-OpenStack-Image-Size": announced})
        assert answer.status == 400
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []
    assert upload(ann, image_id, b"abc", **{"X-OpenStack-Image-Size": "3"}).status == 204


def test_a_connection_that_breaks_leaves_a_queued_image(ann: Client, service: Service) -> None:
    image_id = create(ann)
    environ_length = {**BYTES, "Content-Length": "1000000"}
    url = f"/v2/images/{image_id}/file"
    assert ann.put(url, body=b"only the beginning", headers=environ_length).status == 400
    image = show(ann, image_id)
    assert (image["status"], image["size"], image["checksum"]) == ("queued", None, None)
    assert service.files() == []
    assert upload(ann, image_id, CONTENT).status == 204


def test_stored_bytes_are_counted_and_given_back(service: Service) -> None:
    ann = service.limited(image_size_total=2).client("ann:p1:member")
    first = active(ann, b"x" * MIB)
    second = active(ann, b"y")
    third = create(ann)
    refused = upload(ann, third, b"z")
    assert refused.status == 413
    assert "already used 2 of 2 image_size_total" in refused.text
    assert show(ann, third)["status"] == "queued"
    assert service.files() == sorted([first, second])
    ann.delete(f"/v2/images/{second}")
    assert upload(ann, third, b"z").status == 204


def test_uploads_at_the_same_time_are_counted(service: Service) -> None:
    ann = service.limited(image_count_uploading=0).client("ann:p1:member")
    image_id = create(ann)
    assert upload(ann, image_id, b"x").status == 413
    assert show(ann, image_id)["status"] == "queued"
    free = service.client("ann:p1:member")
    assert upload(free, image_id, b"x").status == 204
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert usage["image_count_uploading"] == {"usage": 0, "limit": 0}


@pytest.fixture
def caller() -> Context:
    roles = frozenset({"member", "reader"})
    return Context(user_id="ann", project_id="p1", roles=roles, policy=Policy(RULES))


def receive(tools: ImageTools, caller: Context, image_id: str, pieces: Iterator[bytes]) -> None:
    given = image_data.Upload(image_id=image_id, pieces=pieces)
    image_data.upload(tools.db, caller, tools.images, tools.image_limits, given)


def test_an_image_deleted_during_its_upload_is_gone(
    ann: Client, tools: ImageTools, service: Service, caller: Context
) -> None:
    image_id = create(ann)

    def pieces() -> Iterator[bytes]:
        yield b"one"
        assert show(ann, image_id)["status"] == "saving"
        assert ann.delete(f"/v2/images/{image_id}").status == 204
        yield b"two"

    with pytest.raises(NoLongerThere, match="deleted during the upload"):
        receive(tools, caller, image_id, pieces())
    assert ann.get(f"/v2/images/{image_id}").status == 404
    assert service.files() == []
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert {one["usage"] for one in usage.values()} == {0}


def test_of_two_uploads_the_first_has_the_image(
    ann: Client, tools: ImageTools, caller: Context
) -> None:
    image_id = create(ann)

    def pieces() -> Iterator[bytes]:
        yield b"one"
        with pytest.raises(Conflict, match="from saving to saving"):
            receive(tools, caller, image_id, iter([b"other"]))

    receive(tools, caller, image_id, pieces())
    assert ann.get(f"/v2/images/{image_id}/file").body == b"one"


def test_an_upload_that_fails_midway_leaves_nothing(
    ann: Client, tools: ImageTools, service: Service, caller: Context, db: Database
) -> None:
    image_id = create(ann)

    def pieces() -> Iterator[bytes]:
        yield b"x" * MIB
        raise Invalid("broken")

    with pytest.raises(Invalid, match="broken"):
        receive(tools, caller, image_id, pieces())
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []

"""What settings have imports do: unpack what is packed, convert disks; bombs go off nowhere."""

import dataclasses
import gzip
import io
import os
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulo.services.image import reconcile
from cumulo.services.image.drivers import programs
from cumulo.services.image.errors import InvalidImageData
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.work import testing
from tests.client import Client
from tests.image import malice
from tests.image.service import BYTES, MIB, Service, create, show

CONTENT = os.urandom(3000) + bytes(MIB)
DIRECT = {"method": {"name": "glance-direct"}}
STEPS = [step.name for step in IMPORT_IMAGE.steps]


@pytest.fixture
def service(tools: ImageTools) -> Service:
    plugins = ("image_decompression", "image_conversion")
    limits = msgspec.structs.replace(tools.image_limits, image_import_plugins=plugins)
    return Service(dataclasses.replace(tools, image_limits=limits))


@pytest.fixture(scope="module")
def qcow2(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("disk")
    (place / "raw").write_bytes(CONTENT.ljust(2 * MIB, b"\0"))
    formats = ["-f", "raw", "-O", "qcow2"]
    subprocess.run(["qemu-img", "convert", *formats, place / "raw", place / "q"], check=True)
    return (place / "q").read_bytes()


def zipped(*members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(members):
            archive.writestr(f"disk{number}", content)
    return packed.getvalue()


def importing(client: Client, content: bytes, **fields: Any) -> str:
    image_id = create(client, **fields)
    url = f"/v2/images/{image_id}"
    assert client.put(f"{url}/stage", body=content, headers=BYTES).status == 204
    assert client.post(f"{url}/import", DIRECT).status == 202
    return image_id


def reason(client: Client, image_id: str) -> str:
    (task,) = client.get(f"/v2/images/{image_id}/tasks").json()["tasks"]
    assert task["status"] == "failure"
    return str(task["message"])


@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_what_is_packed_is_unpacked(service: Service, ann: Client, pack: Any) -> None:
    image_id = importing(ann, pack(CONTENT), container_format="compressed")
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["size"]) == ("active", len(CONTENT))
    assert (shown["container_format"], shown["disk_format"]) == ("bare", "raw")
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT
    assert service.files() == [image_id]


def test_a_disk_is_converted(service: Service, ann: Client, qcow2: bytes) -> None:
    image_id = importing(ann, gzip.compress(qcow2), container_format="compressed",
                         disk_format="qcow2")  # fmt: skip
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["disk_format"]) == ("active", "raw")
    assert shown["size"] == shown["virtual_size"] == 2 * MIB
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT.ljust(2 * MIB, b"\0")
    assert service.files() == [image_id]


@pytest.mark.parametrize(
    ("content", "fields", "told"),
    [
        (gzip.compress(bytes(9 * MIB)), {}, "too large"),
        (zipped(bytes(9 * MIB)), {}, "too large"),
        (gzip.compress(CONTENT)[:-20], {}, "broken"),
        (zipped(CONTENT)[:2000], {}, "broken"),
        (zipped(CONTENT, CONTENT), {}, "several"),
        (b"PK\x03\x04", {}, "one file"),
        (CONTENT, {}, "not compressed"),
        (
            gzip.compress(malice.qcow2(backing_file="/etc/shadow")),
            {"disk_format": "qcow2"},
            "backing file",
        ),
        (gzip.compress(malice.qcow2()), {"disk_format": "raw"}, "does not match"),
        (gzip.compress(malice.vmdk_text()), {"disk_format": "vmdk"}, "descriptor only"),
    ],
)
def test_what_is_dangerous_leaves_a_queued_image_and_a_reason(
    service: Service, ann: Client, content: bytes, fields: dict[str, str], told: str
) -> None:
    """OSSA-2013-029 among others: little that becomes much."""
    image_id = importing(ann, content, container_format="compressed", **fields)
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["container_format"]) == ("queued", "compressed")
    assert told in reason(ann, image_id)
    assert service.files() == []


def test_a_disk_that_grows_when_converted_is_refused(service: Service, ann: Client) -> None:
    image_id = importing(ann, malice.qcow2(virtual_size=64 * MIB), disk_format="qcow2")
    service.work()
    assert show(ann, image_id)["status"] == "queued"
    assert "cannot be converted" in reason(ann, image_id)
    assert service.files() == []


def test_without_the_settings_nothing_is_done(tools: ImageTools, qcow2: bytes) -> None:
    service = Service(tools)
    ann = service.client("ann:p1:member")
    image_id = importing(ann, qcow2, disk_format="qcow2")
    service.work()
    assert ann.get(f"/v2/images/{image_id}/file").body == qcow2


def test_steps_may_repeat(service: Service, ann: Client, qcow2: bytes) -> None:
    image_id = importing(ann, gzip.compress(qcow2), container_format="compressed",
                         disk_format="qcow2")  # fmt: skip
    testing.steps_may_repeat(IMPORT_IMAGE, None, service.tools.db, service.tools)
    assert show(ann, image_id)["size"] == 2 * MIB
    assert service.files() == [image_id]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", ["transform_bytes", "adopt_bytes"])
def test_a_step_that_fails_leaves_nothing(
    service: Service, ann: Client, step: str, before: bool
) -> None:
    image_id = importing(ann, gzip.compress(CONTENT), container_format="compressed")
    testing.unwinds_from(step, IMPORT_IMAGE, None, service.tools.db, service.tools, before=before)
    assert show(ann, image_id)["status"] == "queued"
    assert show(ann, image_id)["container_format"] == "compressed"
    assert service.files() == []


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_another_process_carries_on(service: Service, ann: Client, step: str, before: bool) -> None:
    image_id = importing(ann, gzip.compress(CONTENT), container_format="compressed")
    testing.crash_at(step, IMPORT_IMAGE, None, service.tools.db, service.tools, before=before)
    assert ann.get(f"/v2/images/{image_id}/file").body == CONTENT
    reconcile.remove_orphans(service.tools)
    assert service.files() == [image_id]


def test_the_format_is_told_to_the_program_and_never_guessed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"SECRET".ljust(MIB, b"!"))
    lying = malice.qcow2(backing_file=str(secret), virtual_size=MIB)
    (tmp_path / "image").write_bytes(lying)
    programs.convert((tmp_path / "image", "raw"), (tmp_path / "made", "raw"), most_bytes=8 * MIB)
    assert (tmp_path / "made").read_bytes() == lying


def test_a_program_that_needs_too_much_memory_is_stopped(tmp_path: Path) -> None:
    """OSSA-2016-012: qemu-img was given an image that takes all there is."""
    (tmp_path / "image").write_bytes(struct.pack("<Q", 1) * 1024)
    with pytest.raises(InvalidImageData, match="cannot be converted"):
        programs.convert(
            (tmp_path / "image", "raw"), (tmp_path / "made", "qcow2"), most_bytes=MIB, memory=MIB
        )

"""Images written from volumes and volumes from images: in every format, and nothing lies about."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cumulo.kit.units import MIB
from cumulo.services.image import public as images
from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.drivers.file import FileDriver
from cumulo.services.volume.workflows.upload_volume import FORMATS
from tests.client import Client
from tests.cloud import Emulated
from tests.processes import side_by_side
from tests.volume.conftest import Made
from tests.volume.mortal import VOLUME_ID, pack, seal, write


@pytest.mark.parametrize("disk_format", ["raw", *FORMATS])
def test_an_image_of_a_volume_is_of_the_format_that_was_asked_for(
    emulated: Emulated,
    ann: Client,
    made: Made,
    driver: FakeDriver,
    tmp_path: Path,
    disk_format: str,
) -> None:
    driver.reads_gib = 5 / 1024
    volume_id = made.volume()
    driver.overwrite(volume_id, [(0, b"first"), (3 * MIB, b"later")])
    wanted = {"image_name": "i", "disk_format": disk_format}
    action = {"os-volume_upload_image": wanted}
    told = ann.post(f"/v3/volumes/{volume_id}/action", action).json()["os-volume_upload_image"]
    emulated.work()
    assert ann.get(f"/v3/volumes/{volume_id}").json()["volume"]["status"] == "available"
    tools, image_id = emulated.cloud.volume.image, told["image_id"]
    image = tools.db.read(images.get_image, images.as_the_cloud(), image_id)
    assert image.disk_format == disk_format
    packed, raw = tmp_path / "packed", tmp_path / "raw"
    packed.write_bytes(b"".join(images.read(tools, image_id)))
    formats = ["-f", FORMATS.get(disk_format, "raw"), "-O", "raw"]
    subprocess.run(["qemu-img", "convert", *formats, str(packed), str(raw)], check=True)
    disk = raw.read_bytes()
    assert (disk[:5], disk[3 * MIB : 3 * MIB + 5]) == (b"first", b"later")
    assert disk.count(0) == len(disk) - 10


@pytest.mark.parametrize("work", [write, seal, pack], ids=lambda work: work.__name__)
def test_who_is_killed_meanwhile_leaves_nothing_that_nobody_removes(
    tmp_path: Path, work: Callable[[Path], None]
) -> None:
    driver = FileDriver("file", tmp_path)
    assert side_by_side(1, work, tmp_path) == [-signal.SIGKILL]
    left = {one.volume_id for one in driver.present()}
    assert left == ({VOLUME_ID} if work is write else set())
    driver.delete(VOLUME_ID)
    assert list(tmp_path.iterdir()) == []

"""What volumes hold: when they are new, nothing or an image; later, at one moment."""

from cumulo.services.image import public as images
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import Content, LocalFiles, Seals, Source
from cumulo.services.volume.new_volumes import FORMATS, KEY
from cumulo.services.volume.recryption import how_closed
from cumulo.services.volume.store.attachments import attachments_of
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools


def content_of(tools: VolumeTools, image: images.Image) -> Content:
    """Return an image's bytes."""
    is_sealed = KEY in image.properties
    return Content(
        FORMATS[image.disk_format], images.read(tools.image, image.id), is_sealed=is_sealed
    )


def write_new(
    tools: VolumeTools, volume: Volume, content: Content | None, pool: str | None = None
) -> None:
    """Make a volume, or find it made, with what it is to hold; nothing if no content is given.

    In another `pool` than it is in if one is named.
    """
    driver = tools.driver(pool or volume.host)
    is_sealed = content is not None and content.is_sealed
    if volume.encryption_key_id is not None and isinstance(driver, Seals) and not is_sealed:
        how = (tools, volume.encryption_key_id, volume.type_id)
        passphrase, cipher = tools.db.read(how_closed, *how)
        sealing = luks.container(content, volume.size_gib, passphrase, cipher, driver.scratch())
        with sealing as pieces:
            driver.create(volume.id, volume.size_gib)
            driver.overwrite(volume.id, pieces)
    elif content is not None:
        driver.write(volume.id, volume.size_gib, content)
    else:
        driver.create(volume.id, volume.size_gib)


def keep_now(tools: VolumeTools, volume: Volume, source: Source) -> None:
    """Keep what a volume holds at one moment, also while a guest writes to it."""
    driver = tools.driver(volume.host)
    if isinstance(driver, LocalFiles):
        # Only the guest's host can copy at one moment what is being written there.
        path = driver.snapshot_path(source)
        for one in tools.db.read(attachments_of, volume.id):
            if one.server_id and tools.servers.copy_volume(one.server_id, volume.id, path):
                return
    driver.create_snapshot(source)

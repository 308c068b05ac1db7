"""What hosts must know of volumes to open them, besides where they are."""

from cumulo.services.volume import keys
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import LocalFiles, Locked, Seals, Source
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools


def only_host(tools: VolumeTools, volume: Volume) -> str | None:
    """Return the one host that reaches a volume, wherever it will be put; None: each does."""
    backend = volume.backend
    known = [tools.places[backend]] if backend in tools.places else tools.places.values()
    for one in known:
        if one.settings.is_shared or not isinstance(one.driver, LocalFiles):
            return None
    return tools.host


def secrets_of(tools: VolumeTools, volume_id: str) -> dict[str, str]:
    """Return what a host needs besides the connection.

    `ceph` is the key of the back end's user, `luks` the passphrase of an encrypted volume.
    """
    volume = tools.db.read(store.volume_get, volume_id)
    driver, found = tools.driver(volume.host), {}
    if isinstance(driver, Locked) and (key := driver.key()):
        found["ceph"] = key
    if volume.encryption_key_id is not None and isinstance(driver, Seals):
        key_id = volume.encryption_key_id
        found["luks"] = tools.db.read(keys.passphrase_of, tools.safe, key_id)
    return found


def header_of(tools: VolumeTools, volume_id: str) -> int:
    """Return how many bytes come before an encrypted disk's own; 0: it is not encrypted."""
    volume = tools.db.read(store.volume_get, volume_id)
    driver = tools.driver(volume.host)
    if volume.encryption_key_id is None or not isinstance(driver, Seals):
        return 0
    head = driver.read(Source(volume_id=volume_id), 0, luks.HEAD)
    return luks.header_size(b"".join(head))

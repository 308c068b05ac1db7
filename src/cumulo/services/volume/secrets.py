"""What hosts must know of volumes to open them, besides where they are."""

from cumulo.services.volume import keys
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import LocalFiles, Locked, Seals, Source
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import Place, Reached, VolumeTools


def only_host(tools: VolumeTools, volume: Volume) -> str | None:
    """Return the one host that reaches a volume, wherever it will be put; None: each does."""
    backend = volume.backend
    known = [tools.places[backend]] if backend in tools.places else tools.places.values()
    return tools.host if all(_is_of_one_host(one) for one in known) else None


def reaches(tools: VolumeTools, host: str, pool: str) -> bool:
    """Say whether a host reaches the volumes of a back end."""
    place = tools.places.get(pool.partition("#")[0])
    return place is not None and (host == tools.host or not _is_of_one_host(place))


def _is_of_one_host(place: Place) -> bool:
    return isinstance(place.driver, LocalFiles) and not place.settings.is_shared


def reached_at(tools: VolumeTools, volume: Volume, pool: str) -> Reached:
    """Return how a host reaches a volume that is in this back end, too."""
    return Reached(
        target=tools.driver(pool).connect(volume.id).target,
        header=_header(tools, volume, pool),
        secrets=_secrets(tools, volume, pool),
    )


def secrets_of(tools: VolumeTools, volume_id: str) -> dict[str, str]:
    """Return what a host needs besides the connection.

    `ceph` is the key of the back end's user, `luks` the passphrase of an encrypted volume.
    """
    volume = tools.db.read(store.volume_get, volume_id)
    return _secrets(tools, volume, volume.host)


def _secrets(tools: VolumeTools, volume: Volume, pool: str | None) -> dict[str, str]:
    driver, found = tools.driver(pool), {}
    if isinstance(driver, Locked) and (key := driver.key()):
        found["ceph"] = key
    if volume.encryption_key_id is not None and isinstance(driver, Seals):
        key_id = volume.encryption_key_id
        found["luks"] = tools.db.read(keys.passphrase_of, tools.safe, key_id)
    return found


def header_of(tools: VolumeTools, volume_id: str) -> int:
    """Return how many bytes come before an encrypted disk's own; 0: it is not encrypted."""
    volume = tools.db.read(store.volume_get, volume_id)
    return _header(tools, volume, volume.host)


def _header(tools: VolumeTools, volume: Volume, pool: str | None) -> int:
    driver = tools.driver(pool)
    if volume.encryption_key_id is None or not isinstance(driver, Seals):
        return 0
    head = driver.read(Source(volume_id=volume.id), 0, luks.HEAD)
    return luks.header_size(b"".join(head))

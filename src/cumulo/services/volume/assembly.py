"""Back ends from what an operator wrote about them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from cumulo.services.objectstore import public as objects
from cumulo.services.volume.drivers.backup_directory import BackupDirectory
from cumulo.services.volume.drivers.backup_objects import BackupObjects
from cumulo.services.volume.drivers.backup_store import BackupStore
from cumulo.services.volume.drivers.base import VolumeDriver
from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.drivers.file import FileDriver
from cumulo.services.volume.drivers.rbd import RbdDriver, RbdSettings
from cumulo.services.volume.keys import Safe
from cumulo.services.volume.settings import BackendSettings, VolumeSettings
from cumulo.services.volume.tools import Place

FILES = BackendSettings(name="file")
EMULATED = BackendSettings(name="fake", driver="fake")


def files_in(directory: Path) -> BackendSettings:
    """Return the back end of a cloud whose operator named none."""
    return BackendSettings(name=FILES.name, directory=str(directory / FILES.name))


def places(
    settings: VolumeSettings, host: str, state: Path, first: BackendSettings
) -> Mapping[str, Place]:
    """Return the back ends of this process, or `first` where an operator named none.

    Files lie beside those of `first` unless a directory is named: guests may pass there.
    """
    wanted = settings.backends or (first,)
    named = {f"{host}@{one.name}": one for one in wanted}
    beside = Path(first.directory).parent if first.directory else state / "volumes"
    return {name: Place(_driver(name, one, beside), one) for name, one in named.items()}


def backups(
    settings: VolumeSettings, state: Path, objectstore: Callable[[], objects.Tools]
) -> BackupStore:
    """Return where backups are kept."""
    if settings.backup_driver == "swift":
        place = (settings.backup_swift_project, settings.backup_swift_container)
        return BackupObjects(lambda: objects.ProjectContainer(objectstore(), *place))
    return BackupDirectory(Path(settings.backup_directory or state / "backups"))


def safe(state: Path) -> Safe:
    """Return what seals the keys of encrypted volumes: a file that is to be kept with backups."""
    return Safe(state / "volume-keys.secret")


def _driver(host: str, one: BackendSettings, beside: Path) -> VolumeDriver:
    directory = Path(one.directory) if one.directory else beside / one.name
    if one.driver == "fake":
        return FakeDriver(one.name, capacity_gib=one.capacity_gib, directory=directory)
    if one.driver == "rbd":
        pool = RbdSettings(pool=one.rbd_pool, user=one.rbd_user, conf=one.rbd_ceph_conf, owner=host)
        return RbdDriver(one.name, pool, directory)
    return FileDriver(one.name, directory)

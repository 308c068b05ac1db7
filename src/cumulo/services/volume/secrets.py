"""What opens volumes: told to the hosts that have them, never kept with the servers' records."""

from cumulo.services.volume.drivers.base import Locked
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.tools import VolumeTools


def secrets_of(tools: VolumeTools, volume_id: str) -> dict[str, str]:
    """Return what a host needs besides the connection: `ceph`, the key of the back end's user."""
    volume = tools.db.read(store.volume_get, volume_id)
    driver, found = tools.driver(volume.host), {}
    if isinstance(driver, Locked) and (key := driver.key()):
        found["ceph"] = key
    return found

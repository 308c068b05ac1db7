"""Keeping what is told of back ends true, and back ends free of what no row owns."""

from datetime import timedelta

from cumulo.db import Tx
from cumulo.kit import clock, log
from cumulo.kit.errors import CloudError
from cumulo.services.image import public as images
from cumulo.services.volume import backends, backup_pieces
from cumulo.services.volume.drivers.base import Shares, Source
from cumulo.services.volume.new_volumes import KEY
from cumulo.services.volume.store import backups as backup_store
from cumulo.services.volume.store import keys, messages, snapshots, volumes
from cumulo.services.volume.tools import Place, VolumeTools
from cumulo.work import Reconciler

LOG = log.get("volume")
# From the first byte of a volume to the row that says where it is takes no longer.
_GRACE_S = 600.0


def report_backends(tools: VolumeTools) -> None:
    """Let the scheduler know how every back end does."""
    backends.report_backends(tools)


def remove_orphans(tools: VolumeTools) -> None:
    """Remove what no row owns; the back end is read before the rows, so new ones are safe."""
    for host, place in tools.places.items():
        try:
            _remove_orphans(tools, f"{host}#{place.settings.name}", place)
        except CloudError as error:
            LOG.warning("back end left as it is", backend=host, reason=error.message)


def _remove_orphans(tools: VolumeTools, pool: str, place: Place) -> None:
    if isinstance(place.driver, Shares):
        place.driver.tidy()
    old = clock.timestamp() - _GRACE_S
    found = [one for one in place.driver.present() if one.touched_at < old]
    if not found:
        return
    ours = tools.db.read(volumes.volumes_on, pool) | tools.db.read(snapshots.snapshots_on, pool)
    ours |= tools.db.read(backup_store.backups_being_made)  # of snapshots by their ids
    for one in found:
        if (one.snapshot_id or one.volume_id) in ours:
            continue
        LOG.warning("removed what no row owns", backend=pool, volume=one.volume_id)
        if one.snapshot_id is not None:
            source = Source(volume_id=one.volume_id, snapshot_id=one.snapshot_id)
            place.driver.delete_snapshot(source)
        else:
            place.driver.delete(one.volume_id)


def remove_lost_backups(tools: VolumeTools) -> None:
    """Remove what lies in the store of backups and is none; the store is read before the rows."""
    old = clock.timestamp() - _GRACE_S
    found = [backup_id for backup_id, touched_at in tools.backups.present() if touched_at < old]
    known = tools.db.read(backup_store.backup_ids) if found else set()
    for backup_id in found:
        # One with an index may be another cloud's, to be imported; only what is half is removed.
        if backup_id not in known and not backup_pieces.is_whole(tools.backups, backup_id):
            tools.backups.delete(backup_id)


def forget_keys(tools: VolumeTools) -> None:
    """Forget keys that no volume, backup or image needs; those are asked about one by one."""
    before = clock.now() - timedelta(seconds=_GRACE_S)
    for key_id in tools.db.read(keys.keys_without_disk, before):
        tools.db.write(_forget_unneeded, key_id)


def _forget_unneeded(tx: Tx, key_id: str) -> None:
    if not images.images_with(tx, {KEY: key_id}):
        keys.key_delete(tx, key_id)


def forget_messages(tools: VolumeTools) -> None:
    """Forget messages that were kept long enough."""
    tools.db.write(messages.messages_prune, clock.now())


RECONCILERS = [
    Reconciler(report_backends, every_s=30.0, name="volume.report_backends"),
    Reconciler(remove_orphans, every_s=300.0, name="volume.remove_orphans"),
    Reconciler(remove_lost_backups, every_s=600.0, name="volume.remove_lost_backups"),
    Reconciler(forget_keys, every_s=3600.0, name="volume.forget_keys"),
    Reconciler(forget_messages, every_s=3600.0, name="volume.forget_messages"),
]

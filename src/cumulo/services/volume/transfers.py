"""Giving a volume to another project: who has the key takes it."""

import hashlib
import hmac
from collections.abc import Mapping

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid, NotFound
from cumulo.kit.ids import new_id, new_secret
from cumulo.services.volume import keys, quotas, volumes
from cumulo.services.volume.settings import Quotas
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import transfers as store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.store.listing import Wanted
from cumulo.services.volume.store.transfers import Transfer as Transfer
from cumulo.services.volume.volume_types import type_visible


def transfer_visible(tx: Tx, ctx: Context, transfer_id: str) -> Transfer:
    """Return a transfer of the caller's project; others do not exist."""
    found = store.transfer_find(tx, transfer_id)
    if found is None or (found.project_id != ctx.project_id and not ctx.is_admin):
        raise NotFound(f"Transfer {transfer_id} could not be found.", transfer_id=transfer_id)
    return found


def list_transfers(tx: Tx, wanted: Wanted) -> list[Transfer]:
    """Return a page of transfers that are open."""
    return [one for one in store.transfer_list(tx, wanted) if not one.is_accepted]


def new_transfer(
    tx: Tx,
    ctx: Context,
    volume_id: str,
    name: str | None,
    *,
    with_snapshots: bool,
    may_be_encrypted: bool,
) -> tuple[Transfer, str]:
    """Offer a volume; return the offer and the key by which it is taken, which is told once."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    snapshots = snapshot_store.snapshots_of(tx, volume_id)
    if volume.group_id is not None:
        raise Invalid("Invalid volume: volume in group can not be transferred.")
    if volume.encryption_key_id is not None and not may_be_encrypted:
        raise Invalid("Invalid volume: transferring encrypted volume is not supported.")
    if with_snapshots and any(one.status != "available" for one in snapshots):
        raise Invalid("Invalid snapshot: status of each snapshot must be available.")
    volumes.move_or_refuse(
        tx, volume, "awaiting-transfer", doing="transfer", expected=["available"]
    )
    key, salt = new_secret(8).hex(), new_secret(4).hex()
    made = Transfer(
        id=new_id(),
        volume_id=volume_id,
        project_id=volume.project_id,
        name=name,
        salt=salt,
        digest=_digest(salt, key),
        with_snapshots=with_snapshots,
        created_at=clock.now(),
    )
    store.transfer_insert(tx, made)
    volumes.record(tx, ctx, volume, "transfer_create", transfer=made.id)
    return made, key


def delete_transfer(tx: Tx, ctx: Context, transfer_id: str) -> None:
    """Offer the volume no more."""
    gone = transfer_visible(tx, ctx, transfer_id)
    store.transfer_delete(tx, gone.id)
    volume = volume_store.volume_get(tx, gone.volume_id)
    _end_offer(tx, volume, volume.project_id, {})
    volumes.record(tx, ctx, volume, "transfer_delete", transfer=gone.id)


def accept_transfer(tx: Tx, ctx: Context, defaults: Quotas, transfer_id: str, key: str) -> Transfer:
    """Let the caller's project have the volume, and count it there instead."""
    found = store.transfer_find(tx, transfer_id)
    if found is None:
        raise NotFound(f"Transfer {transfer_id} could not be found.", transfer_id=transfer_id)
    if not hmac.compare_digest(found.digest, _digest(found.salt, key)):
        raise Invalid(f"Attempt to transfer {transfer_id} with invalid auth key.", field="auth_key")
    if ctx.project_id is None:
        raise Invalid("A volume belongs to a project; use a token of one.")
    volume = volume_store.volume_get(tx, found.volume_id)
    if volume.status != "awaiting-transfer" or not store.transfer_accept(
        tx, transfer_id, ctx.project_id
    ):
        raise Invalid(f"Invalid volume: Volume {volume.id} is {volume.status}, not on offer.")
    type_visible(tx, ctx, volume.type_id)
    snapshots = snapshot_store.snapshots_of(tx, volume.id) if found.with_snapshots else []
    counted = {
        "volumes": 1,
        "gigabytes": volume.size_gib + sum(one.size_gib for one in snapshots),
        "snapshots": len(snapshots),
    }
    quotas.release(tx, volume.project_id, counted, volume.type_id)
    quotas.claim(tx, defaults, ctx.project_id, counted, volume.type_id)
    owner: dict[str, object] = {"project_id": ctx.project_id, "user_id": ctx.user_id}
    for one in snapshots:
        snapshot_store.snapshot_update(tx, one.id, **owner)
    _end_offer(tx, volume, ctx.project_id, owner)
    volumes.record(tx, ctx, volume, "transfer_accept", project_id=ctx.project_id)
    return found


def _end_offer(
    tx: Tx, volume: volumes.Volume, project_id: str, values: Mapping[str, object]
) -> None:
    """Let the volume be used again, under another key's id: who noted the old one has nothing.

    Cinder holds the key itself while an offer lasts, so that a withdrawal changes the id as well.
    """
    old = volume.encryption_key_id
    if old is not None:
        values = {**values, "encryption_key_id": keys.copy_key(tx, old, project_id)}
    if volume_store.volume_move(
        tx, volume.id, "available", expected=["awaiting-transfer"], values=values
    ):
        keys.forget_key(tx, old)


def _digest(salt: str, key: str) -> str:
    return hmac.new(salt.encode(), key.encode("utf-8"), hashlib.sha256).hexdigest()

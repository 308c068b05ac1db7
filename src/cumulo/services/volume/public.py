"""What other services, and the program itself, may have of block storage."""

import functools

from cumulo.auth import Context, Policy
from cumulo.db import Tx
from cumulo.services.volume.attachments import Attachment as Attachment
from cumulo.services.volume.attachments import NewAttachment as NewAttachment
from cumulo.services.volume.attachments import begin_release as begin_release
from cumulo.services.volume.attachments import complete as complete
from cumulo.services.volume.attachments import connect as connect
from cumulo.services.volume.attachments import disconnect as disconnect
from cumulo.services.volume.attachments import hold as hold
from cumulo.services.volume.attachments import release as release
from cumulo.services.volume.attachments import reserve as reserve
from cumulo.services.volume.attachments import roll_release as roll_release
from cumulo.services.volume.attachments import settle as settle
from cumulo.services.volume.backends import report_backends as report_backends
from cumulo.services.volume.drivers.base import Connection as Connection
from cumulo.services.volume.new_volumes import NewVolume as NewVolume
from cumulo.services.volume.policy import RULES
from cumulo.services.volume.qos_specs import limits_of as limits_of
from cumulo.services.volume.secrets import header_of as header_of
from cumulo.services.volume.secrets import only_host as only_host
from cumulo.services.volume.secrets import secrets_of as secrets_of
from cumulo.services.volume.settings import VolumeSettings as VolumeSettings
from cumulo.services.volume.snapshots import NewSnapshot as NewSnapshot
from cumulo.services.volume.snapshots import Snapshot as Snapshot
from cumulo.services.volume.snapshots import list_snapshots as list_snapshots
from cumulo.services.volume.snapshots import snapshot_visible as snapshot_visible
from cumulo.services.volume.store.snapshots import snapshot_find as snapshot_find
from cumulo.services.volume.store.volumes import volume_move as _volume_move
from cumulo.services.volume.tools import NoServers as NoServers
from cumulo.services.volume.tools import Reached as Reached
from cumulo.services.volume.tools import Servers as Servers
from cumulo.services.volume.tools import VolumeTools as VolumeTools
from cumulo.services.volume.volume_types import add_default_type as add_default_type
from cumulo.services.volume.volumes import Volume as Volume
from cumulo.services.volume.volumes import Wanted as Wanted
from cumulo.services.volume.volumes import Whole as Whole
from cumulo.services.volume.volumes import image_metadata as image_metadata
from cumulo.services.volume.volumes import is_free as is_free
from cumulo.services.volume.volumes import list_whole as list_whole
from cumulo.services.volume.volumes import show as show
from cumulo.services.volume.volumes import volume_find as volume_find
from cumulo.services.volume.volumes import volume_get as volume_get
from cumulo.services.volume.volumes import volume_visible as volume_visible
from cumulo.services.volume.workflows.create_snapshot import create_snapshot as create_snapshot
from cumulo.services.volume.workflows.create_volume import create_volume as create_volume
from cumulo.services.volume.workflows.delete_snapshot import delete_snapshot as delete_snapshot
from cumulo.services.volume.workflows.delete_volume import delete_volume as delete_volume
from cumulo.services.volume.workflows.reimage_volume import check_image as check_image
from cumulo.services.volume.workflows.reimage_volume import write_image as write_image


def create_for_server(
    tx: Tx, ctx: Context, tools: VolumeTools, spec: NewVolume, server_id: str
) -> Attachment:
    """Have a volume made that is reserved for a server from the beginning."""
    made = create_volume(tx, ctx, tools, spec)
    return hold(tx, made, server_id)


def begin_reimage(tx: Tx, volume_id: str) -> None:
    """Say that a volume, which its server let go for a while, is being written anew."""
    _volume_move(tx, volume_id, "downloading", expected=["in-use", "reserved"])


def end_reimage(tx: Tx, volume_id: str) -> None:
    """Say that it is its server's again."""
    if _volume_move(tx, volume_id, "available", expected=["downloading"]):
        settle(tx, volume_id)


def as_the_cloud() -> Context:
    """Return the context in which the cloud itself handles volumes, whosever they are."""
    return Context(user_id="cumulo", roles=frozenset({"admin"}), policy=_policy())


@functools.cache
def _policy() -> Policy:
    return Policy(RULES)

"""The tables of volumes, snapshots, attachments, types and back ends."""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, long_text, text_key


def _flag(name: str, **more: object) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False, **more)  # type: ignore[arg-type]


backend = sa.Table(
    "volume_backend",
    metadata,
    sa.Column("host", text_key(255), primary_key=True),  # host@backend
    sa.Column("pool", text_key(255), nullable=False),  # host@backend#pool
    sa.Column("uuid", text_key(36), nullable=False),
    sa.Column("capabilities", sa.JSON, nullable=False),
    sa.Column("total_gib", sa.Double, nullable=False),
    sa.Column("free_gib", sa.Double, nullable=False),
    # Of volumes placed there, changed with them in one transaction.
    sa.Column("allocated_gib", sa.BigInteger, nullable=False),
    sa.Column("limit_gib", sa.BigInteger, nullable=False),  # of what may be allocated
    sa.Column("availability_zone", text_key(255), nullable=False),
    _flag("is_disabled"),
    sa.Column("disabled_reason", text_key(255)),
    _flag("is_frozen"),
    sa.Column("trouble", long_text()),  # why the back end could not be asked, if so
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

qos_specs = sa.Table(
    "volume_qos_specs",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("name", text_key(255), nullable=False, unique=True),
    sa.Column("consumer", text_key(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

volume_type = sa.Table(
    "volume_type",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("name", text_key(255), nullable=False, unique=True),
    sa.Column("description", text_key(255)),
    _flag("is_public"),
    sa.Column("qos_specs_id", sa.ForeignKey(qos_specs.c.id)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

type_access = sa.Table(
    "volume_type_access",
    metadata,
    sa.Column("type_id", sa.ForeignKey(volume_type.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", text_key(255), primary_key=True),
)

encryption = sa.Table(
    "volume_type_encryption",
    metadata,
    sa.Column("type_id", sa.ForeignKey(volume_type.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("id", text_key(36), nullable=False, unique=True),
    sa.Column("provider", text_key(255), nullable=False),
    sa.Column("cipher", text_key(255)),
    sa.Column("key_size", sa.Integer),
    sa.Column("control_location", text_key(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

default_type = sa.Table(
    "volume_default_type",
    metadata,
    sa.Column("project_id", text_key(255), primary_key=True),
    sa.Column("type_id", sa.ForeignKey(volume_type.c.id, ondelete="CASCADE"), nullable=False),
)

# What opens encrypted volumes, as only who has the file beside the database can read it.
key = sa.Table(
    "volume_key",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("project_id", text_key(255), nullable=False),
    sa.Column("sealed", long_text(), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

volume = sa.Table(
    "volume",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("project_id", text_key(255), nullable=False),
    sa.Column("user_id", text_key(255), nullable=False),
    sa.Column("name", text_key(255)),
    sa.Column("description", text_key(255)),
    sa.Column("size_gib", sa.BigInteger, nullable=False),
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("previous_status", text_key(32)),
    sa.Column("attach_status", text_key(32), nullable=False),
    sa.Column("migration_status", text_key(64)),
    sa.Column("availability_zone", text_key(255), nullable=False),
    sa.Column("host", text_key(255)),  # the pool: host@backend#pool
    sa.Column("type_id", sa.ForeignKey(volume_type.c.id), nullable=False),
    sa.Column("snapshot_id", text_key(36)),
    sa.Column("source_volume_id", text_key(36)),
    sa.Column("backup_id", text_key(36)),  # what it was last restored from
    sa.Column("group_id", text_key(36)),
    sa.Column("encryption_key_id", text_key(36)),
    _flag("is_bootable"),
    _flag("is_multiattach"),
    sa.Column("is_readonly", sa.Boolean(create_constraint=False)),  # None: nobody ever said
    _flag("consumes_quota"),
    sa.Column("moving_to", text_key(255)),  # the pool, with room taken there
    sa.Column("moving_key_id", text_key(36)),  # that its copy there is encrypted by, if another
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
    sa.Column("launched_at", UtcDateTime),
    sa.Index("ix_volume_project_id_created_at", "project_id", "created_at"),
    sa.Index("ix_volume_group_id", "group_id"),
)

snapshot = sa.Table(
    "volume_snapshot",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("volume_id", sa.ForeignKey(volume.c.id), nullable=False, index=True),
    sa.Column("project_id", text_key(255), nullable=False, index=True),
    sa.Column("user_id", text_key(255), nullable=False),
    sa.Column("name", text_key(255)),
    sa.Column("description", text_key(255)),
    sa.Column("size_gib", sa.BigInteger, nullable=False),
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("progress", text_key(8), nullable=False),
    sa.Column("type_id", text_key(36), nullable=False),
    sa.Column("group_snapshot_id", text_key(36)),
    sa.Column("encryption_key_id", text_key(36)),
    _flag("consumes_quota"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

# Words noted with a volume, snapshot, backup, type or QoS: `kind` says whose and which.
item = sa.Table(
    "volume_item",
    metadata,
    sa.Column("owner_id", text_key(36), primary_key=True),
    sa.Column("kind", text_key(16), primary_key=True),  # as store/items.py names them
    sa.Column("key", text_key(255), primary_key=True),
    sa.Column("value", long_text(), nullable=False),
)

attachment = sa.Table(
    "volume_attachment",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("volume_id", sa.ForeignKey(volume.c.id), nullable=False, index=True),
    sa.Column("project_id", text_key(255), nullable=False),
    sa.Column("server_id", text_key(36), index=True),
    sa.Column("host_name", text_key(255)),
    sa.Column("mountpoint", text_key(255)),
    sa.Column("mode", text_key(8)),
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("connector", sa.JSON),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("attached_at", UtcDateTime),
    sa.Column("detached_at", UtcDateTime),
)

message = sa.Table(
    "volume_message",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("project_id", text_key(255), nullable=False, index=True),
    sa.Column("request_id", text_key(255)),
    sa.Column("resource_type", text_key(36), nullable=False),
    sa.Column("resource_id", text_key(255)),
    sa.Column("event_id", text_key(255), nullable=False),
    sa.Column("user_message", long_text(), nullable=False),
    sa.Column("level", text_key(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("guaranteed_until", UtcDateTime, nullable=False),
)

transfer = sa.Table(
    "volume_transfer",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("volume_id", sa.ForeignKey(volume.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("project_id", text_key(255), nullable=False, index=True),  # whose it was
    sa.Column("destination_project_id", text_key(255)),
    sa.Column("name", text_key(255)),
    sa.Column("salt", text_key(64), nullable=False),
    sa.Column("digest", text_key(128), nullable=False),  # of the key, which nobody keeps
    _flag("with_snapshots"),
    _flag("is_accepted"),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

group_type = sa.Table(
    "volume_group_type",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("name", text_key(255), nullable=False, unique=True),
    sa.Column("description", text_key(255)),
    _flag("is_public"),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

group = sa.Table(
    "volume_group",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("project_id", text_key(255), nullable=False, index=True),
    sa.Column("user_id", text_key(255), nullable=False),
    sa.Column("name", text_key(255)),
    sa.Column("description", text_key(255)),
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("availability_zone", text_key(255), nullable=False),
    sa.Column("group_type_id", sa.ForeignKey(group_type.c.id), nullable=False),
    sa.Column("volume_types", sa.JSON, nullable=False),  # their ids
    sa.Column("group_snapshot_id", text_key(36)),
    sa.Column("source_group_id", text_key(36)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

group_snapshot = sa.Table(
    "volume_group_snapshot",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("group_id", sa.ForeignKey(group.c.id), nullable=False, index=True),
    sa.Column("group_type_id", text_key(36), nullable=False),
    sa.Column("project_id", text_key(255), nullable=False, index=True),
    sa.Column("user_id", text_key(255), nullable=False),
    sa.Column("name", text_key(255)),
    sa.Column("description", text_key(255)),
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

backup = sa.Table(
    "volume_backup",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("volume_id", text_key(36), nullable=False, index=True),
    sa.Column("project_id", text_key(255), nullable=False, index=True),
    sa.Column("user_id", text_key(255), nullable=False),
    sa.Column("name", text_key(255)),
    sa.Column("description", text_key(255)),
    sa.Column("container", text_key(255)),
    sa.Column("size_gib", sa.BigInteger, nullable=False),
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("fail_reason", long_text()),
    sa.Column("parent_id", text_key(36), index=True),  # of an incremental one
    sa.Column("snapshot_id", text_key(36)),
    sa.Column("object_count", sa.Integer, nullable=False),
    sa.Column("encryption_key_id", text_key(36)),
    sa.Column("availability_zone", text_key(255)),
    sa.Column("data_timestamp", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

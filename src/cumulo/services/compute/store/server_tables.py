"""The tables of servers and of what was done with them."""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import SharedJson, UtcDateTime, long_text, text_key

server = sa.Table(
    "compute_server",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", text_key(36), nullable=False, unique=True),
    sa.Column("project_id", text_key(64), nullable=False),
    sa.Column("user_id", text_key(64), nullable=False),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("hostname", text_key(255), nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("launched_at", UtcDateTime),
    sa.Column("terminated_at", UtcDateTime),
    sa.Column("is_deleted", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("vm_state", text_key(32), nullable=False),
    sa.Column("task_state", text_key(64)),
    sa.Column("power_state", sa.Integer, nullable=False),
    sa.Column("host", text_key(255)),
    sa.Column("image_id", text_key(36)),
    sa.Column("image", SharedJson, nullable=False),  # format, sizes and hash, at boot
    sa.Column("image_properties", SharedJson, nullable=False),
    sa.Column("flavor_id", text_key(255), nullable=False),
    sa.Column("flavor", SharedJson, nullable=False),  # as it was at boot
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mib", sa.Integer, nullable=False),
    sa.Column("key_name", text_key(255)),
    sa.Column("key_data", long_text()),
    sa.Column("key_type", text_key(16)),
    sa.Column("availability_zone", text_key(255)),  # asked for; None: any
    sa.Column("config_drive", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("user_data", long_text()),
    sa.Column("personality", sa.JSON, nullable=False),
    sa.Column("access_ip_v4", text_key(39)),
    sa.Column("access_ip_v6", text_key(39)),
    sa.Column("disk_config", text_key(8), nullable=False),
    sa.Column("locked_by", text_key(8)),
    sa.Column("locked_reason", sa.String(255)),
    sa.Column("launch_index", sa.Integer, nullable=False),
    sa.Column("reservation_id", text_key(64), nullable=False, index=True),
    sa.Column("scheduler_hints", SharedJson, nullable=False),
    sa.Column("guest_password", long_text()),  # made up and encrypted by the guest
    sa.Column("fault_code", sa.Integer),
    sa.Column("fault_message", sa.String(255)),
    sa.Column("fault_details", long_text()),
    sa.Column("fault_at", UtcDateTime),
    sa.Index(None, "project_id", "is_deleted", "created_at"),
    sa.Index(None, "host", "is_deleted"),
    sqlite_autoincrement=True,
)

console_token = sa.Table(
    "compute_console_token",
    metadata,
    sa.Column("hash", text_key(64), primary_key=True),  # of the token, which is nowhere
    sa.Column("server_id", text_key(36), nullable=False),
    sa.Column("host", text_key(255), nullable=False),
    sa.Column("kind", text_key(8), nullable=False),  # vnc, serial
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

scheduling_decision = sa.Table(
    "compute_scheduling_decision",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("server_id", text_key(36), nullable=False, index=True),
    sa.Column("at", UtcDateTime, nullable=False, index=True),
    sa.Column("decision", long_text(), nullable=False),  # scheduler.verdicts.Decision as JSON
    sqlite_autoincrement=True,
)

server_metadata = sa.Table(
    "compute_server_metadata",
    metadata,
    sa.Column("server_id", text_key(36), primary_key=True),
    sa.Column("key", text_key(255), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)

server_tag = sa.Table(
    "compute_server_tag",
    metadata,
    sa.Column("server_id", text_key(36), primary_key=True),
    sa.Column("tag", text_key(60), primary_key=True, index=True),
)

server_action = sa.Table(
    "compute_server_action",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("server_id", text_key(36), nullable=False, index=True),
    sa.Column("request_id", text_key(255), nullable=False),
    sa.Column("action", text_key(64), nullable=False),
    sa.Column("user_id", text_key(64), nullable=False),
    sa.Column("project_id", text_key(64)),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("message", sa.String(255)),
    sqlite_autoincrement=True,
)

server_action_event = sa.Table(
    "compute_server_action_event",
    metadata,
    sa.Column("action_number", sa.ForeignKey(server_action.c.number), primary_key=True),
    sa.Column("event", text_key(64), primary_key=True),
    sa.Column("host", text_key(255)),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("result", text_key(16)),  # Success, Error
    sa.Column("details", long_text()),
)

migration = sa.Table(
    "compute_migration",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", text_key(36), nullable=False, unique=True),
    sa.Column("server_id", text_key(36), nullable=False, index=True),
    sa.Column("project_id", text_key(64), nullable=False),
    sa.Column("user_id", text_key(64), nullable=False),
    sa.Column("type", text_key(32), nullable=False),  # resize, migration, live-migration, ...
    sa.Column("status", text_key(32), nullable=False),
    sa.Column("source_host", text_key(255), index=True),
    sa.Column("dest_host", text_key(255), index=True),
    sa.Column("old_flavor", sa.JSON, nullable=False),  # as servers keep theirs
    sa.Column("new_flavor", sa.JSON, nullable=False),
    sa.Column("old_vm_state", text_key(32), nullable=False),
    sa.Column("is_open", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

server_shelf = sa.Table(
    "compute_server_shelf",
    metadata,
    sa.Column("server_id", text_key(36), primary_key=True),
    sa.Column("image_id", text_key(36), nullable=False),  # what its disk was copied to
    sa.Column("shelved_at", UtcDateTime, nullable=False),
)

server_nic_tag = sa.Table(
    "compute_server_nic_tag",
    metadata,
    sa.Column("server_id", text_key(36), primary_key=True),
    sa.Column("port_id", text_key(36), primary_key=True),
    sa.Column("tag", text_key(60), nullable=False),
)

server_disk = sa.Table(
    "compute_server_disk",
    metadata,
    sa.Column("server_id", text_key(36), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", text_key(16), nullable=False),  # root, ephemeral, swap
    sa.Column("size", sa.BigInteger),  # GiB, of swap MiB; None: the flavor's
    sa.Column("of_size", sa.BigInteger),  # of swap: the flavor's when less was wanted
    sa.Column("format", text_key(8), nullable=False),
    sa.Column("tag", text_key(60)),
)

block_device = sa.Table(
    "compute_block_device",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", text_key(36), nullable=False, unique=True),
    sa.Column("server_id", text_key(36), nullable=False, index=True),
    sa.Column("volume_id", text_key(36), nullable=False, index=True),
    sa.Column("attachment_id", text_key(36), nullable=False, index=True),
    sa.Column("device_name", text_key(255), nullable=False),
    sa.Column("boot_index", sa.Integer),
    sa.Column("delete_on_termination", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("tag", text_key(60)),
    sa.Column("connection", sa.JSON),  # how its host reaches it, once that is known
    sqlite_autoincrement=True,
)

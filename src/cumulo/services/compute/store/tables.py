"""The tables of flavors, keypairs, hosts, services, aggregates and server groups."""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, long_text, text_key

flavor = sa.Table(
    "compute_flavor",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("flavor_id", text_key(255), nullable=False, unique=True),
    sa.Column("name", text_key(255), nullable=False, unique=True),
    sa.Column("memory_mib", sa.BigInteger, nullable=False),
    sa.Column("vcpus", sa.BigInteger, nullable=False),
    sa.Column("root_gib", sa.BigInteger, nullable=False),
    sa.Column("ephemeral_gib", sa.BigInteger, nullable=False),
    sa.Column("swap_mib", sa.BigInteger, nullable=False),
    sa.Column("rxtx_factor", sa.Double, nullable=False),
    sa.Column("is_public", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("description", long_text()),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
    sqlite_autoincrement=True,
)

flavor_extra_spec = sa.Table(
    "compute_flavor_extra_spec",
    metadata,
    sa.Column("flavor", sa.ForeignKey(flavor.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("key", text_key(255), primary_key=True),
    sa.Column("value", text_key(255), nullable=False),
)

flavor_access = sa.Table(
    "compute_flavor_access",
    metadata,
    sa.Column("flavor", sa.ForeignKey(flavor.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", text_key(255), primary_key=True),
)

keypair = sa.Table(
    "compute_keypair",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", text_key(64), nullable=False),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("type", text_key(16), nullable=False),
    sa.Column("fingerprint", text_key(255), nullable=False),
    sa.Column("public_key", long_text(), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
    sqlite_autoincrement=True,
)

hypervisor = sa.Table(
    "compute_hypervisor",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", text_key(36), nullable=False, unique=True),
    sa.Column("name", text_key(255), nullable=False, unique=True),
    sa.Column("facts", long_text(), nullable=False),  # node.api.HostFacts as JSON
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

service = sa.Table(
    "compute_service",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", text_key(36), nullable=False, unique=True),
    sa.Column("host", text_key(255), nullable=False),
    sa.Column("binary", text_key(64), nullable=False),
    sa.Column("is_disabled", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("disabled_reason", text_key(255)),
    sa.Column("is_forced_down", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("host", "binary"),
    sqlite_autoincrement=True,
)

aggregate = sa.Table(
    "compute_aggregate",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", text_key(36), nullable=False, unique=True),
    sa.Column("name", text_key(255), nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
    sqlite_autoincrement=True,
)

aggregate_host = sa.Table(
    "compute_aggregate_host",
    metadata,
    sa.Column("aggregate", sa.ForeignKey(aggregate.c.id), primary_key=True),
    sa.Column("host", text_key(255), primary_key=True, index=True),
)

aggregate_metadata = sa.Table(
    "compute_aggregate_metadata",
    metadata,
    sa.Column("aggregate", sa.ForeignKey(aggregate.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("key", text_key(255), primary_key=True),
    sa.Column("value", text_key(255), nullable=False),
)

server_group = sa.Table(
    "compute_server_group",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", text_key(36), nullable=False, unique=True),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("project_id", text_key(64), nullable=False, index=True),
    sa.Column("user_id", text_key(64), nullable=False),
    sa.Column("policy", text_key(32), nullable=False),
    sa.Column("max_server_per_host", sa.Integer),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

server_group_member = sa.Table(
    "compute_server_group_member",
    metadata,
    sa.Column(
        "server_group", sa.ForeignKey(server_group.c.uuid, ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("server_id", text_key(36), primary_key=True, index=True),
    sa.Column("added_at", UtcDateTime, nullable=False),
)

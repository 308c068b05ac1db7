"""Tables of placement.

Resource classes and traits are kept by name, not by number: the standard ones come with the
program, and a client may only add names of its own that begin with CUSTOM_.
"""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, text_key

MAX_INT = 0x7FFFFFFF


def _times() -> tuple[sa.Column[object], sa.Column[object]]:
    return (
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )


provider = sa.Table(
    "placement_provider",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("name", text_key(200), nullable=False, unique=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("root_id", text_key(36), nullable=False, index=True),
    sa.Column("parent_id", text_key(36), index=True),
    *_times(),
)

# `capacity` is (total - reserved) * allocation_ratio, so that no database multiplies floats.
inventory = sa.Table(
    "placement_inventory",
    metadata,
    sa.Column("provider_id", text_key(36), primary_key=True),
    sa.Column("resource_class", text_key(255), primary_key=True),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("min_unit", sa.BigInteger, nullable=False),
    sa.Column("max_unit", sa.BigInteger, nullable=False),
    sa.Column("step_size", sa.BigInteger, nullable=False),
    sa.Column("allocation_ratio", sa.Double, nullable=False),
    sa.Column("capacity", sa.BigInteger, nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False),
    *_times(),
    sa.Index("ix_placement_inventory_resource_class", "resource_class", "provider_id"),
)

consumer = sa.Table(
    "placement_consumer",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("project_id", text_key(255), nullable=False),
    sa.Column("user_id", text_key(255), nullable=False),
    sa.Column("consumer_type", text_key(255)),  # None: written before there were types
    sa.Column("generation", sa.BigInteger, nullable=False),
    *_times(),
    sa.Index("ix_placement_consumer_project_id_user_id", "project_id", "user_id"),
)

allocation = sa.Table(
    "placement_allocation",
    metadata,
    sa.Column("consumer_id", text_key(36), primary_key=True),
    sa.Column("provider_id", text_key(36), primary_key=True, index=True),
    sa.Column("resource_class", text_key(255), primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
    *_times(),
)

provider_trait = sa.Table(
    "placement_provider_trait",
    metadata,
    sa.Column("provider_id", text_key(36), primary_key=True),
    sa.Column("trait", text_key(255), primary_key=True, index=True),
    *_times(),
)

provider_aggregate = sa.Table(
    "placement_provider_aggregate",
    metadata,
    sa.Column("provider_id", text_key(36), primary_key=True),
    sa.Column("aggregate_id", text_key(36), primary_key=True, index=True),
    *_times(),
)

custom_trait = sa.Table(
    "placement_trait",
    metadata,
    sa.Column("name", text_key(255), primary_key=True),
    *_times(),
)

custom_class = sa.Table(
    "placement_resource_class",
    metadata,
    sa.Column("name", text_key(255), primary_key=True),
    *_times(),
)

"""Tables of metadata definitions: what properties of resources mean, for people and dashboards."""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, long_text, text_key

namespace = sa.Table(
    "image_metadef_namespace",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("namespace", text_key(80), nullable=False, unique=True),
    sa.Column("display_name", text_key(80)),
    sa.Column("description", long_text()),
    sa.Column("visibility", text_key(16), nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("owner", text_key(255), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

# An object, a property or a tag of a namespace; `content` is what a client said of it, as JSON.
definition = sa.Table(
    "image_metadef",
    metadata,
    sa.Column("namespace_id", text_key(36), primary_key=True),
    sa.Column("kind", text_key(16), primary_key=True),
    sa.Column("name", text_key(80), primary_key=True),
    sa.Column("content", long_text(), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

resource_type = sa.Table(
    "image_metadef_resource_type",
    metadata,
    sa.Column("name", text_key(80), primary_key=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

association = sa.Table(
    "image_metadef_association",
    metadata,
    sa.Column("namespace_id", text_key(36), primary_key=True),
    sa.Column("name", text_key(80), primary_key=True),
    sa.Column("prefix", text_key(80)),
    sa.Column("properties_target", text_key(80)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

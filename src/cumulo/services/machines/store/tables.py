"""The tables of machines."""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, text_key

machine = sa.Table(
    "machine",
    metadata,
    sa.Column("name", text_key(64), primary_key=True),
    sa.Column("address", text_key(64), nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("fingerprint", text_key(64), nullable=False),  # SHA-256 of its key
    sa.Column("joined_at", UtcDateTime, nullable=False),
)

token = sa.Table(
    "machine_token",
    metadata,
    sa.Column("digest", text_key(64), primary_key=True),  # SHA-256 of the secret
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

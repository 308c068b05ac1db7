"""Tables of images.

The row of a deleted image stays for ever, emptied: an id that could be used again would hand
servers that name it somebody else's bytes.
"""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, long_text, text_key

image = sa.Table(
    "image",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("name", text_key(255)),
    sa.Column("status", text_key(32), nullable=False, index=True),
    sa.Column("visibility", text_key(32), nullable=False, index=True),
    sa.Column("owner", text_key(255), index=True),
    sa.Column("disk_format", text_key(32)),
    sa.Column("container_format", text_key(32)),
    sa.Column("size", sa.BigInteger),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("checksum", text_key(32)),
    sa.Column("os_hash_algo", text_key(64)),
    sa.Column("os_hash_value", text_key(128), index=True),
    sa.Column("min_disk", sa.Integer, nullable=False),
    sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("os_hidden", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # Which upload writes the bytes now, and when it last showed that it is alive.
    sa.Column("upload_id", text_key(36)),
    sa.Column("upload_seen_at", sa.Double),
)

# In which stores the bytes lie, are to lie (pending), or did not get (failed).
image_location = sa.Table(
    "image_location",
    metadata,
    sa.Column("image_id", text_key(36), primary_key=True),
    sa.Column("store", text_key(64), primary_key=True),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("url", long_text()),  # of bytes that the store only knows the way to
    sa.Column("position", sa.Integer, nullable=False),
)

# Which images that lie elsewhere have a copy in the first store, or wait for one.
image_cached = sa.Table(
    "image_cached",
    metadata,
    sa.Column("image_id", text_key(36), primary_key=True),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("hits", sa.Integer, nullable=False),
    sa.Column("last_accessed", sa.Double, nullable=False),
    sa.Column("last_modified", sa.Double, nullable=False),
)

# What staged bytes are: those of the upload that the image names, which an import will take.
image_staged = sa.Table(
    "image_staged",
    metadata,
    sa.Column("image_id", text_key(36), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("checksum", text_key(32), nullable=False),
    sa.Column("os_hash_value", text_key(128), nullable=False),
    # Of the image from then on:
    sa.Column("disk_format", text_key(32), nullable=False),
    sa.Column("container_format", text_key(32), nullable=False),
)

image_task = sa.Table(
    "image_task",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("image_id", text_key(36), nullable=False, index=True),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("type", text_key(32), nullable=False),
    sa.Column("wish", long_text(), nullable=False),  # JSON: what was asked for
    sa.Column("message", long_text(), nullable=False),
    sa.Column("owner", text_key(255), nullable=False),
    sa.Column("user_id", text_key(64)),
    sa.Column("request_id", text_key(64)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

image_property = sa.Table(
    "image_property",
    metadata,
    sa.Column("image_id", text_key(36), primary_key=True),
    sa.Column("name", text_key(255), primary_key=True),
    sa.Column("value", long_text(), nullable=False),
)

image_tag = sa.Table(
    "image_tag",
    metadata,
    sa.Column("image_id", text_key(36), primary_key=True),
    sa.Column("value", text_key(255), primary_key=True),
)

image_member = sa.Table(
    "image_member",
    metadata,
    sa.Column("image_id", text_key(36), primary_key=True),
    sa.Column("member_id", text_key(255), primary_key=True, index=True),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

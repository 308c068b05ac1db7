"""What Alembic runs to reach the database: always on a connection that is handed to it."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import mysql, sqlite

from cumulo.db.types import SharedJson, UtcDateTime


def render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Spell our own column types by their names."""
    if isinstance(item, SharedJson):
        return "sa.JSON()"
    name = _name_of(item) if kind == "type" else None
    if name is None:
        return False
    autogen.imports.add("from cumulo.db import types")
    return f"types.{name}"


def _name_of(item: Any) -> str | None:
    if isinstance(item, UtcDateTime):
        return "UtcDateTime()"
    if isinstance(item, sa.types.TypeDecorator):
        # What a service reads into it is none of history's business.
        item = item.load_dialect_impl(sqlite.dialect())
    on_mariadb = getattr(item, "_variant_mapping", {}).get("mysql")
    if isinstance(on_mariadb, mysql.MEDIUMTEXT):
        return "long_text()"
    if isinstance(on_mariadb, mysql.VARCHAR) and on_mariadb.collation == "utf8mb4_bin":
        return f"text_key({item.length})"
    return None


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["tables"],
    render_item=render,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()

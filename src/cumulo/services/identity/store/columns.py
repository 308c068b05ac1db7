"""Columns that hold small JSON values which no statement looks into."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db.types import long_text

JsonDict = dict[str, object]


class JsonObject(sa.types.TypeDecorator[JsonDict]):
    """A JSON object, stored as text."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Ask for room beyond MariaDB's 64 KiB."""
        return dialect.type_descriptor(long_text())

    def process_bind_param(self, value: JsonDict | None, dialect: sa.Dialect) -> str:
        """Store as text."""
        return msgspec.json.encode(value or {}).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> JsonDict:
        """Read back; most are empty."""
        return msgspec.json.decode(value, type=JsonDict) if value and value != "{}" else {}


class JsonStrings(sa.types.TypeDecorator[list[str]]):
    """A list of strings, stored as JSON text."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Ask for room beyond MariaDB's 64 KiB."""
        return dialect.type_descriptor(long_text())

    def process_bind_param(self, value: list[str] | None, dialect: sa.Dialect) -> str:
        """Store as text."""
        return msgspec.json.encode(value or []).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> list[str]:
        """Read back; most are empty."""
        return msgspec.json.decode(value, type=list[str]) if value and value != "[]" else []

"""Columns that hold a typed list or mapping as JSON text; never queried into, only replaced."""

from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from cumulo.db.types import long_text

T = TypeVar("T")


class JsonText(sa.types.TypeDecorator[T], Generic[T]):
    """A value of a msgspec type, checked when it is read."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Give MariaDB more than the 64 KiB of its smallest text."""
        return dialect.type_descriptor(long_text())

    def process_bind_param(self, value: T | None, dialect: sa.Dialect) -> str | None:
        """Store as JSON."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> T | None:
        """Return what was stored, or None."""
        return None if value is None else self._decode(value)

"""Columns that hold a typed list or mapping as JSON text; never queried into, only replaced."""

from collections.abc import Callable
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

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], T | None]:
        """Return what was stored, or None; SQLAlchemy's usual way there takes twice the time."""
        decode = self._decode
        return lambda value: None if value is None else decode(value)

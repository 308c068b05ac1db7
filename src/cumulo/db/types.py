"""Column types that mean the same on SQLite, MariaDB and PostgreSQL."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql


def text_key(length: int = 255) -> sa.types.TypeEngine[str]:
    """Return a string that compares byte by byte everywhere; MariaDB would fold case."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def long_text() -> sa.types.TypeEngine[str]:
    """Return a string of up to 16 MiB."""
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time, stored in UTC with microseconds."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Ask MariaDB for the microseconds it would otherwise drop."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Store without a zone."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def result_processor(
        self, dialect: sa.Dialect, coltype: object
    ) -> Callable[[Any], datetime | None]:
        """Return with the zone; SQLAlchemy's usual way there takes several times as long."""
        if dialect.name == "sqlite":
            return _read_text
        read: Any = self.impl_instance.result_processor(dialect, coltype)
        if read is None:
            return lambda value: None if value is None else value.replace(tzinfo=UTC)
        return lambda value: None if value is None else read(value).replace(tzinfo=UTC)


class SharedJson(sa.types.TypeDecorator[Any]):
    """JSON that many rows have alike: they share one value, which nobody may change."""

    impl = sa.JSON
    cache_ok = True

    def result_processor(
        self, dialect: sa.Dialect, coltype: object
    ) -> Callable[[Any], Any | None] | None:
        """Read each text once, while it is among the last that were read."""
        if dialect.name == "sqlite":
            return _read_shared
        read: Callable[[Any], Any | None] | None = self.impl_instance.result_processor(
            dialect, coltype
        )
        return read


@functools.lru_cache(maxsize=4096)
def _read_shared(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _read_text(text: str | None) -> datetime | None:
    """Read a time as SQLite holds it; a zone written beside it spares a second object."""
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")

"""Watches every transaction: what a token's worth hangs on never changes in silence.

A token that was checked is remembered while one number stands (`store/generation.py`).  A write
that forgets to advance it would leave tokens good in every process that knows them.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from cumulo.db import Database

_NUMBER = "identity_generation"
# Whatever is added to these, taken from them or changed in them may change what a token is worth
# or shows; a new row of the others is nothing to any token that is out.
_ADDED_TO = {"assignment", "membership", "implied_role", "revocation", "service", "endpoint"}
_ADDED_TO |= {"project_endpoint", "project_endpoint_group"}
_CHANGED = _ADDED_TO | {"project", "user", "role", "trust", "application_credential"}
_CHANGED |= {"access_rule", "application_credential_rule", "endpoint_group"}
# Columns that say nothing of tokens.
_ASIDE = {"failed_auth_count", "failed_auth_at", "last_active_at", "default_project_id"}
_ASIDE |= {"remaining_uses", "description", "extra", "options", "tags"}
_WRITE = re.compile(r"\s*(insert into|update|delete from)\s+[`\"]?(\w+)", re.I)
_SET = re.compile(r"\bset\b(.*?)(?:\bwhere\b|$)", re.I | re.S)
_COLUMN = re.compile(r"(?:^|,)\s*[`\"]?(\w+)[`\"]?\s*=")


@contextmanager
def silent_changes(db: Database) -> Iterator[list[str]]:
    """Yield the statements, as they come, of transactions that should have advanced the number."""
    found: list[str] = []

    def executed(connection: sa.Connection, cursor: Any, statement: str, *_rest: object) -> None:
        match = _WRITE.match(statement)
        if match and cursor.rowcount:
            connection.info.setdefault("written", []).append((match[1], match[2], statement))

    def committed(connection: sa.Connection) -> None:
        written = connection.info.pop("written", [])
        if not any(table == _NUMBER for _, table, _ in written):
            found.extend(text for verb, table, text in written if _matters(verb, table, text))

    def rolled_back(connection: sa.Connection) -> None:
        connection.info.pop("written", None)

    listeners: list[tuple[str, Callable[..., None]]] = [
        ("after_cursor_execute", executed), ("commit", committed), ("rollback", rolled_back),
    ]  # fmt: skip
    for event, listener in listeners:
        sa.event.listen(db.engine, event, listener)
    try:
        yield found
    finally:
        for event, listener in listeners:
            sa.event.remove(db.engine, event, listener)


def _matters(verb: str, table: str, statement: str) -> bool:
    noun = table.removeprefix("identity_")
    if verb.lower() == "insert into":
        return noun in _ADDED_TO
    if noun not in _CHANGED:
        return False
    changed = _SET.search(statement) if verb.lower() == "update" else None
    return changed is None or not set(_COLUMN.findall(changed[1])) <= _ASIDE

"""The cloud's database, for commands that work on it whether or not the cloud runs."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cumulo.cli.state import State
from cumulo.kit.errors import Conflict, NotFound

if TYPE_CHECKING:
    from cumulo.db import Database
    from cumulo.settings import Settings


@contextlib.contextmanager
def opened(state: State, settings: "Settings", *, must_be: bool = True) -> Iterator["Database"]:
    """Open it as its owner: files that root left beside it would keep the cloud from starting."""
    import cumulo.app  # noqa: F401, for every table

    if must_be and not _is_there(state, settings):
        raise NotFound(f"There is no cloud in {state.directory}: `cumulo bootstrap` makes one.")
    with _opened(state, settings) as db:
        yield db


def check_tables(state: State, settings: "Settings") -> None:
    """Refuse a database that this program's tables are not those of, before anything is begun."""
    import sqlalchemy as sa

    from cumulo.db import migrations

    if not _is_there(state, settings):
        return
    # What cannot be read at all is told by whoever comes to use it.
    with (
        contextlib.suppress(sa.exc.DatabaseError),
        _opened(state, settings) as db,
    ):
        try:
            migrations.check(db)
        except Conflict as error:
            remedy = f"`cumulo down --purge --state {state.directory}` deletes all that it holds"
            if settings.database.connection:
                remedy += ", and a database server has to be given an empty database"
            raise Conflict(
                f"The cloud in {state.directory} cannot be started: {error.message} To begin "
                f"anew, {remedy}."
            ) from error


def _is_there(state: State, settings: "Settings") -> bool:
    return bool(settings.database.connection) or (state.control / "cumulo.db").exists()


@contextlib.contextmanager
def _opened(state: State, settings: "Settings") -> Iterator["Database"]:
    from cumulo.db import Database

    owner = state.control.stat() if state.control.exists() else None
    if owner is not None and os.geteuid() == 0 and owner.st_uid != 0:
        "".encode("idna")  # sockets load it for names, and the owner may not get at the module
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    db = Database(settings.database.url(state.control))
    try:
        yield db
    finally:
        db.close()
        if os.getuid() == 0:
            os.seteuid(0)
            os.setegid(0)

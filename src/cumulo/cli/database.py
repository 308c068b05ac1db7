"""The cloud's database, for commands that work on it whether or not the cloud runs."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cumulo.cli.state import State
from cumulo.kit.errors import NotFound

if TYPE_CHECKING:
    from cumulo.db import Database
    from cumulo.settings import Settings


@contextlib.contextmanager
def opened(state: State, settings: "Settings", *, must_be: bool = True) -> Iterator["Database"]:
    """Open it as its owner: files that root left beside it would keep the cloud from starting."""
    from cumulo import app
    from cumulo.db import Database

    url = settings.database.connection or app.database_url(state.control)
    if must_be and not settings.database.connection and not (state.control / "cumulo.db").exists():
        raise NotFound(f"There is no cloud in {state.directory}: `cumulo bootstrap` makes one.")
    owner = state.control.stat() if state.control.exists() else None
    if owner is not None and os.geteuid() == 0 and owner.st_uid != 0:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    db = Database(url)
    try:
        yield db
    finally:
        db.close()
        if os.getuid() == 0:
            os.seteuid(0)
            os.setegid(0)

"""What a database's errors mean for us: overtaken, cut off, or a bug."""

import sqlalchemy as sa

# MariaDB: deadlock, lock wait, changed since read.  PostgreSQL: serialisation, deadlock.
_LOST_RACE = {"1213", "1205", "1020", "40001", "40P01"}
# MariaDB: no connection or lost, too many, shutting down, killed, node of a cluster not ready.
_GONE = {"2002", "2003", "2006", "2013", "2014", "2055", "1040", "1053", "1927", "1047"}
# MariaDB and PostgreSQL: no room on the disk or in memory, or nobody may write now.
_UNWRITABLE = {"1021", "1114", "1836", "53100", "53200", "25006"}
_UNWRITABLE_FILE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")


class LostRace(Exception):
    """Somebody else changed what this transaction had read; raise it to be run again."""


def attempts_for(error: BaseException) -> int:
    """Return how often a transaction that ended so is worth running; 0 when it is a bug."""
    if isinstance(error, sa.exc.IntegrityError):
        return 4  # after a conflict of keys it finds the other row
    if isinstance(error, LostRace) or is_lost_race(error):
        return 12
    return 3 if isinstance(error, sa.exc.DBAPIError) and is_gone(error) else 0


def is_lost_race(error: BaseException) -> bool:
    """Tell whether running the same transaction again is likely to succeed."""
    return any(
        "database is locked" in str(each.orig) or _code(each) in _LOST_RACE
        for each in _chain(error)
    )


def is_gone(error: sa.exc.DBAPIError) -> bool:
    """Tell whether the connection is to blame, not what was asked."""
    if error.connection_invalidated:
        return True
    code = _code(error)
    if code == "None":  # PostgreSQL gives no code when it could not connect at all
        return (
            isinstance(error, sa.exc.OperationalError) and "psycopg" in type(error.orig).__module__
        )
    return code in _GONE or code.startswith(("08", "57P")) or code == "53300"


def is_unwritable(error: BaseException) -> bool:
    """Tell whether it is the disk's fault: the same will work once somebody has mended it."""
    return any(
        _code(each) in _UNWRITABLE
        or getattr(each.orig, "sqlite_errorname", "").startswith(_UNWRITABLE_FILE)
        for each in _chain(error)
    )


def is_unfit(error: Exception) -> bool:
    """Tell whether a value is to blame: too long, too large, or of characters nobody stores."""
    if isinstance(error, OverflowError):
        return "SQLite INTEGER" in str(error)
    return isinstance(error, sa.exc.DataError | UnicodeEncodeError)


def _chain(error: BaseException | None) -> list[sa.exc.DBAPIError]:
    """Follow the causes: a failed rollback hides the deadlock that it follows."""
    found: list[sa.exc.DBAPIError] = []
    while error is not None:
        if isinstance(error, sa.exc.DBAPIError):
            found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _code(error: sa.exc.DBAPIError) -> str:
    """Return MariaDB's number or PostgreSQL's SQLSTATE."""
    arguments = error.orig.args if error.orig is not None else ()
    if arguments and isinstance(arguments[0], int):
        return str(arguments[0])
    return str(getattr(error.orig, "sqlstate", ""))

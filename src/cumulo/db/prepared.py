"""Statements that are built once and executed often: SQLite takes them with next to no ado.

SQLAlchemy spends ten times as long around a statement as SQLite on it: it looks up what it has
compiled, puts parameters in place by general rules, and gets ready for every kind of result.
What of this comes out the same each time is found out once here, and kept while the statement is.
"""

import sqlite3
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

# How a statement is sent, by the names of its parameters and how many a list among them has; None
# where that is left to SQLAlchemy.
Forms: TypeAlias = dict[tuple[object, ...], "_Form | None"]
Known: TypeAlias = MutableMapping[object, Forms]
_KINDS = (sa.Select, sa.Insert, sa.Update, sa.Delete)
_FEW = 64  # things in a list, of which each number is another form
_MOST = 64  # forms of one statement


class PreparingConnection(sa.Connection):
    """A connection to SQLite that executes what it has met before in its own way."""

    def __init__(self, engine: sa.Engine, known: Known) -> None:
        super().__init__(engine)
        self._known = known

    def execute(self, statement: sa.Executable, parameters: Any = None, **more: Any) -> Any:
        """Execute a statement as SQLAlchemy does; one that comes again, faster."""
        forms = self._known.get(statement)
        if forms is None:
            if isinstance(statement, _KINDS):
                self._known[statement] = {}
            return super().execute(statement, parameters, **more)
        params = _only(parameters)
        if params is None or more.get("execution_options") or self._is_watched():
            return super().execute(statement, parameters, **more)
        key = tuple([(k, len(v)) if type(v) is list else k for k, v in params.items()])
        try:
            form = forms[key]
        except KeyError:
            result = super().execute(statement, parameters)
            if len(forms) < _MOST:
                forms[key] = _form(statement, params, self.dialect, result)
            return result
        return super().execute(statement, parameters) if form is None else form.run(self, params)

    def scalar(self, statement: sa.Executable, parameters: Any = None, **more: Any) -> Any:
        """Execute a statement and return the first value it finds."""
        return self.execute(statement, parameters, **more).scalar()

    def _is_watched(self) -> bool:
        """Say whether somebody is to be told of each statement, as SQLAlchemy does."""
        heard = self.engine.dispatch
        return bool(heard.before_cursor_execute or heard.after_cursor_execute)


class Written(NamedTuple):
    """What is known of a statement that returns no rows."""

    rowcount: int
    inserted_primary_key: tuple[int | None]  # where the database counts the rows


class _Place(NamedTuple):
    """Where a parameter goes, and what makes of it what the driver takes."""

    position: int
    name: str
    item: int | None  # of a list
    process: Any


class _Form(NamedTuple):
    """How a statement is sent with parameters of certain names."""

    text: str
    constants: list[Any]  # one for each place, those of parameters are filled in
    places: list[_Place]
    columns: SimpleResultMetaData | None

    def run(self, tx: sa.Connection, params: Mapping[str, Any]) -> Any:
        values = self.constants.copy()
        for position, name, item, process in self.places:
            value = params[name] if item is None else params[name][item]
            values[position] = value if process is None else process(value)
        cursor, rows = send(tx, self.text, values)
        if self.columns is None:
            return Written(cursor.rowcount, (cursor.lastrowid,))
        return IteratorResult(self.columns, iter(rows))


def send(tx: sa.Connection, text: str, values: Sequence[Any] = ()) -> tuple[Any, Sequence[Any]]:
    """Give SQLite a statement; return the cursor and the rows, raise what SQLAlchemy would."""
    cursor = tx.connection.cursor()
    try:
        cursor.execute(text, values)
        return cursor, cursor.fetchall()
    except sqlite3.Error as error:
        kind = getattr(sa.exc, type(error).__name__, sa.exc.DatabaseError)
        raise kind(text, values, error) from error


def _only(parameters: Any) -> dict[str, Any] | None:
    """Return the parameters of a statement that is sent once, None for others."""
    if isinstance(parameters, list) and len(parameters) == 1:
        parameters = parameters[0]
    if parameters is None:
        return {}
    return parameters if isinstance(parameters, dict) else None


def _form(
    statement: Any, params: Mapping[str, Any], dialect: sa.Dialect, result: Any
) -> _Form | None:
    """Return how a statement is sent that has just been; None for one with rules of its own."""
    compiled = statement.compile(dialect=dialect, column_keys=list(params))
    state = compiled.construct_expanded_state(params)
    lists = state.parameter_expansion
    given = {name: lists[name] for name in lists if name in params}
    if (
        compiled.insert_prefetch
        or compiled.update_prefetch
        or compiled.effective_returning
        or compiled.literal_execute_params
        or any(each.callable for each in compiled.binds.values())
        or any(_is_unfit(params[name], spelled) for name, spelled in given.items())
    ):
        return None
    items = {one: (name, item) for name in given for item, one in enumerate(given[name])}
    constants: list[Any] = []
    places = []
    for position, one in enumerate(state.positiontup or ()):
        name, item = items.get(one, (one, None))
        process = state.processors.get(one)
        if one in compiled.binds:
            process = compiled.binds[one].type.dialect_impl(dialect).bind_processor(dialect)
        if name in params:
            constants.append(None)
            places.append(_Place(position, name, item, process))
        else:
            value = state.parameters[one]
            constants.append(value if process is None else process(value))
    columns = None
    if isinstance(statement, sa.Select):
        types = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
        readers = [each.result_processor(dialect, None) for each in types]
        columns = SimpleResultMetaData(list(result.keys()), _processors=readers)
        if len(result.keys()) != len(readers):
            return None
    return _Form(state.statement, constants, places, columns)


def _is_unfit(values: object, spelled: list[str]) -> bool:
    return type(values) is not list or not len(values) == len(spelled) <= _FEW

"""A page about one thing: facts and tables in groups, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cumulo.services.dashboard.cells import Cell
from cumulo.services.dashboard.lists import Button


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some of it under a heading; with buttons, the first of each row is what they act on."""

    title: str
    facts: Sequence[tuple[str, Cell]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell | str]] = ()
    buttons: Sequence[Button] = ()
    links: Sequence[tuple[str, str]] = ()
    action: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One thing."""

    title: str
    id: str
    back: tuple[str, str]  # words and path
    groups: Sequence[Group]
    state: Cell | None = None
    problem: str = ""
    buttons: Sequence[Button] = ()
    links: Sequence[tuple[str, str]] = ()
    live: Sequence[str] = ()

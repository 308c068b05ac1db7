"""What is printed: tables for people, JSON for programs; again and again if that is wanted."""

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

_PAUSE_S = 2.0


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns as wide as what is in them, in a terminal no wider than that."""
    cells = [list(titles), *[[printable(cell) for cell in row] for row in rows]]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(titles))]
    lines = []
    for row in cells:
        padded = [
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    if sys.stdout.isatty():
        most = shutil.get_terminal_size().columns
        lines = [line if len(line) <= most else f"{line[: most - 1]}…" for line in lines]
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return text in one line, without what would steer the terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide


def as_json(value: object) -> str:
    """Return what an API said as JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def facts(value: Mapping[str, Any]) -> str:
    """Return one thing, a line a field."""
    rows = [[name, flat(each)] for name, each in value.items() if name != "links"]
    return table(["Field", "Value"], rows)


def flat(value: object) -> str:
    """Return any value in one cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def repeatedly(show: Callable[[], str], *, watch: bool) -> None:
    """Print something once, or anew every two seconds until it is interrupted."""
    if not watch:
        click.echo(show())
        return
    try:
        while True:
            told = show()
            click.clear()
            click.echo(told)
            time.sleep(_PAUSE_S)
    except KeyboardInterrupt:
        return

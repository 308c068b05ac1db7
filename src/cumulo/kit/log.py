"""Logs: a constant message and facts beside it, with the request's id where there is one.

Each part of the program has a level of its own, which an operator may change while it runs.
"""

import logging
import sys
from typing import Any

import structlog

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_NUMBERS = logging.getLevelNamesMapping()
_levels: dict[str, int] = {"": logging.INFO}  # by part; the first is of those without a name


def setup(level: str = "info", *, json: bool = False) -> None:
    """Send logs to standard error, as lines for people or as JSON for machines."""
    number = _NUMBERS[level.upper()]
    _levels.update(dict.fromkeys(_levels, number))
    shown: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            _drop_unwanted,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)


def get(name: str) -> Any:
    """Return a logger that names its part of the program."""
    _levels.setdefault(name, _levels[""])
    return structlog.get_logger(part=name)


def is_wanted(level: str, name: str) -> bool:
    """Say whether a part's logs of that level are kept, for who would log at every request."""
    return _NUMBERS[level] >= _levels.get(name, _levels[""])


def levels(prefix: str = "") -> dict[str, str]:
    """Return the level of each part whose name, cumulo.PART, begins so."""
    named = {f"cumulo.{part}": number for part, number in sorted(_levels.items()) if part}
    return {
        name: logging.getLevelName(number)
        for name, number in named.items()
        if name.startswith(prefix)
    }


def set_level(level: str, prefix: str = "") -> None:
    """Change the level of the parts whose names begin so, in this process."""
    for part in _levels:
        if f"cumulo.{part}".startswith(prefix):
            _levels[part] = _NUMBERS[level]


def _drop_unwanted(_logger: Any, method: str, event: Any) -> Any:
    wanted = _levels.get(event.get("part", ""), _levels[""])
    if _NUMBERS.get(method.upper(), logging.ERROR) < wanted:
        raise structlog.DropEvent
    return event

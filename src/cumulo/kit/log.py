"""Logs: a constant message and facts beside it, with the request's id where there is one."""

import logging
import sys
from typing import Any

import structlog


def setup(level: str = "info", *, json: bool = False) -> None:
    """Send logs to standard error, as lines for people or as JSON for machines."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shown: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)


def get(name: str) -> Any:
    """Return a logger that names its part of the program."""
    return structlog.get_logger(part=name)

"""How many requests there were and how long they took, for `/metrics`."""

import functools
from typing import Any

from prometheus_client import CollectorRegistry, Histogram

REQUESTS = CollectorRegistry()
_SECONDS = Histogram(
    "cumulo_request_seconds",
    "How long requests took, by API, operation and status.",
    ("api", "operation", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REQUESTS,
)


def observe(api: str, operation: str, status: int, seconds: float) -> None:
    """Count a request; what is counted by are names of ours, never what clients send."""
    _of(api, operation, status).observe(seconds)


@functools.cache
def _of(api: str, operation: str, status: int) -> Any:
    return _SECONDS.labels(api, operation, str(status))

"""Identifiers and secrets, from one source that a test can seed."""

import random
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

_seeded: random.Random | None = None


def new_id() -> str:
    """Return a random identifier in the form most services use: 36 characters with dashes."""
    return str(uuid.UUID(bytes=_bytes(16), version=4))


def new_hex_id() -> str:
    """Return a random identifier as identity spells it: 32 hexadecimal digits."""
    return uuid.UUID(bytes=_bytes(16), version=4).hex


def new_secret(length: int = 32) -> bytes:
    """Return bytes nobody can guess; never seeded."""
    return secrets.token_bytes(length)


def random_bytes(length: int) -> bytes:
    """Return bytes for names and addresses, which a seed may fix."""
    return _bytes(length)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make identifiers repeat from run to run; for tests that replay."""
    global _seeded  # noqa: PLW0603 - one source for the process, held only by tests
    _seeded = random.Random(seed)
    try:
        yield
    finally:
        _seeded = None


def _bytes(length: int) -> bytes:
    return _seeded.randbytes(length) if _seeded else secrets.token_bytes(length)

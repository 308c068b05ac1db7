"""How a start tells how far it is: to a person, or through a pipe to the process that waits."""

import os
import time
from collections.abc import Callable
from typing import TypeAlias

import click

Tell: TypeAlias = Callable[[str], None]
READY = "ready"


def to_terminal() -> Tell:
    """Return what prints each step with the time since the start."""
    began = time.monotonic()

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - began:5.1f} s  {text}")

    return tell


def to_pipe(descriptor: int) -> Tell:
    """Return what hands each step on; a reader that has gone is no reason to stop."""

    def tell(text: str) -> None:
        try:
            os.write(descriptor, f"{text}\n".encode())
        except BrokenPipeError:
            return

    return tell

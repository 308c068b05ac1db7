"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cumulo.cli.state import State, default_directory

if TYPE_CHECKING:
    from cumulo.settings import Settings

F = TypeVar("F", bound=Callable[..., object])


def state_option(command: F) -> F:
    """Add `--state`."""
    return click.option(
        "--state",
        "state",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        callback=lambda _ctx, _param, value: State(value or default_directory()),
        help=f"Where the cloud keeps everything.  [default: {default_directory()}]",
    )(command)


def config_option(command: F) -> F:
    """Add `--config`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="A TOML file with settings.  [default: cumulo.toml in the state directory]",
    )(command)


def settings_of(state: State, config: Path | None) -> "Settings":
    """Read the settings: of the file that is named, else of the state directory's, else none."""
    from cumulo.settings import load

    usual = state.directory / "cumulo.toml"
    return load(config or (usual if usual.exists() else None))

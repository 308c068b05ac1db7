"""What all these commands have in common: which cloud, list, show, delete, how it is printed."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cumulo.cli.daily.nouns import Noun
from cumulo.cli.daily.output import as_json, facts, flat, repeatedly, table
from cumulo.cli.daily.session import Session
from cumulo.kit.errors import CloudError

F = TypeVar("F", bound=Callable[..., object])
SHAPE = click.Choice(["table", "json"])


def cloud_option(function: F) -> F:
    """Add `--cloud`."""
    return click.option(
        "--cloud",
        help="Which of the clouds in clouds.yaml.  [default: $OS_CLOUD, or OS_ variables]",
    )(function)


def format_option(function: F) -> F:
    """Add `--format`."""
    return click.option(
        "--format", "-f", "shape", type=SHAPE, default="table", help="How to print it."
    )(function)


def named(noun: Noun) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the name of a thing."""

    def complete(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        session = Session(ctx.params.get("cloud"))
        try:
            found = noun.all(session)
        except CloudError:
            return []
        finally:
            session.close()
        names = [str(item.get(noun.names[0]) or "") for item in found]
        return [name for name in names if name.startswith(begun)]

    return complete


def add_common(group: click.Group, noun: Noun) -> None:
    """Give a group the commands list, show and delete."""
    group.add_command(_list(noun))
    group.add_command(_show(noun))
    group.add_command(_delete(noun))


def _list(noun: Noun) -> click.Command:
    words = noun.word.replace("-", " ")

    @click.command("list", help=f"List every {words}.")
    @cloud_option
    @format_option
    @click.option("--watch", "-w", is_flag=True, help="Again every two seconds, until Ctrl-C.")
    @click.option("--name", help="Only what has this in its name.")
    def command(cloud: str | None, shape: str, watch: bool, name: str | None) -> None:
        session = Session(cloud)
        repeatedly(lambda: _listed(session, noun, name, shape), watch=watch)

    return command


def _listed(session: Session, noun: Noun, name: str | None, shape: str) -> str:
    found = noun.all(session)
    if name is not None:
        found = [one for one in found if name in str(one.get(noun.names[0]) or "")]
    if shape == "json":
        return as_json(found)
    rows = [[flat(cell(one)) for _, cell in noun.columns] for one in found]
    return table([title for title, _ in noun.columns], rows)


def _show(noun: Noun) -> click.Command:
    @click.command("show", help=f"Show one {noun.word.replace('-', ' ')}.")
    @click.argument("reference", metavar="NAME", shell_complete=named(noun))
    @cloud_option
    @format_option
    def command(reference: str, cloud: str | None, shape: str) -> None:
        told(noun.one(Session(cloud), reference), shape)

    return command


def _delete(noun: Noun) -> click.Command:
    @click.command("delete", help=f"Delete one {noun.word.replace('-', ' ')}, or several.")
    @click.argument(
        "references", metavar="NAME...", nargs=-1, required=True, shell_complete=named(noun)
    )
    @cloud_option
    def command(references: tuple[str, ...], cloud: str | None) -> None:
        session = Session(cloud)
        for reference in references:
            where = f"{noun.path}/{noun.id(session, reference)}"
            session.ask("DELETE", noun.service, where)

    return command


def told(item: Any, shape: str) -> None:
    """Print one thing."""
    click.echo(as_json(item) if shape == "json" else facts(item))

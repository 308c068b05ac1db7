"""`cumulo completion`: what a shell needs to complete commands and names."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the lines for a SHELL: put `source <(cumulo completion bash)` into ~/.bashrc."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "cumulo", "_CUMULO_COMPLETE").source())

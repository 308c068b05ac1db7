"""`cumulo policy`: who may do what, and why not."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State
from cumulo.kit.errors import Invalid

if TYPE_CHECKING:
    from cumulo.auth import Policy

_IMPLIED = ["admin", "manager", "member", "reader"]


@click.group("policy")
def command() -> None:
    """Show the rules, and why one permits or refuses."""


@command.command("list")
@click.argument("service", required=False)
@state_option
def list_rules(state: State, service: str | None) -> None:
    """List every rule with its check, as it holds now."""
    for name, policy in _chosen(state, service).items():
        for rule in policy.names:
            click.echo(f"{name:10} {rule}: {policy.text(rule) or '(anyone)'}")


@command.command("sample")
@click.argument("service")
@state_option
def sample(state: State, service: str) -> None:
    """Write a file of all rules with their defaults, each commented out.

    Save it as SERVICE.yaml in the state directory's control/policy, and change what should differ;
    a running cloud sees the change within a second.
    """
    from cumulo import app

    (policy,) = _chosen(state, service).values()
    uses: dict[str, list[str]] = {}
    for operation in app.OPERATIONS.get(service, ()):
        if operation.policy:
            uses.setdefault(operation.policy, []).append(f"{operation.method} {operation.path}")
    if not policy.names:
        click.echo(f"# {service} has no rules: who may what is said on each resource.")
    for rule in policy.names:
        for use in uses.get(rule, []):
            click.echo(f"# {use}")
        click.echo(f'#"{rule}": "{policy.default(rule)}"\n')


@command.command("explain")
@click.argument("rule")
@click.option("--user", help="A user, by name or id, with the roles that it really has.")
@click.option("--project", help="The project of its token, by name or id.")
@click.option("--domain", help="The domain of its token, by name or id.")
@click.option("--system", is_flag=True, help="Its token is for the whole system.")
@click.option("--role", "roles", multiple=True, help="A role of somebody made up, instead.")
@click.option("--target", "facts", multiple=True, help="A fact of what it acts on, as NAME=VALUE.")
@state_option
@config_option
def explain(  # noqa: PLR0913, PLR0917 - the options of a command are that many
    state: State,
    config: Path | None,
    rule: str,
    user: str | None,
    project: str | None,
    domain: str | None,
    system: bool,
    roles: tuple[str, ...],
    facts: tuple[str, ...],
) -> None:
    """Say why RULE permits or refuses: each of its parts, and whether it holds.

    Without --target the caller acts on something of its own.
    """
    from cumulo.auth import Context
    from cumulo.services.identity import public

    asked = public.Asked(user or "", project, domain, system)
    if roles:
        ladder = {lower for one in roles if one in _IMPLIED for lower in _below(one)}
        ctx = Context(
            user_id=user or "",
            project_id=project,
            domain_id=domain,
            system_scope="all" if system else None,
            roles=frozenset({*roles, *ladder}),
        )
    elif user:
        with opened(state, settings_of(state, config)) as db:
            ctx = public.context_of(db, asked)
    else:
        raise Invalid("Say who asks: --user, or --role for somebody made up.")
    target: dict[str, object] = {**ctx.own(), **_facts(facts)}
    found = [one for one in _chosen(state, None).values() if rule in one.names]
    if not found:
        raise Invalid(f"No service has a rule named {rule}: see `cumulo policy list`.")
    verdict = found[0].explain(rule, ctx, target)
    click.echo("\n".join(verdict.lines()))
    click.echo("permitted" if verdict.holds else "refused")


def _chosen(state: State, service: str | None) -> "dict[str, Policy]":
    from cumulo import app

    found = app.policies(state.control / "policy")
    if service is None:
        return found
    if service not in found:
        raise Invalid(f"There is no service {service}: {', '.join(sorted(found))}.")
    return {service: found[service]}


def _below(role: str) -> list[str]:
    return _IMPLIED[_IMPLIED.index(role) :]


def _facts(given: tuple[str, ...]) -> dict[str, object]:
    pairs = [one.partition("=") for one in given]
    if not all(equals for _, equals, _ in pairs):
        raise Invalid("A fact of the target is written NAME=VALUE.")
    return {name: value for name, _, value in pairs}

"""Security groups for clients that ask compute for them: all that is wrong is a bad request."""

from collections.abc import Iterator
from contextlib import contextmanager

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.compute import servers
from cumulo.services.compute.tools import Tools
from cumulo.services.network import public as network

Group = network.SecurityGroup
Rule = network.SecurityGroupRule
RuleSpec = network.SecurityGroupRuleSpec


@contextmanager
def _in_novas_words() -> Iterator[None]:
    """Call what stands in the way, a group in use or a rule that is there, a bad request."""
    try:
        yield
    except Conflict as error:
        raise Invalid(error.message) from error


def list_groups(tx: Tx, ctx: Context, tools: Tools, *, everyones: bool) -> list[Group]:
    """Return the security groups of the project, or of all projects."""
    return network.security_groups_of_project(tx, ctx, tools.network, everyones=everyones)


def list_groups_of_server(tx: Tx, ctx: Context, server_id: str) -> list[Group]:
    """Return the security groups of a visible server."""
    server = servers.server_visible(tx, ctx, server_id)
    return network.security_groups_of_server(tx, ctx, server.id)


def show_group(tx: Tx, ctx: Context, group_id: str) -> Group:
    """Return a security group the caller may know of."""
    return network.security_group_shown(tx, ctx, group_id)


def create_group(tx: Tx, ctx: Context, tools: Tools, name: str, description: str) -> Group:
    """Make a security group."""
    spec = network.SecurityGroupSpec(name=name, description=description)
    with _in_novas_words():
        made = network.create_security_group(tx, ctx, tools.network.settings, spec)
    return network.security_group_shown(tx, ctx, made.id)


def update_group(tx: Tx, ctx: Context, group_id: str, name: str, description: str) -> Group:
    """Give a security group another name and description."""
    with _in_novas_words():
        network.rename_security_group(tx, ctx, group_id, name, description)
    return network.security_group_shown(tx, ctx, group_id)


def delete_group(tx: Tx, ctx: Context, group_id: str) -> None:
    """Forget a security group that no server is in."""
    with _in_novas_words():
        network.remove_security_group(tx, ctx, group_id)


def create_rule(tx: Tx, ctx: Context, tools: Tools, spec: RuleSpec) -> Rule:
    """Let something into the servers of a group."""
    with _in_novas_words():
        return network.add_security_group_rule(tx, ctx, tools.network, spec)


def delete_rule(tx: Tx, ctx: Context, rule_id: str) -> None:
    """Let it in no longer."""
    network.remove_security_group_rule(tx, ctx, rule_id)

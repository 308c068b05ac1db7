"""`cumulo network`, `floating-ip`, `security-group`: how servers are reached."""

from typing import Any

import click

from cumulo.cli.daily.group import add_common, cloud_option, format_option, named, told
from cumulo.cli.daily.nouns import FLOATING_IP, NETWORK, SECURITY_GROUP, SERVER
from cumulo.cli.daily.session import Session
from cumulo.kit.errors import NotFound


@click.group("network")
def command() -> None:
    """Work with networks."""


@click.group("floating-ip")
def floating_ip() -> None:
    """Work with floating IPs."""


@click.group("security-group")
def security_group() -> None:
    """Work with security groups."""


add_common(command, NETWORK)
add_common(floating_ip, FLOATING_IP)
add_common(security_group, SECURITY_GROUP)


@command.command("create")
@click.argument("name")
@click.option("--subnet", help="Its addresses, as 10.0.0.0/24.")
@cloud_option
@format_option
def create(name: str, subnet: str | None, cloud: str | None, shape: str) -> None:
    """Make a network, with addresses if they are given."""
    session = Session(cloud)
    made = session.ask("POST", "network", "/networks", {"network": {"name": name}})["network"]
    if subnet:
        spec = {"network_id": made["id"], "cidr": subnet, "name": name}
        spec["ip_version"] = 6 if ":" in subnet else 4
        session.ask("POST", "network", "/subnets", {"subnet": spec})
    told(NETWORK.one(session, made["id"]), shape)


@floating_ip.command("create")
@click.argument("network", shell_complete=named(NETWORK))
@cloud_option
@format_option
def create_floating_ip(network: str, cloud: str | None, shape: str) -> None:
    """Take an address of an external NETWORK."""
    session = Session(cloud)
    wish = {"floating_network_id": NETWORK.id(session, network)}
    made = session.ask("POST", "network", "/floatingips", {"floatingip": wish})
    told(made["floatingip"], shape)


@floating_ip.command("attach")
@click.argument("address", shell_complete=named(FLOATING_IP))
@click.argument("server", shell_complete=named(SERVER))
@cloud_option
def attach(address: str, server: str, cloud: str | None) -> None:
    """Let a floating IP lead to a server."""
    session = Session(cloud)
    one = SERVER.id(session, server)
    ports = session.ask("GET", "network", "/ports", device_id=one)["ports"]
    if not ports:
        raise NotFound(f"The server {server} has no port.")
    _lead(session, address, ports[0]["id"])


@floating_ip.command("detach")
@click.argument("address", shell_complete=named(FLOATING_IP))
@cloud_option
def detach(address: str, cloud: str | None) -> None:
    """Let a floating IP lead nowhere."""
    _lead(Session(cloud), address, None)


def _lead(session: Session, address: str, port: str | None) -> None:
    where = f"/floatingips/{FLOATING_IP.id(session, address)}"
    session.ask("PUT", "network", where, {"floatingip": {"port_id": port}})


@security_group.command("create")
@click.argument("name")
@cloud_option
@format_option
def create_security_group(name: str, cloud: str | None, shape: str) -> None:
    """Make a security group."""
    body = {"security_group": {"name": name}}
    made = Session(cloud).ask("POST", "network", "/security-groups", body)
    told(made["security_group"], shape)


@security_group.command("allow")
@click.argument("group", shell_complete=named(SECURITY_GROUP))
@click.option("--protocol", default="tcp", show_default=True)
@click.option("--port", help="One, or a range as 8000-8010.")
@click.option("--from", "prefix", help="Whose addresses, as 10.0.0.0/8.  [default: anybody's]")
@click.option("--egress", is_flag=True, help="Outwards instead of inwards.")
@cloud_option
@format_option
def allow(group: str, cloud: str | None, shape: str, **wish: Any) -> None:
    """Let something through."""
    session, prefix = Session(cloud), wish["prefix"]
    rule: dict[str, Any] = {
        "security_group_id": SECURITY_GROUP.id(session, group),
        "direction": "egress" if wish["egress"] else "ingress",
        "ethertype": "IPv6" if prefix and ":" in prefix else "IPv4",
        "protocol": wish["protocol"],
    }
    rule |= {"remote_ip_prefix": prefix} if prefix else {}
    if wish["port"]:
        low, _, high = wish["port"].partition("-")
        rule |= {"port_range_min": low, "port_range_max": high or low}
    body = {"security_group_rule": rule}
    made = session.ask("POST", "network", "/security-group-rules", body)
    told(made["security_group_rule"], shape)

"""What guests are told by DHCP, in OVN's words.

Strings go into OVN's expressions between quotes and everything else is checked before, because
a value that breaks an expression would silence DHCP, or say something else.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping

import structlog

from cumulo.services.network.drivers.base import NetworkPlan, SubnetPlan
from cumulo.services.network.drivers.ovn.rows import Row, unit_mark

METADATA_ADDRESS = "169.254.169.254/32"
LEASE_S = 43200
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\.?")

# Option name and number as the API's clients spell them -> OVN's name and the kind of value.
_OPTIONS = {
    "arp-timeout": ("arp_cache_timeout", "number", 35),
    "bootfile-name": ("bootfile_name", "text", 67),
    "broadcast-address": ("broadcast_address", "address", 28),
    "classless-static-route": ("classless_static_route", "routes", 121),
    "default-ttl": ("default_ttl", "number", 23),
    "dns-server": ("dns_server", "addresses", 6),
    "domain-name": ("domain_name", "text", 15),
    "domain-search": ("domain_search_list", "text", 119),
    "ethernet-encap": ("ethernet_encap", "flag", 36),
    "hostname": ("hostname", "text", 12),
    "ip-forward-enable": ("ip_forward_enable", "flag", 19),
    "lease-time": ("lease_time", "number", 51),
    "log-server": ("log_server", "addresses", 7),
    "lpr-server": ("lpr_server", "addresses", 9),
    "ms-classless-static-route": ("ms_classless_static_route", "routes", 249),
    "mtu": ("mtu", "number", 26),
    "netbios-nodetype": ("netbios_node_type", "number", 46),
    "netbios-ns": ("netbios_name_server", "addresses", 44),
    "netmask": ("netmask", "address", 1),
    "nis-server": ("nis_server", "addresses", 41),
    "ntp-server": ("ntp_server", "addresses", 42),
    "path-prefix": ("path_prefix", "text", 210),
    "policy-filter": ("policy_filter", "addresses", 21),
    "router": ("router", "address", 3),
    "router-discovery": ("router_discovery", "flag", 31),
    "router-solicitation": ("router_solicitation", "address", 32),
    "server-id": ("server_id", "address", 54),
    "server-ip-address": ("tftp_server_address", "addresses", 150),
    "swap-server": ("swap_server", "address", 16),
    "T1": ("T1", "number", 58),
    "T2": ("T2", "number", 59),
    "tcp-keepalive": ("tcp_keepalive_interval", "number", 38),
    "tcp-ttl": ("tcp_ttl", "number", 37),
    "tftp-server": ("tftp_server", "host", 66),
    "tftp-server-address": ("tftp_server_address", "addresses", 150),
    "wpad": ("wpad", "text", 252),
}
# The same for DHCPv6, of which OVN knows little.
_OPTIONS_V6 = {
    "bootfile-url": ("bootfile_name", "text", 59),
    "bootfile-name": ("bootfile_name", "text", 59),
    "dns-server": ("dns_server", "addresses6", 23),
    "domain-search": ("domain_search", "text", 24),
}


def _known(options: Mapping[str, tuple[str, str, int]]) -> dict[str, tuple[str, str]]:
    by_name = {spelt.lower(): (name, kind) for spelt, (name, kind, _) in options.items()}
    return by_name | {str(number): (name, kind) for name, kind, number in options.values()}


_V4, _V6 = _known(_OPTIONS), _known(_OPTIONS_V6)
log = structlog.get_logger(__name__)


def subnet_rows(plan: NetworkPlan) -> list[Row]:
    """Return the DHCP options of a network's subnets that have DHCP."""
    rows = []
    for subnet in plan.subnets:
        options = subnet_options(plan, subnet)
        if options is not None:
            rows.append(
                Row(
                    table="DHCP_Options",
                    key=subnet.id,
                    unit=unit_mark("network", plan.id),
                    columns={"cidr": subnet.cidr, "options": options},
                    ids={"cumulo:subnet": subnet.id},
                )
            )
    return rows


def subnet_options(plan: NetworkPlan, subnet: SubnetPlan) -> dict[str, str] | None:
    """Return what a subnet's guests are told; None when they are told nothing."""
    if not subnet.enable_dhcp:
        return None
    if ipaddress.ip_network(subnet.cidr).version == 4:
        return _options_v4(plan, subnet)
    return _options_v6(plan, subnet)


def own_options(base: Mapping[str, str], cidr: str, wishes: Mapping[str, str]) -> dict[str, str]:
    """Return a port's own DHCP options: its subnet's with what the port wishes besides."""
    known = _V6 if ":" in cidr else _V4
    options = dict(base)
    for spelt, value in sorted(wishes.items()):
        if spelt == "dhcp_disabled":
            continue
        name, kind = known.get(spelt.lower(), ("", ""))
        checked = _checked(kind, value)
        if checked is None:
            log.warning("DHCP option left out", option=spelt, value=value)
        else:
            options[name] = checked
    return options


def _options_v4(plan: NetworkPlan, subnet: SubnetPlan) -> dict[str, str]:
    server = subnet.gateway_ip or subnet.metadata_ip or _first_host(subnet.cidr)
    options = {
        "server_id": server,
        "server_mac": server_mac(subnet.id),
        "lease_time": str(LEASE_S),
        "mtu": str(plan.mtu),
    }
    if subnet.gateway_ip is not None:
        options["router"] = subnet.gateway_ip
    servers = _of_version(4, subnet.dns_nameservers)
    if servers:
        options["dns_server"] = _braces(servers)
    if plan.dns_domain:
        options["domain_name"] = json.dumps(plan.dns_domain.rstrip("."))
    routes = _routes(subnet)
    if routes:
        options["classless_static_route"] = _braces(routes)
    return options


def _options_v6(plan: NetworkPlan, subnet: SubnetPlan) -> dict[str, str] | None:
    if subnet.ipv6_address_mode not in {"dhcpv6-stateful", "dhcpv6-stateless"}:
        return None
    options = {"server_id": server_mac(subnet.id)}
    servers = _of_version(6, subnet.dns_nameservers)
    if servers:
        options["dns_server"] = _braces(servers)
    if plan.dns_domain:
        options["domain_search"] = json.dumps(plan.dns_domain.rstrip("."))
    if subnet.ipv6_address_mode == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    return options


def _routes(subnet: SubnetPlan) -> list[str]:
    """Return the routes; a client that reads them forgets the router, so it is among them."""
    routes = []
    if subnet.metadata_ip is not None:
        routes.append(f"{METADATA_ADDRESS},{subnet.metadata_ip}")
    routes += [f"{route.destination},{route.nexthop}" for route in subnet.host_routes]
    if routes and subnet.gateway_ip is not None:
        routes.append(f"0.0.0.0/0,{subnet.gateway_ip}")
    return routes


def is_true(text: str) -> bool:
    """Read a switch among a port's DHCP options."""
    return text.strip().lower() in ("true", "1", "yes", "on")


def server_mac(subnet_id: str) -> str:
    """Return the address that a subnet's DHCP server answers from."""
    digest = hashlib.sha256(subnet_id.encode()).digest()
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in digest[:3])


def _checked(kind: str, value: str) -> str | None:
    """Return a value in OVN's spelling; None when it is none."""
    try:
        return _spelt(kind, value)
    except ValueError:
        return None


def _spelt(kind: str, value: str) -> str | None:
    match kind:
        case "number":
            return str(int(value))
        case "flag":
            return {"0": "0", "1": "1", "false": "0", "true": "1"}.get(value.lower())
        case "address":
            return str(ipaddress.IPv4Address(value))
        case "addresses" | "addresses6":
            family = ipaddress.IPv6Address if kind == "addresses6" else ipaddress.IPv4Address
            return _braces(str(family(part)) for part in _parts(value))
        case "routes":
            return _pairs(_parts(value))
        case "host":
            return _host(value)
        case "text":
            return json.dumps(value) if value.isprintable() and value.isascii() else None
    return None


def _pairs(parts: list[str]) -> str:
    """Return destinations and the ways there, which come in turn."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return _braces(f"{ipaddress.IPv4Network(to)},{ipaddress.IPv4Address(via)}" for to, via in pairs)


def _host(value: str) -> str | None:
    """Return an address as it is and a name between quotes."""
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        return json.dumps(value) if _HOST.fullmatch(value) else None


def _parts(value: str) -> list[str]:
    return re.split(r"[\s,;{}]+", value.strip("{} \t"))


def _braces(values: Iterable[str]) -> str:
    return "{" + ", ".join(values) + "}"


def _of_version(version: int, addresses: Iterable[str]) -> list[str]:
    return [text for text in addresses if ipaddress.ip_address(text).version == version]


def _first_host(cidr: str) -> str:
    network = ipaddress.ip_network(cidr)
    return str(network.network_address + (1 if network.num_addresses > 2 else 0))

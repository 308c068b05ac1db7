"""Names: what ports are called where guests look names up."""

import re

import msgspec

from cumulo.services.network import refusals
from cumulo.services.network.port_views import Details
from cumulo.services.network.settings import NetworkSettings

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """What one address of a port is called."""

    ip_address: str
    hostname: str
    fqdn: str


def checked_name(text: str) -> str:
    """Return a host's name, whole or in part, or refuse it."""
    return _checked(text, "dns_name")


def checked_domain(text: str) -> str:
    """Return a domain, which must be whole, or refuse it."""
    if text and not text.endswith("."):
        raise refusals.invalid_value("dns_domain", f"'{text}' is not a FQDN")
    return _checked(text, "dns_domain")


def is_name(text: str) -> bool:
    """Say whether every part of a name is one."""
    return all(_LABEL.fullmatch(label) for label in text.removesuffix(".").split("."))


def _checked(text: str, field: str) -> str:
    if text and not is_name(text):
        raise refusals.invalid_value(
            field,
            f"'{text}' not a valid PQDN or FQDN. Reason: each part must have 1 to 63 letters, "
            "digits and hyphens, none of these at its ends",
        )
    return text


def assignments(settings: NetworkSettings, found: Details) -> list[Assignment]:
    """Return what each address of a port is called."""
    domain = (found.port.dns_domain or settings.dns_domain).rstrip(".")
    return [
        Assignment(ip_address=fixed.ip_address, hostname=name, fqdn=f"{name}.{domain}.")
        for fixed in found.fixed_ips
        if (name := _hostname(found.port.dns_name, fixed.ip_address))
    ]


def _hostname(dns_name: str, address: str) -> str:
    return dns_name.rstrip(".") or "host-" + address.replace(".", "-").replace(":", "-")

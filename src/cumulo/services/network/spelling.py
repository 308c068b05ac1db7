"""How values of this API are spelled: checked once, when a request is read."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Annotated, TypeAlias

from msgspec import Meta

from cumulo.services.network import refusals
from cumulo.services.network.store.values import Route

# The edge reads these from text too: "True", "on", "1".
LooseBool: TypeAlias = Annotated[bool, Meta(extra={"loose": bool})]
LooseInt: TypeAlias = Annotated[int, Meta(extra={"loose": int})]
Text: TypeAlias = Annotated[str, Meta(max_length=255)]
_UUID = "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"
Id: TypeAlias = Annotated[str, Meta(pattern=_UUID)]

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def mac_address(text: str) -> str:
    """Return a MAC address in its one spelling, or refuse it."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise refusals.invalid_value("mac_address", f"'{text}' is not a valid MAC address")
    return mac


def ip_address(text: str, field: str = "ip_address") -> str:
    """Return an address in its shortest spelling, or refuse it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise refusals.invalid_value(field, f"'{text}' is not a valid IP address") from None


def cidr(text: str, field: str = "cidr") -> str:
    """Return a network in its shortest spelling, or refuse it; bits past the prefix are cut."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise refusals.invalid_value(field, f"'{text}' is not a valid IP subnet") from None


def route(given: Route, field: str) -> Route:
    """Return a route in its one spelling, or refuse it."""
    return Route(cidr(given.destination, field), ip_address(given.nexthop, field))


def check_unique(values: Sequence[object], field: str) -> None:
    """Refuse a list that says something twice."""
    if any(value in values[:place] for place, value in enumerate(values)):
        raise refusals.invalid_value(field, "Duplicate items in the list")

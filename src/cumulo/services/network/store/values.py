"""Values that are stored inside of a row."""

from typing import Literal, TypeAlias

import msgspec

# What the backend is told of one by one.
Unit: TypeAlias = Literal["network", "port", "router", "security_group"]


class Pool(msgspec.Struct, frozen=True):
    """A range of addresses that the cloud may hand out, both ends included."""

    start: str
    end: str


class DhcpOption(msgspec.Struct, frozen=True, gc=False):
    """A DHCP option of one port."""

    opt_name: str
    opt_value: str
    ip_version: int = 4


class FixedIp(msgspec.Struct, frozen=True, gc=False):
    """An address that a port owns."""

    subnet_id: str
    ip_address: str


class Route(msgspec.Struct, frozen=True):
    """A destination and the way to it."""

    destination: str
    nexthop: str


class AddressPair(msgspec.Struct, frozen=True, gc=False):
    """An address, or a range of them, that a port may use besides its own."""

    mac_address: str
    ip_address: str

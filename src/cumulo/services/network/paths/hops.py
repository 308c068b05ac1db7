"""A packet, the stations on its way, and what became of it."""

import ipaddress
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal[
    "guest",
    "port",
    "port_security",
    "security_group",
    "network",
    "route",
    "router",
    "nat",
    "dhcp",
    "metadata",
    "outside",
]
Verdict: TypeAlias = Literal["passes", "translates", "drops", "answers", "leaves", "arrives"]
Outcome: TypeAlias = Literal["arrives", "answered", "leaves", "stops", "unknown"]
OUTCOMES: dict[Verdict, Outcome] = {
    "drops": "stops",
    "answers": "answered",
    "leaves": "leaves",
    "arrives": "arrives",
}


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """What is on its way; ports are those of TCP, UDP and SCTP."""

    source_ip: str
    destination_ip: str
    protocol: str
    source_port: int | None = None
    destination_port: int | None = None

    @property
    def version(self) -> int:
        """Return the version of IP."""
        return ipaddress.ip_address(self.destination_ip).version

    def answer(self) -> "Packet":
        """Return what comes back."""
        return Packet(
            source_ip=self.destination_ip,
            destination_ip=self.source_ip,
            protocol=self.protocol,
            source_port=self.destination_port,
            destination_port=self.source_port,
        )


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """A station: what it is, what it does with the packet, and how the packet leaves it."""

    kind: Kind
    id: str | None
    name: str
    verdict: Verdict
    detail: str
    packet: Packet
    rule_id: str | None = None  # the security group rule that admits it
    project_id: str | None = None


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The stations in order, and what became of the packet at the last."""

    outcome: Outcome
    reason: str
    hops: list[Hop]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where a packet comes from, and to which station it goes first."""

    port_id: str
    network_id: str
    source_mac: str
    destination_mac: str | None = None


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """The way there, and that of the answer where one is to be expected from a guest."""

    start: Start
    packet: Packet
    there: Way
    back: Way | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the way from a server or port to an address."""

    origin: str  # a server or a port
    destination_ip: str
    protocol: str
    port: int | None = None
    source_ip: str | None = None  # another than the port's own

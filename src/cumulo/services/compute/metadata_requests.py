"""Whose metadata a request is for: a host says, and signs, which network and address ask."""

import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Forbidden, NotFound
from cumulo.node.signatures import is_signed
from cumulo.services.compute.instance_metadata import InstanceMetadata
from cumulo.services.network import public as network


class SetPassword(Protocol):
    """Keeps the password that a guest made up, encrypted by itself."""

    def __call__(self, tx: Tx, server_id: str, password: str) -> bool:
        """Keep it, or return False when one is kept already."""


class Memory:
    """What was told about a server a moment ago: a guest that boots asks two dozen times.

    Whose an address is is never remembered, so that the next one to have it is not told of the
    last.
    """

    def __init__(self, for_s: float = 5.0, most: int = 1000) -> None:
        self._for_s, self._most = for_s, most
        self._told: dict[str, tuple[float, InstanceMetadata]] = {}
        self._lock = threading.Lock()

    def recall(self, server_id: str) -> InstanceMetadata | None:
        """Return what is remembered about a server."""
        until, metadata = self._told.get(server_id, (0.0, None))
        return metadata if clock.monotonic() < until else None

    def keep(self, metadata: InstanceMetadata) -> None:
        """Remember what a server was told."""
        with self._lock:
            if len(self._told) >= self._most:
                self._told.clear()
            self._told[metadata.id] = (clock.monotonic() + self._for_s, metadata)

    def forget(self, server_id: str) -> None:
        """Remember nothing about a server."""
        with self._lock:
            self._told.pop(server_id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataTools:
    """What the metadata service is given to work with."""

    secret: bytes  # shared with the hosts
    # None for a server that is gone, or going.
    instance_metadata: Callable[[Tx, str], InstanceMetadata | None]
    set_password: SetPassword
    memory: Memory = field(default_factory=Memory)


def check_signed(secret: bytes, network_id: str, address: str, signature: str) -> None:
    """Refuse what no host of this cloud signed."""
    if not network_id or not is_signed(secret, network_id, address, signature):
        raise Forbidden("Invalid proxy request signature.")


def metadata_at(tx: Tx, tools: MetadataTools, network_id: str, address: str) -> InstanceMetadata:
    """Return the metadata of the guest with that address in that network."""
    try:
        plain = ipaddress.ip_address(address).compressed
    except ValueError:
        raise NotFound(_UNKNOWN) from None
    guest = network.server_by_address(tx, network_id, plain)
    metadata = _described(tx, tools, guest[0]) if guest else None
    # A port may name a device that is another project's server.
    if guest is None or metadata is None or metadata.project_id != guest[1]:
        raise NotFound(_UNKNOWN)
    return metadata


def _described(tx: Tx, tools: MetadataTools, server_id: str) -> InstanceMetadata | None:
    metadata = tools.memory.recall(server_id)
    if metadata is None:
        metadata = tools.instance_metadata(tx, server_id)
        if metadata is not None:
            tools.memory.keep(metadata)
    return metadata


_UNKNOWN = "No server of this network has that address."

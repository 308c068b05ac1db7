"""MAC addresses: one of its own for every port of a network."""

from cumulo.db import Tx
from cumulo.kit.ids import random_bytes
from cumulo.services.network import refusals, spelling
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import ports as store


def fresh(settings: NetworkSettings) -> str:
    """Return a MAC that no port of the network has.

    Chance makes the same one twice in a million; the table's key then has the transaction run
    again, and chance decide again.
    """
    fixed = [int(part, 16) for part in settings.base_mac.split(":")]
    head = fixed[:3] if fixed[3] == 0 else fixed[:4]
    return ":".join(f"{byte:02x}" for byte in (*head, *random_bytes(6 - len(head))))


def chosen(tx: Tx, network_id: str, wanted: str) -> str:
    """Return the MAC that a client wants, unless another port of the network has it."""
    mac = spelling.mac_address(wanted)
    if store.port_with_mac(tx, network_id, mac):
        raise refusals.mac_in_use(network_id, mac)
    return mac

"""How fast packets may be and how they are marked, as QoS rows of a switch."""

from collections.abc import Iterable, Mapping

from cumulo.services.network.drivers.base import BandwidthPlan
from cumulo.services.network.drivers.ovn.names import switch_id
from cumulo.services.network.drivers.ovn.rows import Parent, Row, Value

_DIRECTIONS = {"ingress": ("to-lport", "outport", "dst"), "egress": ("from-lport", "inport", "src")}


def qos_rows(
    subject: str,
    unit: str,
    place: tuple[str, str],
    cells: Mapping[str, Mapping[str, Value]],
    address: str = "",
) -> list[Row]:
    """Return the rows for what passes a port of a network, `place`, by direction.

    With `address` only packets from or to it are meant, and before the port's own rows.
    """
    network_id, port_name = place
    return [
        Row(
            table="QoS",
            key=f"{subject} {direction}",
            unit=unit,
            columns={
                "priority": 2003 if address else 2002,
                "direction": _DIRECTIONS[direction][0],
                "match": _match(direction, port_name, address),
                "action": {},
                "bandwidth": {},
                **own,
            },
            parent=Parent("Logical_Switch", switch_id(network_id), "qos_rules"),
        )
        for direction, own in sorted(cells.items())
    ]


def _match(direction: str, port_name: str, address: str) -> str:
    _, port, end = _DIRECTIONS[direction]
    whole = f'{port} == "{port_name}"'
    return f"{whole} && ip4.{end} == {address}" if address else whole


def qos_cells(
    bandwidth: Iterable[BandwidthPlan], dscp_mark: int | None
) -> dict[str, dict[str, Value]]:
    """Return the cells of the rows by direction, as a guest sees it."""
    found: dict[str, dict[str, Value]] = {
        one.direction: {"bandwidth": {"rate": one.max_kbps, "burst": one.max_burst_kbps}}
        for one in bandwidth
        if one.max_kbps
    }
    if dscp_mark is not None:
        found.setdefault("egress", {})["action"] = {"dscp": dscp_mark}
    return found

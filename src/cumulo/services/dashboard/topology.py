"""The networks of a project as a drawing: where each box, line and word stands.

Networks stand as columns, external ones left; routers hang between those they join, servers and
other ports beside the network they are plugged into.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cumulo.services.dashboard.cells import State

Item = Mapping[str, Any]
_COLUMN, _ROW, _TOP = 320, 58, 70
_BOX = (150, 38)


@dataclass(frozen=True, slots=True)
class Box:
    """Something drawn: a network's bar, a router, a server."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    text: str
    href: str
    small: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A port: from a box to a network's bar, with its address."""

    x1: int
    x2: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it."""

    width: int
    height: int
    boxes: Sequence[Box]
    lines: Sequence[Line]


def drawn(
    networks: Sequence[Item],
    routers: Sequence[Item],
    servers: Sequence[Item],
    ports: Sequence[Item],
    subnets: Sequence[Item] = (),
) -> Drawing:
    """Return the drawing of what is there."""
    order = sorted(networks, key=lambda net: (not net["router:external"], str(net["name"])))
    columns = {net["id"]: number for number, net in enumerate(order)}
    devices: dict[str, list[Item]] = {}
    for port in ports:
        if port["device_owner"] == "network:router_gateway":
            continue
        if port["network_id"] in columns and port["device_id"]:
            devices.setdefault(port["device_id"], []).append(port)
    things = [("router", one) for one in routers] + [("server", one) for one in servers]
    for router in routers:
        devices.setdefault(router["id"], []).extend(_gateways(router, columns))
    rows = [0] * max(len(columns), 1)
    boxes, lines = [], []
    for kind, one in things:
        plugs = sorted(devices.get(one["id"], ()), key=lambda port: columns[port["network_id"]])
        first = columns[plugs[0]["network_id"]] if plugs else 0
        last = columns[plugs[-1]["network_id"]] if plugs else 0
        row = max(rows[first : last + 1], default=0)
        rows[first : last + 1] = [row + 1] * len(rows[first : last + 1])
        x, y = 40 + first * _COLUMN + 80, _TOP + row * _ROW
        boxes.append(_thing(kind, one, x, y))
        lines += [_line(port, columns, x, y, place) for place, port in enumerate(plugs)]
    height = _TOP + max(*rows, 2) * _ROW + 20
    bars = [_bar(net, columns[net["id"]], height, _ranges(net, subnets)) for net in order]
    return Drawing(max(len(columns), 1) * _COLUMN + 60, height, [*bars, *boxes], lines)


def _gateways(router: Item, columns: Mapping[str, int]) -> list[Item]:
    """Return the way out of a router, whose port belongs to nobody, as if it were one of its."""
    gateway = router.get("external_gateway_info") or {}
    if gateway.get("network_id") not in columns:
        return []
    addresses = gateway.get("external_fixed_ips") or []
    return [{"network_id": gateway["network_id"], "fixed_ips": addresses}]


def _ranges(net: Item, subnets: Sequence[Item]) -> str:
    return _short(", ".join(one["cidr"] for one in subnets if one["network_id"] == net["id"]), 28)


def _bar(net: Item, column: int, height: int, ranges: str) -> Box:
    kind = "shared" if net["router:external"] or net["shared"] else "net"
    href = f"/networks/{net['id']}"
    x = 30 + column * _COLUMN
    return Box(kind, x, 40, 10, height - 50, _short(net["name"]), href, ranges)


def _thing(kind: str, one: Item, x: int, y: int) -> Box:
    width, height = _BOX
    return Box(
        kind, x, y, width, height, _short(one["name"]), f"/{kind}s/{one['id']}",
        f"{kind} · {one['status']}", State(one["status"]).tone,
    )  # fmt: skip


def _line(port: Item, columns: Mapping[str, int], x: int, y: int, place: int) -> Line:
    bar = 35 + columns[port["network_id"]] * _COLUMN
    edge = x if bar < x else x + _BOX[0]
    address = port["fixed_ips"][0]["ip_address"] if port["fixed_ips"] else ""
    return Line(bar, edge, y + 8 + 13 * min(place, 2), address)


def _short(name: str, longest: int = 20) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"

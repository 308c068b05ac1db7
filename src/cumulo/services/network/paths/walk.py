"""Following a packet from a port, station by station, until it stops or is there."""

import ipaddress
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from cumulo.services.network.drivers.base import (
    GatewayPlan,
    NetworkPlan,
    PortPlan,
    RouterPlan,
    RouterPortPlan,
    SubnetPlan,
)
from cumulo.services.network.paths.admission import admitting, is_within
from cumulo.services.network.paths.hops import OUTCOMES, Hop, Kind, Outcome, Packet, Verdict, Way
from cumulo.services.network.paths.land import Land, longest
from cumulo.services.network.store.ports import Port

METADATA = {"169.254.169.254", "fe80::a9fe:a9fe"}
_DHCP = {"255.255.255.255": 67, "ff02::1:2": 547}
_MOST = 40  # stations; a packet's own limit is 64 routers
Stage: TypeAlias = Callable[[], Any] | None
Leg: TypeAlias = RouterPortPlan | GatewayPlan
Translation: TypeAlias = tuple[str, Packet, Packet]  # the router, before, after


class Walk:
    """One packet on its way; with `before`, the answer to one that took that way."""

    def __init__(
        self, land: Land, packet: Packet, before: Sequence[Translation] | None = None
    ) -> None:
        self.packet = packet
        self.translations: list[Translation] = []
        self.first_mac: str | None = None  # of the first station after the port
        self.arrived_at: PortPlan | None = None
        self._land = land
        self._before = before
        self._hops: list[Hop] = []
        self._outcome: Outcome = "unknown"

    def way(self, port: PortPlan) -> Way:
        """Follow the packet from a port."""
        stage: Stage = partial(self._leave, port)
        while stage is not None and len(self._hops) < _MOST:
            stage = stage()
        if stage is not None:
            self._network(self._land.network(port.network_id), "drops", "It goes round in circles.")
        return Way(outcome=self._outcome, reason=self._hops[-1].detail, hops=self._hops)

    def _leave(self, port: PortPlan) -> Stage:
        """Out of the guest, past what its own port holds back."""
        if not self._works(port):
            return None
        if port.port_security and not _may_use(port, self.packet.source_ip):
            return self._guard(port, "port_security", "drops", _spoofed(self.packet.source_ip))
        if self._is_dhcp():
            return self._dhcp(port)
        if not self._passes_groups(port, "egress"):
            return None
        return partial(self._route, port)

    def _works(self, port: PortPlan) -> bool:
        row, what = self._land.row(port.id), f"Port {port.name or port.id}"
        if not port.admin_state_up:
            self._port(port, row, "drops", f"{what} is administratively down.")
        elif port.device_owner.startswith("compute:") and not port.host:
            self._port(port, row, "drops", f"{what} is on no host: its server does not run.")
        elif row.status != "ACTIVE" and not port.device_owner.startswith("network:"):
            self._port(
                port, row, "drops", f"{what} is {row.status}: no running guest is plugged in."
            )
        else:
            self._port(port, row, "passes", f"{what} works.")
            return True
        return False

    def _is_dhcp(self) -> bool:
        port = _DHCP.get(self.packet.destination_ip)
        return self.packet.protocol == "udp" and port in {self.packet.destination_port} - {None}

    def _dhcp(self, port: PortPlan) -> Stage:
        network = self._land.network(port.network_id)
        for subnet, address in self._land.subnets(port):
            if _version(subnet.cidr) == self.packet.version and _has_dhcp(subnet):
                told = f"The DHCP server of subnet {subnet.id} answers: the address is {address}."
                return self._network(network, "answers", told, kind="dhcp")
        why = f"No subnet of the port has DHCP for IPv{self.packet.version}."
        return self._network(network, "drops", why, kind="dhcp")

    def _passes_groups(self, port: PortPlan, direction: str) -> bool:
        """Pass the security groups, or be dropped."""
        if not port.port_security:
            told = "The port has no port security, so no security group holds anything back."
            self._guard(port, "port_security", "passes", told)
            return True
        groups = self._land.groups(port)
        if self._before is not None and groups and all(group.stateful for group in groups):
            told = "It is the answer to what was let through, which stateful groups remember."
            self._guard(port, "security_group", "passes", told)
            return True
        found = admitting(groups, direction, self.packet, self._land.members)
        if found is None:
            names = ", ".join(group.name or group.id for group in groups)
            whose = (
                f"No {direction} rule of {names} admits" if names else "No security group admits"
            )
            told = f"{whose} {described(self.packet)}."
            self._guard(port, "security_group", "drops", told)
            return False
        group, rule = found
        self._say(
            "security_group",
            "passes",
            f"Rule {rule.id} of {group.name or group.id} admits it.",
            id=group.id,
            name=group.name,
            rule_id=rule.id,
            project_id=self._land.owner_of_group(group.id),
        )
        return True

    def _route(self, port: PortPlan) -> Stage:
        """Choose the way as a guest does that believes its DHCP server."""
        network, target = self._land.network(port.network_id), self.packet.destination_ip
        subnets = [
            one for one in self._land.subnets(port) if _version(one[0].cidr) == _version(target)
        ]
        source = self.packet.source_ip
        subnets.sort(key=lambda one: (not is_within(target, one[0].cidr), one[1] != source))
        if target in METADATA:
            return self._metadata(network, [subnet for subnet, _ in subnets])
        for subnet, _ in subnets:
            if is_within(target, subnet.cidr):
                told = f"{target} is in the port's own subnet {subnet.cidr}."
                self._network(network, "passes", told, kind="route")
                return partial(self._hand_over, network, target)
        for subnet, _ in subnets:
            ways = {route.destination: route.nexthop for route in subnet.host_routes}
            best = longest(target, ways)
            nexthop = ways[best] if best else subnet.gateway_ip
            if nexthop:
                which = f"the host route to {best}" if best else "the gateway"
                told = f"Subnet {subnet.cidr} names {nexthop} as {which}."
                self._network(network, "passes", told, kind="route")
                return partial(self._hand_over, network, nexthop)
        why = "has no gateway and no host route for it" if subnets else "is none of that IP version"
        return self._network(network, "drops", f"The port's subnet {why}.", kind="route")

    def _metadata(self, network: NetworkPlan, subnets: Sequence[SubnetPlan]) -> Stage:
        serving = next((each for each in network.subnets if each.metadata_ip), None)
        if self.packet.protocol != "tcp" or self.packet.destination_port != 80:
            why = "The metadata server listens on port 80 of TCP only."
            return self._network(network, "drops", why, kind="metadata")
        if serving is None or not any(each.enable_dhcp for each in subnets):
            why = "No subnet here has DHCP, which tells guests the way to the metadata server."
            return self._network(network, "drops", why, kind="metadata")
        told = "The metadata server of this network answers, on the guest's own host."
        return self._network(network, "answers", told, kind="metadata")

    def _hand_over(self, network: NetworkPlan, address: str) -> Stage:
        """Across a network, to whoever has the address."""
        row = self._land.holder(network.id, address)
        if row is None:
            return self._nobody(network, address)
        if self.first_mac is None:
            self.first_mac = row.mac_address
        self._network(network, "passes", f"It is handed to {address}.")
        if row.device_owner == "network:floatingip":
            return self._floating(row, address)
        port = self._land.port(row.id)
        if port.router_id is not None:
            return partial(self._enter_router, port.router_id, port.id)
        return partial(self._arrive, port)

    def _nobody(self, network: NetworkPlan, address: str) -> Stage:
        if network.physical_network is not None:
            told = f"{address} is no port of the cloud: it leaves by {network.physical_network}."
            return self._network(network, "leaves", told, kind="outside")
        gateway = next((each for each in network.subnets if each.gateway_ip == address), None)
        if gateway is not None:
            told = (
                f"Nobody has the gateway's address {address}: no router stands in {gateway.cidr}."
            )
            return self._network(network, "drops", told)
        return self._network(network, "drops", f"No port of the network has {address}.")

    def _floating(self, row: Port, address: str) -> Stage:
        floating = self._land.floatingip(row.device_id)
        router_id = floating.router_id
        if router_id is None:
            told = f"Floating IP {address} leads to no port."
            owner = floating.project_id
            return self._say("nat", "drops", told, id=floating.id, name=address, project_id=owner)
        ways = self._land.router(router_id).gateways
        entry = next((way.port_id for way in ways if way.network_id == row.network_id), "")
        return partial(self._enter_router, router_id, entry)

    def _enter_router(self, router_id: str, entry: str) -> Stage:
        router = self._land.router(router_id)
        if not router.admin_state_up:
            return self._router(router, "drops", "The router is administratively down.")
        self._come_back(router)
        if entry in {way.port_id for way in router.gateways}:
            self._translate_destination(router)
        own = {cidr.split("/")[0] for leg in _legs(router) for cidr in leg.cidrs}
        if self.packet.destination_ip in own:
            return self._for_router(router)
        return self._forward(router)

    def _for_router(self, router: RouterPlan) -> Stage:
        if self.packet.protocol == "icmp":
            return self._router(router, "answers", "The address is the router's, which answers.")
        told = "The address is the router's own, which serves nothing on any port."
        return self._router(router, "drops", told)

    def _translate_destination(self, router: RouterPlan) -> None:
        packet = self.packet
        for one in router.floating_ips:
            if one.address == packet.destination_ip and one.fixed_ip:
                self._translate(router, f"floating IP {one.address}", destination_ip=one.fixed_ip)
                return
        for each in router.port_forwardings:
            asked = (packet.destination_ip, packet.protocol, packet.destination_port)
            if asked == (each.address, each.protocol, each.port):
                what = f"the port forwarding of {each.address}"
                ip, port = each.fixed_ip, each.fixed_port
                self._translate(router, what, destination_ip=ip, destination_port=port)
                return

    def _forward(self, router: RouterPlan) -> Stage:
        target = self.packet.destination_ip
        ways: dict[str, tuple[Leg | None, str]] = {}
        if router.gateway is not None:
            for nexthop in router.gateway.nexthops:
                ways["::/0" if ":" in nexthop else "0.0.0.0/0"] = (router.gateway, nexthop)
        for route in router.routes:
            ways[route.destination] = (None, route.nexthop)
        for own in _legs(router):
            for cidr in own.cidrs:
                ways[str(ipaddress.ip_interface(cidr).network)] = (own, target)
        best = longest(target, ways)
        if best is None:
            more = "" if router.gateway else ", and it has no external gateway"
            return self._router(router, "drops", f"The router has no route to {target}{more}.")
        named, nexthop = ways[best]
        leg = named or _leg_to(router, nexthop)
        if leg is None:
            told = f"The route to {best} leads to {nexthop}, which is in none of its networks."
            return self._router(router, "drops", told)
        by = "directly" if nexthop == target else f"by {nexthop}"
        self._router(router, "passes", f"The route to {best} leads {by}.")
        if isinstance(leg, GatewayPlan):
            self._translate_source(router, leg)
        return partial(self._hand_over, self._land.network(leg.network_id), nexthop)

    def _translate_source(self, router: RouterPlan, gateway: GatewayPlan) -> None:
        source = self.packet.source_ip
        own = next((cidr.split("/")[0] for cidr in gateway.cidrs if ":" not in cidr), None)
        for one in router.floating_ips:
            if one.fixed_ip == source:
                self._translate(router, f"floating IP {one.address}", source_ip=one.address)
                return
        inside = [cidr for leg in router.ports if not leg.is_public for cidr in leg.cidrs]
        if gateway.enable_snat and own and longest(source, inside) and ":" not in source:
            self._translate(router, "the router's own address", source_ip=own)

    def _translate(self, router: RouterPlan, by: str, **changed: Any) -> None:
        before = self.packet
        self.packet = msgspec.structs.replace(before, **changed)
        self.translations.append((router.id, before, self.packet))
        new = " and ".join(f"{name.replace('_', ' ')} {value}" for name, value in changed.items())
        self._router(router, "translates", f"Now with {new}, by {by}.", kind="nat")

    def _come_back(self, router: RouterPlan) -> None:
        """Give an answer the addresses back that its question had before this router."""
        for router_id, before, after in reversed(self._before or ()):
            if router_id == router.id and self.packet == after.answer():
                self.packet = before.answer()
                told = f"An answer: from {self.packet.source_ip} to {self.packet.destination_ip}."
                self._router(router, "translates", told, kind="nat")

    def _arrive(self, port: PortPlan) -> Stage:
        """Into a guest, past what its port holds back."""
        if not self._works(port):
            return None
        target = self.packet.destination_ip
        if port.port_security and not _may_use(port, target):
            told = (
                f"{target} is none of the port's addresses: for a guest that forwards, turn "
                "port security off or allow the address."
            )
            return self._guard(port, "port_security", "drops", told)
        if not self._passes_groups(port, "ingress"):
            return None
        row, name = self._land.row(port.id), port.hostname or port.name or port.id
        self.arrived_at = port
        self._say("guest", "arrives", f"It is at {name}.", **_of_port(port, row))
        if not _has(port, target):
            self._outcome = "unknown"
        return None

    def _port(self, port: PortPlan, row: Port, verdict: Verdict, detail: str) -> Stage:
        return self._say("port", verdict, detail, **_of_port(port, row))

    def _guard(self, port: PortPlan, kind: Kind, verdict: Verdict, detail: str) -> Stage:
        return self._say(kind, verdict, detail, **_of_port(port, self._land.row(port.id)))

    def _network(
        self, network: NetworkPlan, verdict: Verdict, detail: str, kind: Kind = "network"
    ) -> Stage:
        owner = self._land.owner_of_network(network.id)
        return self._say(kind, verdict, detail, id=network.id, name=network.name, project_id=owner)

    def _router(
        self, router: RouterPlan, verdict: Verdict, detail: str, kind: Kind = "router"
    ) -> Stage:
        owner = self._land.owner_of_router(router.id)
        return self._say(kind, verdict, detail, id=router.id, name=router.name, project_id=owner)

    def _say(self, kind: Kind, verdict: Verdict, detail: str, **of: Any) -> Stage:
        """Add a station; nothing follows from that."""
        hop = Hop(kind=kind, verdict=verdict, detail=detail, packet=self.packet, **of)
        self._hops.append(hop)
        self._outcome = OUTCOMES.get(verdict, self._outcome)
        return None


def _of_port(port: PortPlan, row: Port) -> dict[str, Any]:
    return {"id": port.id, "name": port.name, "project_id": row.project_id}


def _version(text: str) -> int:
    return 6 if ":" in text else 4


def _has_dhcp(subnet: SubnetPlan) -> bool:
    stateless = {"dhcpv6-stateful", "dhcpv6-stateless"}
    v4 = _version(subnet.cidr) == 4
    return subnet.enable_dhcp and (v4 or subnet.ipv6_address_mode in stateless)


def _has(port: PortPlan, address: str) -> bool:
    return any(address == own for _, own in port.fixed_ips)


def _may_use(port: PortPlan, address: str) -> bool:
    allowed = any(is_within(address, pair.ip) for pair in port.address_pairs)
    return allowed or _has(port, address)


def _spoofed(address: str) -> str:
    return f"{address} is none of the port's addresses: allow it as an address pair."


def _legs(router: RouterPlan) -> list[Leg]:
    return [*router.ports, *router.gateways]


def _leg_to(router: RouterPlan, nexthop: str) -> Leg | None:
    for leg in _legs(router):
        if any(is_within(nexthop, cidr) for cidr in leg.cidrs):
            return leg
    return None


def described(packet: Packet) -> str:
    """Say what a packet is, for people."""
    port = "" if packet.destination_port is None else f" port {packet.destination_port}"
    return f"{packet.protocol}{port} from {packet.source_ip} to {packet.destination_ip}"

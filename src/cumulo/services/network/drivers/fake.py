"""A network that moves no packets and otherwise does all that a real one does.

A whole cloud runs on it without root.  Clients may script it: how long calls take, which of
them fail and how often, how long a port needs to come up.
"""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Literal

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import (
    AgentReport,
    BackendError,
    HostBandwidth,
    NetworkPlan,
    PortPlan,
    PortStatus,
    Present,
    RouterPlan,
    SecurityGroupPlan,
    Unit,
)

CALLS = frozenset(
    {
        "sync_network",
        "sync_port",
        "sync_router",
        "sync_security_group",
        "remove",
        "present",
        "port_status",
        "wait_in_force",
        "agents",
        "bandwidths",
        "forget_host",
    }
)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What shall happen to a call; `call` is a method's name or `*` for all of them."""

    call: str
    unit_id: str | None = None  # only for this unit
    latency_s: float = 0.0
    error: Literal["", "unavailable", "backend"] = ""
    times: int | None = None  # how often; None: until it is taken back


class FakeDriver:
    """The network kept in four dicts of plans."""

    name = "fake"

    def __init__(
        self, hosts: Iterable[str] = ("localhost",), sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.networks: dict[str, NetworkPlan] = {}
        self.ports: dict[str, PortPlan] = {}
        self.routers: dict[str, RouterPlan] = {}
        self.security_groups: dict[str, SecurityGroupPlan] = {}
        self.dead_hosts: set[str] = set()
        self.port_up_after_s = 0.0
        self.physical_networks: list[HostBandwidth] = []
        self._hosts = set(hosts)
        self._plugged: dict[tuple[str, str], float] = {}  # (port, host) -> since when
        self._scripts: list[Script] = []
        self._used: list[int] = []
        self._lock = threading.RLock()
        self._sleep = sleep

    def script(self, *scripts: Script) -> None:
        """Do as these say, instead of what earlier ones said; none: behave."""
        for script in scripts:
            if script.call not in CALLS | {"*"}:
                raise ValueError(f"call {script.call!r} is none of {', '.join(sorted(CALLS))}, *")
        with self._lock:
            self._scripts, self._used = list(scripts), [0] * len(scripts)

    def sync_network(self, plan: NetworkPlan) -> None:
        """Remember the network."""
        self._act("sync_network", plan.id)
        with self._lock:
            self.networks[plan.id] = plan

    def sync_port(self, plan: PortPlan) -> None:
        """Remember the port, and since when it is plugged into its host."""
        self._act("sync_port", plan.id)
        with self._lock:
            self.ports[plan.id] = plan
            for port_id, host in list(self._plugged):
                if port_id == plan.id and host != plan.host:
                    del self._plugged[port_id, host]
            if plan.host:
                self._hosts.add(plan.host)
                self._plugged.setdefault((plan.id, plan.host), clock.monotonic())

    def sync_router(self, plan: RouterPlan) -> None:
        """Remember the router."""
        self._act("sync_router", plan.id)
        with self._lock:
            self.routers[plan.id] = plan

    def sync_security_group(self, plan: SecurityGroupPlan) -> None:
        """Remember the group."""
        self._act("sync_security_group", plan.id)
        with self._lock:
            self.security_groups[plan.id] = plan

    def remove(self, unit: Unit, unit_id: str) -> None:
        """Forget the unit; a network takes its ports with it, as a switch does."""
        self._act("remove", unit_id)
        with self._lock:
            self._forget(unit, unit_id)
            self._plugged = {key: at for key, at in self._plugged.items() if key[0] in self.ports}

    def present(self) -> Present:
        """Say what is remembered."""
        self._act("present")
        with self._lock:
            return Present(
                networks=set(self.networks),
                ports=set(self.ports),
                routers=set(self.routers),
                security_groups=set(self.security_groups),
            )

    def port_status(self, port_ids: set[str]) -> dict[str, PortStatus]:
        """Say which ports are up: those of a live host, in a network that is here."""
        self._act("port_status")
        with self._lock:
            known = [self.ports[port_id] for port_id in port_ids if port_id in self.ports]
            return {
                port.id: PortStatus(up=self._is_up(port), host=port.host or None) for port in known
            }

    def wait_in_force(self, timeout_s: float, without: Collection[str] = ()) -> None:
        """Return at once, or as scripted; what takes longer than it may is `Unavailable`."""
        slept = self._act("wait_in_force")
        if slept > timeout_s:
            raise Unavailable(f"Not every host applied the change within {timeout_s:g} s.")

    def agents(self) -> list[AgentReport]:
        """List for each host the parts that a real network has there."""
        self._act("agents")
        with self._lock:
            return [
                AgentReport(
                    id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{binary}.{host}")),
                    agent_type=agent_type,
                    binary=binary,
                    host=host,
                    alive=host not in self.dead_hosts,
                )
                for host in sorted(self._hosts)
                for agent_type, binary in (
                    ("OVN Controller Gateway agent", "ovn-controller"),
                    ("OVN Metadata agent", "neutron-ovn-metadata-agent"),
                )
            ]

    def bandwidths(self) -> list[HostBandwidth]:
        """List the ways that were given to hosts."""
        self._act("bandwidths")
        with self._lock:
            return [one for one in self.physical_networks if one.host in self._hosts]

    def forget_host(self, host: str) -> None:
        """Report on the host no more."""
        self._act("forget_host")
        with self._lock:
            self._hosts.discard(host)
            self.dead_hosts.discard(host)

    def _is_up(self, port: PortPlan) -> bool:
        if not port.admin_state_up or port.network_id not in self.networks:
            return False
        if port.device_owner.startswith("network:router_"):
            return port.router_id in self.routers
        since = self._plugged.get((port.parent_id or port.id, port.host))
        return (
            since is not None
            and port.host not in self.dead_hosts
            and clock.monotonic() - since >= self.port_up_after_s
        )

    def _forget(self, unit: Unit, unit_id: str) -> None:
        match unit:
            case "network":
                self.networks.pop(unit_id, None)
                self.ports = {k: p for k, p in self.ports.items() if p.network_id != unit_id}
            case "port":
                self.ports.pop(unit_id, None)
            case "router":
                self.routers.pop(unit_id, None)
            case "security_group":
                self.security_groups.pop(unit_id, None)

    def _act(self, call: str, unit_id: str | None = None) -> float:
        """Take as long as scripted, and fail as scripted; return the time that took."""
        with self._lock:
            scripts = self._due(call, unit_id)
        slept = sum(script.latency_s for script in scripts)
        if slept:
            self._sleep(slept)
        for script in scripts:
            if script.error == "unavailable":
                raise Unavailable(f"The network does not answer ({call}, as scripted).")
            if script.error == "backend":
                raise BackendError(f"The network refuses ({call}, as scripted).")
        return slept

    def _due(self, call: str, unit_id: str | None) -> list[Script]:
        due = []
        for index, script in enumerate(self._scripts):
            meant = script.call in {call, "*"} and script.unit_id in {None, unit_id}
            if meant and (script.times is None or self._used[index] < script.times):
                self._used[index] += 1
                due.append(script)
        return due

"""/servers/{server_id}/diagnostics: how a guest does, in its hypervisor's figures."""

from typing import Any, Literal, TypeAlias

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.node.api import Diagnostics
from cumulo.services.compute import servers, states
from cumulo.services.compute.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_POLICY = "os_compute_api:os-server-diagnostics"
_PATH = "/v2.1/servers/{server_id}/diagnostics"
State: TypeAlias = Literal["pending", "running", "paused", "shutdown", "crashed", "suspended"]
_STATES: dict[int, State] = {
    states.RUNNING: "running",
    states.PAUSED: "paused",
    states.SHUTDOWN: "shutdown",
    states.CRASHED: "crashed",
    states.SUSPENDED: "suspended",
}


class MemoryView(msgspec.Struct):
    """A guest's memory in MiB."""

    maximum: int | None
    used: int | None


class CpuView(msgspec.Struct, kw_only=True):
    """A guest's processor, with the time it worked in nanoseconds."""

    id: int
    time: int | None
    utilisation: int | None = None


class NicView(msgspec.Struct, kw_only=True):
    """What went through a guest's interface."""

    mac_address: str
    rx_octets: int
    rx_errors: int
    rx_drop: int
    rx_packets: int
    rx_rate: int | None = None
    tx_octets: int
    tx_errors: int
    tx_drop: int
    tx_packets: int
    tx_rate: int | None = None


class DiskView(msgspec.Struct, kw_only=True):
    """What went to and from a guest's disk."""

    read_bytes: int
    read_requests: int
    write_bytes: int
    write_requests: int
    errors_count: int


class DiagnosticsView(msgspec.Struct, kw_only=True):
    """How a guest does, whatever its hypervisor."""

    state: State
    driver: str
    hypervisor: str
    hypervisor_os: str
    uptime: int
    config_drive: bool
    num_cpus: int
    num_nics: int
    num_disks: int
    memory_details: MemoryView
    cpu_details: list[CpuView]
    nic_details: list[NicView]
    disk_details: list[DiskView]


@routes.get(_PATH, policy=_POLICY, until="2.47")
def show_diagnostics_as_of_old(call: Call, server_id: str) -> Reply:
    """Show how a guest does, in the names its hypervisor has for it."""
    _, told = _told(call, server_id)
    found: dict[str, Any] = {f"cpu{i}_time": time for i, time in enumerate(told.cpu_ns)}
    found["memory"] = told.memory_mib * 1024
    for disk in told.disks:
        found[f"{disk.name}_read"] = disk.read_bytes
        found[f"{disk.name}_read_req"] = disk.read_requests
        found[f"{disk.name}_write"] = disk.write_bytes
        found[f"{disk.name}_write_req"] = disk.write_requests
        found[f"{disk.name}_errors"] = disk.errors
    for number, nic in enumerate(told.nics):
        name = f"vnet{number}"
        found |= {f"{name}_rx": nic.rx_octets, f"{name}_rx_packets": nic.rx_packets}
        found |= {f"{name}_rx_errors": nic.rx_errors, f"{name}_rx_drop": nic.rx_drop}
        found |= {f"{name}_tx": nic.tx_octets, f"{name}_tx_packets": nic.tx_packets}
        found |= {f"{name}_tx_errors": nic.tx_errors, f"{name}_tx_drop": nic.tx_drop}
    return Reply(found)


@routes.get(_PATH, policy=_POLICY, since="2.48")
def show_diagnostics(call: Call, server_id: str) -> DiagnosticsView:
    """Show how a guest does."""
    server, told = _told(call, server_id)
    since = server.launched_at or server.created_at
    return DiagnosticsView(
        state=_STATES.get(server.power_state, "pending"),
        driver=told.driver,
        hypervisor=told.hypervisor,
        hypervisor_os="linux",
        uptime=int((clock.now() - since).total_seconds()),
        config_drive=server.config_drive,
        num_cpus=len(told.cpu_ns),
        num_nics=len(told.nics),
        num_disks=len(told.disks),
        memory_details=MemoryView(told.memory_mib, told.memory_used_mib),
        cpu_details=[CpuView(id=i, time=time) for i, time in enumerate(told.cpu_ns)],
        nic_details=_nics(told),
        disk_details=_disks(told),
    )


def _told(call: Call, server_id: str) -> tuple[Server, Diagnostics]:
    server = call.db.read(servers.server_visible, call.ctx, server_id)
    if server.host is None or server.power_state not in (states.RUNNING, states.PAUSED):
        raise Conflict(
            f"Cannot 'get_diagnostics' instance {server_id} while it is in "
            f"power_state {server.power_state}",
            server_id=server_id,
        )
    return server, call.tools.nodes.on(server.host).diagnostics(server_id)


def _nics(told: Diagnostics) -> list[NicView]:
    return [
        NicView(
            mac_address=nic.mac,
            rx_octets=nic.rx_octets,
            rx_errors=nic.rx_errors,
            rx_drop=nic.rx_drop,
            rx_packets=nic.rx_packets,
            tx_octets=nic.tx_octets,
            tx_errors=nic.tx_errors,
            tx_drop=nic.tx_drop,
            tx_packets=nic.tx_packets,
        )
        for nic in told.nics
    ]


def _disks(told: Diagnostics) -> list[DiskView]:
    return [
        DiskView(
            read_bytes=disk.read_bytes,
            read_requests=disk.read_requests,
            write_bytes=disk.write_bytes,
            write_requests=disk.write_requests,
            errors_count=disk.errors,
        )
        for disk in told.disks
    ]

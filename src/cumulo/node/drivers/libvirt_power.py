"""Power states of libvirt's domains: what they are, and the ways from one to another."""

import contextlib
import time
from collections.abc import Callable
from typing import TypeAlias

import libvirt

from cumulo.kit.errors import Conflict
from cumulo.node.api import HostError, Power

NO_RUN = -1  # the run of a domain that is off
_NO_AGENT = (
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
    libvirt.VIR_ERR_AGENT_UNSYNCED,
    libvirt.VIR_ERR_INTERNAL_ERROR,  # it answers that it cannot
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,  # there is no channel to an agent
    libvirt.VIR_ERR_OPERATION_INVALID,
)
_TRIES = 5
_POLL_S = 0.1
_PRESS_AGAIN_S = 10.0  # a guest that still boots does not see its power button

Domain: TypeAlias = "libvirt.virDomain"
_STATES: dict[int, Power] = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_SHUTDOWN: "running",  # it is about to be off
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "paused",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
}


def powers(connection: "libvirt.virConnect") -> dict[str, Power]:
    """Return the power state of every domain by its UUID, in two questions for all of them."""
    saved_flag = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
    saved = {domain.UUIDString() for domain in connection.listAllDomains(saved_flag)}
    found: dict[str, Power] = {}
    for domain, stats in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
        guest_id = domain.UUIDString()
        state, reason = stats["state.state"], stats["state.reason"]
        found[guest_id] = _power(state, reason, is_saved=guest_id in saved)
    return found


def power_of(domain: Domain) -> Power:
    """Return the power state of one domain."""
    state, reason = domain.state()
    return _power(state, reason, is_saved=bool(domain.hasManagedSaveImage()))


def run_of(domain: Domain) -> int:
    """Return the number of this run of the domain, which no other run of it has."""
    return int(domain.ID())


def start(domain: Domain) -> None:
    """Start a domain anew, or find it started."""
    if not domain.isActive():
        with contextlib.suppress(libvirt.libvirtError):
            domain.managedSaveRemove()
        domain.create()


def set_password(domain: Domain, user: str, password: str) -> None:
    """Have the agent inside the guest give a user a password; Conflict when it does not."""
    try:
        domain.setUserPassword(user, password)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _NO_AGENT:
            message = f"The agent in guest {domain.UUIDString()} does not set it: {error}"
            raise Conflict(message) from error
        raise


def interrupt(domain: Domain) -> None:
    """Send a running domain an interrupt that it cannot ignore."""
    try:
        domain.injectNMI()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            raise Conflict(f"Guest {domain.UUIDString()} does not run: start it.") from error
        raise


def pull_the_plug(domain: Domain) -> None:
    """Stop a domain at once, or find it stopped."""
    if domain.isActive():
        try:
            domain.destroy()
        except libvirt.libvirtError:
            if domain.isActive():
                raise


def bring(domain: Domain, wanted: Power, timeout_s: float) -> None:
    """Bring a domain to `wanted`, from whatever state it is in or comes to be in meanwhile."""
    if wanted == "crashed":
        raise HostError("A guest cannot be made to crash.")
    refusal: libvirt.libvirtError | None = None
    for _ in range(_TRIES):
        power = power_of(domain)
        if power == wanted or (power == "crashed" and wanted == "stopped"):
            return
        way = _WAYS.get((power, wanted))
        if way is None:
            raise HostError(f"Guest {domain.UUIDString()} is {power}: it cannot be {wanted}.")
        try:
            way(domain, timeout_s)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                raise
            refusal = error  # its state changed meanwhile
    raise HostError(f"Guest {domain.UUIDString()} does not stay {wanted}: {refusal}.")


def _power(state: int, reason: int, *, is_saved: bool) -> Power:
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        if is_saved:
            return "suspended"
        return "crashed" if reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED else "stopped"
    starting = reason == libvirt.VIR_DOMAIN_PAUSED_STARTING_UP
    if state == libvirt.VIR_DOMAIN_PAUSED and starting:
        return "running"
    return _STATES.get(state, "running")


def _ask_to_stop(domain: Domain, timeout_s: float) -> None:
    """Press the power button until the guest is off, and pull the plug in the end."""
    end = time.monotonic() + timeout_s
    press = 0.0
    while domain.isActive() and (now := time.monotonic()) < end:
        if now >= press:
            domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
            press = now + _PRESS_AGAIN_S
        time.sleep(_POLL_S)
    pull_the_plug(domain)


def _stop(domain: Domain, _timeout_s: float) -> None:
    pull_the_plug(domain)


def _start(domain: Domain, _timeout_s: float) -> None:
    domain.create()


def _start_paused(domain: Domain, _timeout_s: float) -> None:
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)


def _pause(domain: Domain, _timeout_s: float) -> None:
    domain.suspend()


def _unpause(domain: Domain, _timeout_s: float) -> None:
    domain.resume()


def _suspend(domain: Domain, _timeout_s: float) -> None:
    domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)


def _forget(domain: Domain, _timeout_s: float) -> None:
    domain.managedSaveRemove()


_WAYS: dict[tuple[Power, Power], Callable[[Domain, float], None]] = {
    ("running", "paused"): _pause,
    ("running", "suspended"): _suspend,
    ("running", "stopped"): _ask_to_stop,
    ("paused", "running"): _unpause,
    ("paused", "suspended"): _suspend,
    ("paused", "stopped"): _stop,
    ("suspended", "running"): _start,
    ("suspended", "paused"): _start_paused,
    ("suspended", "stopped"): _forget,
    ("stopped", "running"): _start,
    ("stopped", "paused"): _start_paused,
    ("crashed", "running"): _start,
    ("crashed", "paused"): _start_paused,
}

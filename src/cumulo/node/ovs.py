"""An Open vSwitch of our own: its daemons, its bridges, what is plugged into them.

It lives in its own directory and in the network namespace of the process that starts it, beside
whatever Open vSwitch the machine may run.
"""

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from cumulo.kit.errors import Unavailable
from cumulo.node import links
from cumulo.node.api import HostError
from cumulo.node.processes import answers
from cumulo.node.supervise import Daemon, Supervisor

Datapath: TypeAlias = Literal["system", "netdev"]

INTEGRATION_BRIDGE = "br-int"
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
DATABASE, VSWITCH = "ovsdb-server", "ovs-vswitchd"
_MACHINES_OWN = Path("/run/openvswitch/db.sock")
_QUIET = ("-vconsole:info", "-vsyslog:off", "-vfile:off")


class PhysicalNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A network outside, the bridge that leads there and the host's own addresses in it."""

    name: str
    bridge: str
    addresses: list[str] = []  # with prefix lengths
    interface: str | None = None  # a network card to give to the bridge
    egress_kbps: int | None = None  # what guests may be promised of it
    ingress_kbps: int | None = None


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """A link in the integration bridge that a port of the network is plugged in by."""

    device: str
    port_id: str
    mac: str
    guest_id: str = ""


class Switch:
    """Open vSwitch with the integration bridge and a bridge for each physical network."""

    def __init__(
        self,
        directory: Path,
        supervisor: Supervisor,
        physical_networks: Sequence[PhysicalNetwork] = (),
        datapath: Datapath | None = None,
    ) -> None:
        self.directory = directory
        self.physical_networks = tuple(physical_networks)
        self.datapath: Datapath = datapath or best_datapath()
        self.socket = directory / "db.sock"
        self._control = directory / "vswitchd.ctl"
        self._file = directory / "conf.db"
        self._supervisor = supervisor
        self._keeper: links.AddressKeeper | None = None
        self.asked_for: dict[str, Plug] = {}  # what was plugged in by us, by device

    @property
    def remote(self) -> str:
        """Return where the switch's database listens, as OVN spells it."""
        return f"unix:{self.socket}"

    @property
    def integration(self) -> Path:
        """Return the socket where the integration bridge takes flows."""
        return self.directory / f"{INTEGRATION_BRIDGE}.mgmt"

    def start(self) -> None:
        """Start the daemons, make the bridges, give the host its addresses there."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self._supervisor.ensure(self._database())
        self.vsctl("--no-wait", "init")
        known = set(self._made())
        self._refuse_foreign_bridges(known)
        removed = [["--if-exists", "del-br", name] for name in sorted(known - {*self._names()})]
        self.vsctl("--no-wait", *_commands([*removed, *self._bridges()]))
        self._leave_queues_to_ovn()
        self._supervisor.ensure(self._vswitchd())
        names = self._names()
        wait_for(lambda: all(links.exists(name) for name in names), f"bridges {', '.join(names)}")
        self._resolve_addresses(kernel=False)
        self._keeper = self._keeper or links.AddressKeeper()
        self._keeper.keep({net.bridge: net.addresses for net in self.physical_networks})

    def let_go(self) -> None:
        """Leave everything as it is, for a successor."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def stop(self) -> None:
        """Remove the bridges and stop the daemons, whoever started them."""
        self.let_go()
        bridges, runs = self._made(), self.answers()
        if bridges and runs:
            wait = [] if answers(self._control) else ["--no-wait"]
            self.vsctl(*wait, *_commands(["--if-exists", "del-br", name] for name in bridges))
        self._supervisor.stop(VSWITCH)
        self._supervisor.stop(DATABASE)
        if not runs:
            self._file.unlink(missing_ok=True)  # it tells of ports that are gone
        self._sweep(bridges)
        self._resolve_addresses(kernel=True)

    def answers(self) -> bool:
        """Say whether the switch's database can be asked."""
        return answers(self.socket)

    def plug(self, plug: Plug) -> None:
        """Put a link into the integration bridge as a port of the network, or find it there."""
        ids = {
            "iface-id": plug.port_id,
            "attached-mac": plug.mac,
            "iface-status": "active",
            **({"vm-id": plug.guest_id} if plug.guest_id else {}),
        }
        self.vsctl(
            *("--may-exist", "add-port", INTEGRATION_BRIDGE, plug.device),
            *("--", "set", "Interface", plug.device),
            *(f"external_ids:{key}={_quoted(value)}" for key, value in ids.items()),
        )
        self.asked_for[plug.device] = plug

    def unplug(self, device: str) -> None:
        """Take a link out of the integration bridge, or find it gone."""
        self.asked_for.pop(device, None)
        self.vsctl("--if-exists", "del-port", INTEGRATION_BRIDGE, device)

    def plugged(self) -> dict[str, str]:
        """Return the links in the integration bridge with the ids of their ports."""
        return {plug.device: plug.port_id for plug in self.plugs()}

    def plugs(self) -> list[Plug]:
        """Return all that is plugged into the integration bridge."""
        columns = ["--columns=name,external_ids", "list", "Interface"]
        answer = msgspec.json.decode(self.vsctl("--format=json", *columns), type=_Table)
        known = ((name, dict(pairs)) for name, (_, pairs) in answer.data)
        return [
            Plug(
                device=name,
                port_id=ids["iface-id"],
                mac=ids.get("attached-mac", ""),
                guest_id=ids.get("vm-id", ""),
            )
            for name, ids in known
            if "iface-id" in ids
        ]

    def mend_bridges(self) -> list[str]:
        """Make the bridges again that somebody removed; return which these were."""
        lost = self.lost_bridges()
        if lost:
            self.vsctl(*_commands(self._bridges()))
        return lost

    def lost_bridges(self) -> list[str]:
        """Return the bridges that should be there and are not."""
        return sorted(set(self._names()) - set(self.vsctl("list-br").split()))

    def vsctl(self, *arguments: str) -> str:
        """Run `ovs-vsctl` against this switch and return what it says."""
        return run("ovs-vsctl", f"--db={self.remote}", "--timeout=20", *arguments)

    def _sweep(self, bridges: Iterable[str]) -> None:
        """Remove what outlives a switch that was killed."""
        if answers(_MACHINES_OWN):
            own = [] if self.datapath == "system" else [*bridges]
        else:
            own = [*bridges, "ovs-netdev"]
            if self.datapath == "system" and links.exists("ovs-system"):
                run("ovs-dpctl", "del-dp", "system@ovs-system")
        for name in own:
            links.remove(name)

    def _made(self) -> list[str]:
        """Return the bridges that are ours, also when their database does not run."""
        if answers(self.socket):
            with contextlib.suppress(Unavailable):  # it was just ending
                return self.vsctl("list-br").split()
        if not self._file.exists():
            return []
        query = '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],"columns":["name"]}]'
        found = msgspec.json.decode(run("ovsdb-tool", "query", str(self._file), query))
        return [row["name"] for row in found[0]["rows"]]

    def _names(self) -> list[str]:
        return [INTEGRATION_BRIDGE, *(net.bridge for net in self.physical_networks)]

    def _bridges(self) -> list[list[str]]:
        commands = [
            ["--may-exist", "add-br", INTEGRATION_BRIDGE],
            ["set", "Bridge", INTEGRATION_BRIDGE, "fail-mode=secure"],
            self._kind(INTEGRATION_BRIDGE),
        ]
        for net in self.physical_networks:
            hardware = f"other-config:hwaddr={_quoted(self._stable_mac(net.bridge))}"
            commands.append(["--may-exist", "add-br", net.bridge])
            commands.append([*self._kind(net.bridge), hardware])
            if net.interface is not None:
                commands.append(["--may-exist", "add-port", net.bridge, net.interface])
                # Here OVN's controller sets up the queues of ports with a least rate.
                egress = "external_ids:ovn-egress-iface=true"
                commands.append(["set", "Interface", net.interface, egress])
        return commands

    def _leave_queues_to_ovn(self) -> None:
        """Say of each card that its queues are none of the switch's business.

        OVN's controller would say so itself with the first queue, and then set it up only with
        the next change of any port.
        """
        cards = [net.interface for net in self.physical_networks if net.interface is not None]
        query = ("--bare", "--columns=_uuid", "find", "QoS", "type=linux-noop")
        known = self.vsctl("--no-wait", *query).split() if cards else []
        name = known[0] if known else "@noop"
        make = [] if known or not cards else [["--id=@noop", "create", "QoS", "type=linux-noop"]]
        marks = [["set", "Port", card, f"qos={name}"] for card in cards]
        if marks:
            self.vsctl("--no-wait", *_commands([*make, *marks]))

    def _stable_mac(self, bridge: str) -> str:
        """Return the same address for a bridge each time, so that neighbours need not learn anew.

        Two hosts have different ones, also those that share a machine.
        """
        machine = Path("/etc/machine-id")
        seed = machine.read_bytes() if machine.exists() else b""
        digest = hashlib.sha256(seed + f"{self.directory} {bridge}".encode()).digest()
        return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))

    def _resolve_addresses(self, *, kernel: bool) -> None:
        """Let the kernel answer on the bridges' network cards, or leave that to the bridges.

        A switch in user space does not take frames from the kernel, it reads them too: the
        kernel would answer for the bridges' addresses with the cards' own.
        """
        cards = [net.interface for net in self.physical_networks if net.interface is not None]
        if self.datapath == "netdev":
            word = "on" if kernel else "off"
            links.change(f"link set {card} arp {word}" for card in cards if links.exists(card))

    def _kind(self, bridge: str) -> list[str]:
        return ["set", "Bridge", bridge, f"datapath_type={self.datapath}"]

    def _database(self) -> Daemon:
        return Daemon(
            name=DATABASE,
            argv=[
                "ovsdb-server",
                str(self._file),
                f"--remote=punix:{self.socket}",
                f"--unixctl={self.directory / 'ovsdb.ctl'}",
                *_QUIET,
            ],
            env=environment(self.directory),
            prepare=lambda: prepare_database(self._file, SCHEMA),
            ready=self.socket,
        )

    def _vswitchd(self) -> Daemon:
        return Daemon(
            name=VSWITCH,
            argv=["ovs-vswitchd", self.remote, f"--unixctl={self._control}", *_QUIET],
            env=environment(self.directory),
            ready=self._control,
        )

    def _refuse_foreign_bridges(self, known: set[str]) -> None:
        """Stop before two switches fight for one name."""
        for bridge in self._names():
            if bridge not in known and links.exists(bridge):
                raise HostError(
                    f"The host has a link {bridge} that is not Cumulo's: remove it, or give the "
                    "physical network another bridge."
                )


def best_datapath() -> Datapath:
    """Return the kernel's datapath where it is there for us, else that in user space."""
    module = Path("/sys/module/openvswitch")
    if not module.exists():
        with contextlib.suppress(OSError):
            subprocess.run(["modprobe", "-q", "openvswitch"], check=False, capture_output=True)
    taken = answers(_MACHINES_OWN)  # two switches cannot share the kernel's
    return "system" if module.exists() and not taken else "netdev"


def environment(directory: Path) -> dict[str, str]:
    """Return the variables that keep Open vSwitch and OVN inside one directory."""
    names = ("RUNDIR", "DBDIR", "SYSCONFDIR", "LOGDIR")
    return {f"{part}_{name}": str(directory) for part in ("OVS", "OVN") for name in names}


def prepare_database(file: Path, schema: Path, owner: int | None = None) -> None:
    """Make a database file, or bring an older one to the installed schema."""
    if not file.exists():
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        run("ovsdb-tool", "create", str(draft), str(schema))
        draft.rename(file)
    elif run("ovsdb-tool", "needs-conversion", str(file), str(schema)).strip() == "yes":
        run("ovsdb-tool", "convert", str(file), str(schema))
    if owner is not None:
        for path in (file, file.with_name(f".{file.name}.~lock~")):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, owner, -1)


def run(*command: str) -> str:
    """Run a program of Open vSwitch or OVN and return what it says."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
    """Return when `condition` holds."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            raise Unavailable(f"Waited {within_s:g} s in vain for {what}.")
        time.sleep(0.005)


class _Table(msgspec.Struct):
    data: list[tuple[str, tuple[str, list[tuple[str, str]]]]]


def _commands(commands: Iterable[Sequence[str]]) -> list[str]:
    joined: list[str] = []
    for command in commands:
        joined += ["--", *command] if joined else [*command]
    return joined


def _quoted(value: str) -> str:
    return f'"{value}"'

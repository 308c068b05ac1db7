"""The hosts as OVN knows them: which are alive, which lead out, how far each of them is."""

import hashlib
import threading
import uuid
from collections.abc import Collection, Iterable

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import AgentReport, HostBandwidth
from cumulo.services.network.drivers.ovn.ovsdb import Client, Op
from cumulo.services.network.drivers.ovn.replica import Replica, Row

DOWN_AFTER_S = 75.0  # the default of agent_down_time
_GONE_DOWN_AFTER_S = 1.0  # for a host that has not been heard of for that long already
_GATEWAYS = 5


# How soon a host is missed that has a way out: every 0.5 s it must be heard of, and after six
# times of silence another takes over.  OVN itself would wait for five seconds; in much less a busy
# host would be taken for a dead one.
_WATCH = {"bfd-min-rx": "500", "bfd-min-tx": "500", "bfd-mult": "6"}


class Chassis(msgspec.Struct, frozen=True):
    """A host with a controller."""

    name: str
    hostname: str
    options: set[str]
    mappings: dict[str, str]  # physical network -> bridge
    rates: dict[str, tuple[int, int]]  # bridge -> kbit/s out and in
    answered: int  # the last configuration number that it has applied
    answered_at: float  # seconds since 1970, by its own clock

    @property
    def leads_out(self) -> bool:
        """Say whether routers may have their way out here."""
        return "enable-chassis-as-gw" in self.options


class Hosts:
    """Asks the hosts how far they are, and remembers who does not answer."""

    def __init__(self, north: Client, south: Client) -> None:
        self._north, self._south = north, south
        self._number = 0  # the last that was asked for
        self._silent_since: dict[str, float] = {}  # when the first question went unanswered
        self._lock = threading.Lock()

    def all(self) -> list[Chassis]:
        """Return every host in the southbound database."""
        return self._south.read(_chassis)

    def gateways(self, physical_network: str | None, router_id: str) -> list[str]:
        """Return the names of the hosts for a router's way out, the best first.

        Each router has an order of its own, and a host that comes or goes moves no other.
        """
        fit = [
            chassis.name
            for chassis in self.all()
            if chassis.leads_out
            and (physical_network is None or physical_network in chassis.mappings)
        ]
        return sorted(fit, key=lambda name: _weight(router_id, name))[:_GATEWAYS]

    def all_reach(self, physical_network: str | None) -> bool:
        """Say whether every host has a way to the physical network."""
        return all(physical_network in chassis.mappings for chassis in self.all())

    def await_any(self, timeout_s: float) -> None:
        """Wait for the first host; a cloud that starts may be faster than its hosts."""
        self._south.wait_until(lambda south: bool(south.rows("Chassis")), timeout_s)

    def wait_in_force(self, timeout_s: float, without: Collection[str] = ()) -> None:
        """Return when all hosts that are alive have applied everything written before.

        That those `without` which it must do are dead is known to others sooner.
        """
        until = clock.monotonic() + timeout_s
        known = self.all()
        dead = self._dead(known) | {one.name for one in known if one.hostname in without}
        number = self._ask()
        written = self._north.wait_until(lambda north: _translated(north) >= number, timeout_s)
        left_s = max(0.0, until - clock.monotonic())
        if not written or not self._await_answers(number, dead, left_s):
            behind = sorted(c.hostname for c in self.all() if c.answered < number)
            who = ", ".join(behind) or "northd"
            raise Unavailable(f"Not in force after {timeout_s:g} s; still to answer: {who}.")

    def reports(self) -> list[AgentReport]:
        """Report on the parts of each host."""
        known = self.all()
        number = self._ask()
        self._await_answers(number, self._dead(known), _GONE_DOWN_AFTER_S)
        known = self.all()
        dead = self._dead(known)
        return [report for chassis in known for report in _reports(chassis, dead)]

    def bandwidths(self) -> list[HostBandwidth]:
        """Return each host's bridges into physical networks, with their rates."""
        return [
            HostBandwidth(
                host=chassis.hostname,
                bridge=bridge,
                physical_network=name,
                egress_kbps=chassis.rates.get(bridge, (0, 0))[0],
                ingress_kbps=chassis.rates.get(bridge, (0, 0))[1],
            )
            for chassis in self.all()
            for name, bridge in sorted(chassis.mappings.items())
        ]

    def forget(self, hostname: str) -> None:
        """Remove a host's rows from the southbound database."""
        names = {chassis.name for chassis in self.all() if chassis.hostname == hostname}
        self._south.transact(lambda south: _removal(south, names))

    def _ask(self) -> int:
        """Raise the configuration number, which every host answers when it got that far."""
        known = self.all()
        results = self._north.transact(_raise_number)
        number = int(results[-1]["rows"][0]["nb_cfg"])
        now = clock.monotonic()
        with self._lock:
            for chassis in known:
                if chassis.answered >= self._number:
                    self._silent_since[chassis.name] = now
                else:
                    self._silent_since.setdefault(chassis.name, now)
            self._number = number
        return number

    def _await_answers(self, number: int, dead: set[str], timeout_s: float) -> bool:
        def all_answered(south: Replica) -> bool:
            return all(c.answered >= number for c in _chassis(south) if c.name not in dead)

        return self._south.wait_until(all_answered, timeout_s)

    def _dead(self, known: Iterable[Chassis]) -> set[str]:
        """Return the hosts that leave a question unanswered for too long."""
        now, today = clock.monotonic(), clock.timestamp()
        dead = set()
        with self._lock:
            for chassis in known:
                silent_s = now - self._silent_since.get(chassis.name, now)
                gone = 0 < chassis.answered_at < today - DOWN_AFTER_S
                patience_s = _GONE_DOWN_AFTER_S if gone else DOWN_AFTER_S
                if chassis.answered < self._number and silent_s >= patience_s:
                    dead.add(chassis.name)
        return dead


def watching(north: Replica) -> list[Op]:
    """Return what has hosts miss each other soon; nothing where somebody has said how soon."""
    said = [row["options"] for row in north.rows("NB_Global").values()]
    if not said or all(isinstance(one, dict) and one.keys() & _WATCH.keys() for one in said):
        return []
    pairs = ["map", [list(pair) for pair in _WATCH.items()]]
    change = ["options", "insert", pairs]
    return [{"op": "mutate", "table": "NB_Global", "where": [], "mutations": [change]}]


def _chassis(south: Replica) -> list[Chassis]:
    private = {row["name"]: row for row in south.rows("Chassis_Private").values()}
    found = [_one(row, private.get(row["name"], {})) for row in south.rows("Chassis").values()]
    return sorted(found, key=lambda chassis: (chassis.hostname, chassis.name))


def _one(row: Row, private: Row) -> Chassis:
    config = row["other_config"]
    assert isinstance(config, dict)
    pairs = (pair.partition(":") for pair in config.get("ovn-bridge-mappings", "").split(","))
    answered, answered_ms = private.get("nb_cfg", 0), private.get("nb_cfg_timestamp", 0)
    assert isinstance(answered, int)
    assert isinstance(answered_ms, int)
    options = set(config.get("ovn-cms-options", "").split(","))
    return Chassis(
        name=str(row["name"]),
        hostname=str(row["hostname"]),
        options=options,
        rates=_rates(options),
        mappings={name: bridge for name, _, bridge in pairs if bridge},
        answered=answered,
        answered_at=answered_ms / 1000,
    )


def _rates(options: set[str]) -> dict[str, tuple[int, int]]:
    """Read bridge:out:in;bridge:out:in, where a rate that is not given is empty."""
    found = {}
    for option in options:
        name, _, value = option.partition("=")
        for part in value.split(";") if name == "resource_provider_bandwidths" else []:
            bridge, _, rates = part.partition(":")
            out, _, back = rates.partition(":")
            found[bridge] = (_kbps(out), _kbps(back))
    return found


def _kbps(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _reports(chassis: Chassis, dead: set[str]) -> list[AgentReport]:
    way = "Gateway " if chassis.leads_out else ""
    parts = [(_id("controller", chassis), f"OVN Controller {way}agent", "ovn-controller")]
    if "cumulo-metadata" in chassis.options:
        part_id = _id("metadata", chassis)
        parts.append((part_id, "OVN Metadata agent", "neutron-ovn-metadata-agent"))
    mappings = ",".join(f"{name}:{bridge}" for name, bridge in sorted(chassis.mappings.items()))
    return [
        AgentReport(
            id=part_id,
            agent_type=agent_type,
            binary=binary,
            host=chassis.hostname,
            alive=chassis.name not in dead,
            configurations={"chassis_name": chassis.name, "bridge-mappings": mappings},
        )
        for part_id, agent_type, binary in parts
    ]


def _id(part: str, chassis: Chassis) -> str:
    """Return an agent's id, the same as long as the host has its name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{part} {chassis.name}"))


def _removal(south: Replica, names: set[str]) -> list[Op]:
    return [
        {"op": "delete", "table": table, "where": [["_uuid", "==", ["uuid", each]]]}
        for table in ("Chassis", "Chassis_Private")
        for each, row in sorted(south.rows(table).items())
        if row["name"] in names
    ]


def _raise_number(north: Replica) -> list[Op]:
    look = {"op": "select", "table": "NB_Global", "where": [], "columns": ["nb_cfg"]}
    if not north.rows("NB_Global"):
        return [{"op": "insert", "table": "NB_Global", "row": {"nb_cfg": 1}}, look]
    plus = {"op": "mutate", "table": "NB_Global", "where": [], "mutations": [["nb_cfg", "+=", 1]]}
    return [plus, look]


def _translated(north: Replica) -> int:
    """Return the configuration number up to which northd has come."""
    numbers = [row["sb_cfg"] for row in north.rows("NB_Global").values()]
    return max((number for number in numbers if isinstance(number, int)), default=0)


def _weight(router_id: str, name: str) -> bytes:
    return hashlib.sha256(f"{router_id} {name}".encode()).digest()

"""What a cloud has on a machine: processes, links, switches, OVN's rows, files, rows of its own.

Two looks at a cloud at rest that had the same resources show the same.
"""

import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

from cumulo.db import Database
from cumulo.node import processes
from cumulo.node.api import FixedNodes, Nodes
from cumulo.node.certificates import Identity
from cumulo.node.client import UnixDialer, remote_node
from cumulo.services.machines.nodes import JoinedNodes
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.audit import disagreements
from tests.chaos.inside import inside
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud

Look: TypeAlias = dict[str, Counter[str]]

# What stays of a resource that is gone, and may: who did what, and that it was there.
_HISTORY = {
    "event": "0",
    "work_run": "state in ('running', 'unwinding')",
    "work_reconciler": "0",
    "compute_server": "not is_deleted",
    "compute_scheduling_decision": "0",
    "compute_migration": "is_open",
    "compute_server_action": "0",
    "compute_server_action_event": "0",
    "compute_server_metadata": "server_id in (select id from compute_server where not is_deleted)",
    "compute_server_tag": "server_id in (select id from compute_server where not is_deleted)",
    "quota_usage": "used != 0",
    "network_host_link": "0",  # what hosts have, once they report it
    "identity_revocation": "0",
    "identity_fernet_key": "0",
    "image": "status != 'deleted'",
}
_NORTH = (
    *("Logical_Switch", "Logical_Switch_Port", "Logical_Router", "Logical_Router_Port", "NAT"),
    *("Logical_Router_Static_Route", "DHCP_Options", "DNS", "Port_Group", "ACL", "Address_Set"),
    *(
        "Gateway_Chassis",
        "HA_Chassis_Group",
        "QoS",
        "Load_Balancer",
        "Meter",
        "Chassis_Template_Var",
    ),
)
_SOUTH = ("Datapath_Binding", "Port_Binding", "MAC_Binding", "Chassis", "DHCP_Options", "DNS")
# Logs and databases grow and shrink; an image once fetched is kept for a day.
_NOT_FILES = ("log/", "cache/", "control/parked", "control/cumulo.db-", "ovs/", "libvirt/run/")


def kill_apis(cloud: CommandCloud) -> None:
    """Kill the part without rights alone; the program starts it again."""
    [serve] = processes.marked(cloud.state / "run", "serve")
    serve.end(9, grace_s=10)


@contextmanager
def hosts_of(cloud: CommandCloud) -> Iterator[tuple[Database, Nodes]]:
    """Give a cloud's database, and its hosts as it reaches them."""
    node = remote_node(UnixDialer(cloud.state / "run" / "node.sock"))
    own, identity = FixedNodes({node.facts().name: node}), Identity(cloud.state / "control" / "tls")
    database = Database(f"sqlite:///{cloud.state}/control/cumulo.db")
    with inside(cloud.net), closing(database):
        yield database, JoinedNodes(own, database, identity)


def disagreements_of(cloud: CommandCloud) -> list[str]:
    """Return on what the database, the hosts and the network of a cloud are not of one mind."""
    ovn = OvnDriver(f"unix:{cloud.state}/ovn/nb.sock", f"unix:{cloud.state}/ovn/sb.sock")
    with hosts_of(cloud) as (database, nodes), closing(ovn):
        return disagreements(database, nodes, ovn)


def look(cloud: CommandCloud) -> Look:
    """Return everything that a real cloud has, by kind."""
    return {
        "processes": Counter(_processes(cloud)),
        "links": Counter(_links(cloud)),
        "switch": Counter(_switch(cloud)),
        "north": Counter(_rows(cloud, "nb", "OVN_Northbound", _NORTH)),
        "south": Counter(_rows(cloud, "sb", "OVN_Southbound", _SOUTH)),
        "namespaces": Counter(_namespaces(cloud)),
        "files": Counter(_files(cloud)),
        "rows": Counter(rows(cloud.state / "control" / "cumulo.db")),
    }


def at_rest(cloud: CommandCloud) -> Look:
    """Return what there is once nothing of it changes any more."""
    looks = [look(cloud)]

    def same() -> bool:
        looks.append(look(cloud))
        return looks[-1] == looks[-2] and not looks[-1]["rows"]["work_run"]

    eventually(same, 60, every_s=5)
    return looks[-1]


def rows_at_rest(path: Path) -> Counter[str]:
    """Return the rows of a SQLite file by table once no workflow runs any more."""
    found = Counter(rows(path))

    def idle() -> bool:
        nonlocal found
        found = Counter(rows(path))
        return not found["work_run"]

    eventually(idle, 60, tell=lambda: found, every_s=0.5)
    return found


def more(before: Look, after: Look) -> dict[str, list[str]]:
    """Return what is there after and was not before, and what was and is not."""
    found = {}
    for kind in before:
        new = [f"+ {one}" for one in (after[kind] - before[kind]).elements()]
        gone = [f"- {one}" for one in (before[kind] - after[kind]).elements()]
        if new or gone:
            found[kind] = sorted(new + gone)
    return found


def rows(path: Path) -> Iterator[str]:
    """Count the rows of a SQLite file by table, without what only tells of the past."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db:
        tables = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        for (table,) in db.execute(tables).fetchall():
            where = _HISTORY.get(table, "1")
            (count,) = db.execute(f'select count(*) from "{table}" where {where}').fetchone()
            yield from [table] * count


def memory_kib(pid: int) -> int:
    """Return what a process holds for itself alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines[1:])
    return sum(int(fields[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))


def _processes(cloud: CommandCloud) -> Iterator[str]:
    mark = str(cloud.state).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if mark in command and not command.startswith((b"nsenter", b"pytest")):
            yield " ".join(command.decode(errors="replace").split("\0")[:4])


def _links(cloud: CommandCloud) -> list[str]:
    told = cloud.output("ip", "-json", "link")
    return [link["ifname"] for link in json.loads(told)]


def _switch(cloud: CommandCloud) -> Iterator[str]:
    database = f"--db=unix:{cloud.state}/ovs/db.sock"
    for bridge in cloud.output("ovs-vsctl", database, "list-br").split():
        for port in cloud.output("ovs-vsctl", database, "list-ports", bridge).split():
            yield f"{bridge} {port}"


def _rows(
    cloud: CommandCloud, socket: str, database: str, tables: tuple[str, ...]
) -> Iterator[str]:
    remote = f"unix:{cloud.state}/ovn/{socket}.sock"
    schema = json.loads(cloud.output("ovsdb-client", "get-schema", remote, database))
    known = [table for table in tables if table in schema["tables"]]
    selects = [{"op": "select", "table": t, "where": [], "columns": ["_uuid"]} for t in known]
    words = ("ovsdb-client", "transact", remote, json.dumps([database, *selects]))
    for table, found in zip(known, json.loads(cloud.output(*words)), strict=True):
        yield from [table] * len(found["rows"])


def _namespaces(cloud: CommandCloud) -> Iterator[str]:
    """Return the namespaces of this cloud's networks; others may make some meanwhile."""
    notes = {path.stem for path in (cloud.state / "metadata").glob("*.json")}
    for name in _all_namespaces():
        if name.removeprefix("ovnmeta-") in notes | cloud.networks:
            yield name


def _all_namespaces() -> set[str]:
    told = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in told.splitlines()}


def _files(cloud: CommandCloud) -> Iterator[str]:
    for path in cloud.state.rglob("*"):
        name = str(path.relative_to(cloud.state))
        if not name.startswith(_NOT_FILES):
            yield name

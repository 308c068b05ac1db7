"""The hosts of a cloud: this machine, known from the start, and those that joined."""

import threading

from cumulo.db import Database, Tx
from cumulo.node.api import Node, Nodes
from cumulo.node.certificates import Identity
from cumulo.node.moving import moving_node
from cumulo.node.tls import TlsDialer
from cumulo.services.machines import machines
from cumulo.services.machines.machines import Machine


class JoinedNodes:
    """Whoever is in the database is a host; connections last as long as its row is the same."""

    def __init__(self, fixed: Nodes, db: Database, identity: Identity) -> None:
        self._fixed, self._db, self._identity = fixed, db, identity
        self._known: dict[str, tuple[Machine, Node]] = {}
        self._lock = threading.Lock()

    def on(self, host: str) -> Node:
        """Return the host of that name; NotFound when there is none."""
        found = self._db.read(machines.find_machine, host)
        if found is None:
            return self._fixed.on(host)
        with self._lock:
            machine, node = self._known.get(host, (None, None))
            if node is None or machine != found:
                node = moving_node(self._dialer(found))
                self._known[host] = (found, node)
            return node

    def names(self) -> list[str]:
        """Return the names of all hosts, sorted."""
        joined = self._db.read(_names)
        return sorted({*self._fixed.names(), *joined})

    def _dialer(self, machine: Machine) -> TlsDialer:
        return TlsDialer(
            self._identity,
            (machine.address, machine.port),
            name=machine.name,
            kind="host",
            fingerprint=machine.fingerprint,
        )


def _names(tx: Tx) -> list[str]:
    return [machine.name for machine in machines.list_machines(tx)]

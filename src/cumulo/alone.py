"""Object storage alone: its two APIs on one port, its reconcilers in a thread, nothing else."""

import socket
import threading
from pathlib import Path
from typing import Any

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.kit import clock, log
from cumulo.kit.siblings import Siblings, sensible
from cumulo.services.objectstore.api import FAMILY, OPERATIONS, new_trans_id, quick_reads
from cumulo.services.objectstore.api.local_users import routes as local_users
from cumulo.services.objectstore.api.s3 import FAMILY as S3_FAMILY
from cumulo.services.objectstore.api.s3 import OPERATIONS as S3
from cumulo.services.objectstore.api.s3 import is_s3
from cumulo.services.objectstore.assembly import assembled
from cumulo.services.objectstore.local_users import LocalUsers
from cumulo.services.objectstore.policy import RULES
from cumulo.services.objectstore.reconcile import RECONCILERS, RECONCILERS_OF_OTHERS
from cumulo.services.objectstore.settings import LocalUser, ObjectStoreSettings, RateLimits
from cumulo.services.objectstore.stamps import Stamps
from cumulo.services.objectstore.tools import Tools
from cumulo.settings import Settings
from cumulo.web.edge import Api, Edge
from cumulo.web.gate import Gate
from cumulo.web.streaming import StreamingServer

LOG = log.get("objectstore")


ALONE = Siblings(0, 1)


def processes(settings: ObjectStoreSettings) -> int:
    """Return how many processes are to serve a store that runs alone."""
    is_limited = settings.ratelimit != RateLimits()  # rates are counted within a process
    return settings.processes or (1 if is_limited else sensible())


class ObjectStore:
    """A store with users of its own; it serves from `start` to `stop`.

    Made before the processes are that serve it together, it is started in each of them.
    """

    def __init__(self, settings: Settings, directory: Path, users: dict[str, LocalUser]) -> None:
        http, mine = settings.http, settings.objectstore
        address = f"{http.public_host or http.host}:{http.objectstore_port}"
        cluster = assembled(directory, mine)
        known = LocalUsers(users, cluster.salt.encode())
        self.tools = Tools(cluster, mine, known.sign_in, address, users=known)
        self._db = Database(f"sqlite:///{directory}/none.db")  # no operation here asks for it
        shared: dict[str, Any] = {
            "port": http.objectstore_port,
            "policy": Policy(RULES),
            "tools": self.tools,
            "slash_counts": True,
            "route_first": True,
            "new_request_id": new_trans_id,
        }
        swift = Api(
            name="objectstore",
            operations=[*local_users.operations, *OPERATIONS],
            family=FAMILY,
            request_id_headers=("X-Trans-Id", "X-Openstack-Request-Id"),
            **shared,
        )
        s3 = Api(
            name="s3",
            operations=S3,
            family=S3_FAMILY,
            request_id_headers=("x-amz-request-id", "x-amz-id-2"),
            **shared,
        )
        edges = [Edge(api, self._db, known.validate) for api in (swift, s3)]
        gate = Gate([(is_s3, edges[1])], edges[0])
        self._server = StreamingServer(
            gate,
            http.host,
            http.objectstore_port,
            threads=http.streaming_threads,
            is_quick=quick_reads(self.tools),
        )
        self._over, self._reconcilers = threading.Event(), RECONCILERS
        self._keeper = threading.Thread(target=self._keep, name="reconcilers", daemon=True)

    def start(self, me: Siblings = ALONE, listener: socket.socket | None = None) -> None:
        """Open the port, or serve a socket that listens, and begin to keep things in order."""
        self._reconcilers = RECONCILERS if me.is_first else RECONCILERS_OF_OTHERS
        self.tools.cluster.stamps = Stamps(me.number, me.count)
        self._server.start(listener)
        self._keeper.start()

    def stop(self) -> None:
        """Let requests under way end."""
        self._server.stop()
        self._over.set()
        self._keeper.join()
        self.tools.cluster.close()
        self._db.close()

    def _keep(self) -> None:
        due = {each.name: clock.monotonic() for each in self._reconcilers}
        while not self._over.wait(1.0):
            for each in self._reconcilers:
                if clock.monotonic() < due[each.name] or self._over.is_set():
                    continue
                try:
                    each.run(self.tools)
                except Exception:
                    LOG.exception("reconciler failed", reconciler=each.name)
                due[each.name] = clock.monotonic() + each.every_s

"""A whole cloud in this process, on hosts and networks that exist in memory."""

import dataclasses
import itertools
import tempfile
from pathlib import Path
from typing import Any

from cumulo.app import Cloud, Outside, Passwords
from cumulo.db import Database
from cumulo.node.api import FixedNodes, HostFacts
from cumulo.node.drivers.fake import FakeNode
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.volume import assembly as volume_assembly
from cumulo.services.volume.backends import report_backends
from cumulo.services.volume.settings import VolumeSettings
from cumulo.services.volume.volume_types import add_default_type
from cumulo.settings import Settings
from cumulo.web.edge import Edge
from tests.client import Client, authenticate
from tests.compute.sizes import add_usual_flavors
from tests.stores import replace, scratch

SECRET = "the hosts' secret"
_template: list[bytes] = []  # a new database with the usual flavors: quicker to copy than to make
_files = tempfile.TemporaryDirectory(prefix="cumulo-databases-")
_numbers = itertools.count()
_spare: list[
    Database
] = []  # databases of clouds that closed: they keep the statements' compilations


class Emulated:
    def __init__(
        self,
        state: Path,
        *,
        hosts: int = 1,
        settings: Settings | None = None,
        db: Database | None = None,
        kind: type[FakeNode] = FakeNode,
        **facts: Any,
    ) -> None:
        """Make one on `db`, which is empty or a file to be replaced, or on one of its own."""
        self.names = [f"node{number}" for number in range(1, hosts + 1)]
        self.nodes = {name: kind(name, facts=self._facts(name, facts)) for name in self.names}
        self.driver = FakeDriver(self.names)
        outside = Outside(
            FixedNodes(self.nodes), self.driver, self.names[0], volumes=volume_assembly.EMULATED
        )
        passwords = Passwords(admin="admin-secret", demo="demo-secret", metadata=SECRET)
        self._is_lent = db is None
        self.db = db or _database()
        if self.db.engine.dialect.name == "sqlite":
            if not _template:
                _template.append(_filled(state / "template.db"))
            replace(self.db, _template[0])
        else:
            _fill(self.db)
        self.cloud = Cloud(settings or Settings(), state, outside, passwords, self.db)
        # The projects of the tests' tokens are not in the database.
        anything = dataclasses.replace(self.cloud.compute, project_exists=lambda _tx, _id: True)
        self.cloud.compute = anything
        everyone = dataclasses.replace(self.cloud.volume, project_exists=lambda _tx, _id: True)
        self.cloud.volume = everyone
        self.cloud.compute = dataclasses.replace(self.cloud.compute, volume=everyone)
        self.network = self.cloud.network  # which knows what projects there really are
        among = dataclasses.replace(self.network, projects_among=lambda _tx, ids: ids)
        self.cloud.network = among
        update_hosts(self.cloud.compute)
        report_backends(self.cloud.volume)
        self._edges: dict[str, Edge] = {}
        self._workers = self.cloud.workers()
        self._scheduler = self.cloud.scheduler()

    @staticmethod
    def _facts(name: str, facts: dict[str, Any]) -> HostFacts | None:
        if not facts:
            return None
        given = {"vcpus": 8, "memory_mib": 16384, "disk_gib": 200, **facts}
        return HostFacts(name=name, hypervisor_type="fake", hypervisor_version=1, **given)

    def client(
        self, service: str, token: str | None = "ann:p1:member", version: str | None = None
    ) -> Client:
        if service not in self._edges:
            api = next(api for api in self.cloud.apis if api.name == service)
            self._edges[service] = Edge(api, self.db, authenticate)
        return Client(self._edges[service], token, version)

    def work(self) -> None:
        """Carry on all workflows until none can be carried on now."""
        while sum(worker.run_pending() for worker in self._workers):
            pass

    def tick(self) -> None:
        """Run every reconciler that is due, then the work that follows."""
        self._scheduler.tick()
        self.work()

    def close(self) -> None:
        self.db.close()
        if self._is_lent:
            self._is_lent = False
            _spare.append(self.db)


def _database() -> Database:
    return _spare.pop() if _spare else scratch(Path(_files.name, f"{next(_numbers)}.db"))


def _filled(file: Path) -> bytes:
    database = Database(f"sqlite:///{file}")
    database.create_all()
    _fill(database)
    database.close()
    return file.read_bytes()


def _fill(database: Database) -> None:
    database.write(add_usual_flavors)
    database.write(add_default_type, VolumeSettings())

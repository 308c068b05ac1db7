"""A whole cloud in this process, on hosts and networks that exist in memory."""

import dataclasses
from pathlib import Path
from typing import Any

from cumulo.app import Cloud, Outside, Passwords
from cumulo.node.api import FixedNodes, HostFacts
from cumulo.node.drivers.fake import FakeNode
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.settings import Settings
from cumulo.web.edge import Edge
from tests.client import Client, authenticate
from tests.compute.sizes import add_usual_flavors

SECRET = "the hosts' secret"


class Emulated:
    def __init__(
        self, state: Path, *, hosts: int = 1, settings: Settings | None = None, **facts: Any
    ) -> None:
        self.names = [f"node{number}" for number in range(1, hosts + 1)]
        self.nodes = {name: FakeNode(name, facts=self._facts(name, facts)) for name in self.names}
        self.driver = FakeDriver(self.names)
        outside = Outside(FixedNodes(self.nodes), self.driver, self.names[0])
        passwords = Passwords(admin="admin-secret", demo="demo-secret", metadata=SECRET)
        self.cloud = Cloud(settings or Settings(), state, outside, passwords)
        # The projects of the tests' tokens are not in the database.
        anything = dataclasses.replace(self.cloud.compute, project_exists=lambda _tx, _id: True)
        self.cloud.compute = anything
        self.db = self.cloud.db
        self.db.create_all()
        self.db.write(add_usual_flavors)
        update_hosts(self.cloud.compute)
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
            api = next(api for api in self.cloud.apis() if api.name == service)
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

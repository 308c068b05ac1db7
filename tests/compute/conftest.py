from pathlib import Path

import msgspec
import pytest

from cumulo.auth import Policy
from cumulo.db import Database, Tx, metadata
from cumulo.kit.errors import Unavailable
from cumulo.node.api import HostFacts, Node
from cumulo.services.compute.api import OPERATIONS
from cumulo.services.compute.policy import RULES
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.versions import HISTORY
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.public import ImageLimits, ImageTools
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.public import Tools as NetworkTools
from cumulo.services.volume.drivers.backup_directory import BackupDirectory
from cumulo.services.volume.keys import Safe
from cumulo.services.volume.public import NoServers, VolumeSettings, VolumeTools
from cumulo.web import faults
from cumulo.web.edge import Api, Edge
from tests.client import Client, authenticate
from tests.compute.sizes import add_usual_flavors
from tests.stores import replace

PROJECTS = {"p1", "p2", "0123456789abcdef0123456789abcdef"}
FACTS = HostFacts(
    name="one",
    hypervisor_type="QEMU",
    hypervisor_version=7002000,
    cpu_model="EPYC",
    cpu_vendor="AMD",
    cpu_features=["sse2"],
    vcpus=8,
    memory_mib=16384,
    disk_gib=100,
    disk_free_gib=60,
    address="192.0.2.1",
    uptime="12:00:00 up 3 days",
)


class Hosts:
    """Hosts that say what a test wants them to say, and nothing more."""

    def __init__(self, *facts: HostFacts) -> None:
        self.facts = {one.name: one for one in facts}
        self.silent: set[str] = set()

    def names(self) -> list[str]:
        return list(self.facts)

    def on(self, host: str) -> Node:
        return _Host(self, host)  # type: ignore[return-value]

    def add(self, name: str) -> None:
        self.facts[name] = msgspec.structs.replace(FACTS, name=name, address="192.0.2.2")


class _Host:
    def __init__(self, hosts: Hosts, name: str) -> None:
        self._hosts, self._name = hosts, name

    def facts(self) -> HostFacts:
        if self._name in self._hosts.silent:
            raise Unavailable(f"Host {self._name} does not answer.")
        return self._hosts.facts[self._name]


@pytest.fixture
def hosts() -> Hosts:
    return Hosts(FACTS)


@pytest.fixture
def tools(db: Database, hosts: Hosts) -> Tools:
    return Tools(
        db=db,
        nodes=hosts,
        settings=ComputeSettings(),
        network=NetworkTools(db, FakeDriver()),
        images=Path("/nonexistent"),
        image=ImageTools(db, FakeStore(), ImageLimits()),
        host="control",
        project_exists=_exists,
        volume=VolumeTools(
            db=db,
            settings=VolumeSettings(),
            host="control",
            places={},
            project_exists=_exists,
            image=ImageTools(db, FakeStore(), ImageLimits()),
            servers=NoServers(),
            backups=BackupDirectory(Path("/nonexistent")),
            safe=Safe(Path("/nonexistent")),
        ),
    )


def _exists(_: Tx, project_id: str) -> bool:
    return project_id in PROJECTS


_begun: dict[int, bytes] = {}  # a new database with flavors, by how many tables it has


@pytest.fixture
def cloud(db: Database, tools: Tools) -> Client:
    """The compute API of a cloud with one host and the default flavors, as any user sees it."""
    if db.engine.dialect.name != "sqlite":
        db.write(add_usual_flavors)
    elif begun := _begun.get(len(metadata.tables)):
        replace(db, begun)
    else:
        db.write(add_usual_flavors)
        db.close()
        _begun[len(metadata.tables)] = Path(str(db.engine.url.database)).read_bytes()
    update_hosts(tools)
    api = Api(
        name="compute",
        port=8774,
        operations=OPERATIONS,
        policy=Policy(RULES),
        family=faults.NAMED,
        history=HISTORY,
        tools=tools,
        project_prefix="/v2.1",
        old_prefix="/v2",
    )
    return Client(Edge(api, db, authenticate))


@pytest.fixture
def admin(cloud: Client) -> Client:
    return cloud.as_("root:p2:admin")

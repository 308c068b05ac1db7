"""A network service in one process, on a real SQLite file and a backend that moves no packets."""

from typing import Any

import pytest

from cumulo.auth import Context, Policy
from cumulo.db import Database
from cumulo.services.network.api import OPERATIONS
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.policy import RULES
from cumulo.services.network.projection import project
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.tools import Tools
from cumulo.web import faults
from cumulo.web.edge import Api, Edge
from tests.client import Answer, Client, authenticate

PROJECT, OTHER = "a" * 32, "b" * 32
NOWHERE = "00000000-0000-4000-8000-00000000dead"
MEMBER, STRANGER, ADMIN = f"ann:{PROJECT}:member", f"bob:{OTHER}:member", f"root:{'c' * 32}:admin"


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def settings() -> NetworkSettings:
    return NetworkSettings(network_vlan_ranges=("tenant:1000:2000",))


@pytest.fixture
def tools(db: Database, driver: FakeDriver, settings: NetworkSettings) -> Tools:
    return Tools(db, driver, settings)


class Net:
    """The Networking API as one caller sees it, and shortcuts for what every test says."""

    def __init__(self, edge: Edge, tools: Tools, token: str | None = MEMBER) -> None:
        self._edge, self.tools = edge, tools
        self.http = Client(edge, token)

    def as_(self, token: str | None) -> "Net":
        return Net(self._edge, self.tools, token)

    @property
    def admin(self) -> "Net":
        return self.as_(ADMIN)

    @property
    def stranger(self) -> "Net":
        return self.as_(STRANGER)

    def make(self, noun: str, **facts: Any) -> Any:
        """Create a resource and return it."""
        answer = self.try_(noun, **facts)
        assert answer.status == 201, answer.text
        return answer.json()[noun]

    def try_(self, noun: str, **facts: Any) -> Answer:
        """Ask for a resource that may be refused."""
        return self.http.post(f"/v2.0/{plural(noun)}", {noun: named(facts)})

    def change(self, noun: str, resource_id: str, **facts: Any) -> Any:
        """Change a resource and return it."""
        answer = self.try_change(noun, resource_id, **facts)
        assert answer.status == 200, answer.text
        return answer.json()[noun]

    def try_change(self, noun: str, resource_id: str, **facts: Any) -> Answer:
        """Ask for a change that may be refused."""
        return self.http.put(f"/v2.0/{plural(noun)}/{resource_id}", {noun: named(facts)})

    def show(self, noun: str, resource_id: str) -> Any:
        answer = self.http.get(f"/v2.0/{plural(noun)}/{resource_id}")
        assert answer.status == 200, answer.text
        return answer.json()[noun]

    def list(self, noun: str, query: str = "") -> Any:
        answer = self.http.get(f"/v2.0/{plural(noun)}{query}")
        assert answer.status == 200, answer.text
        return answer.json()[plural(noun).removeprefix("qos/").replace("-", "_")]

    def delete(self, noun: str, resource_id: str) -> Answer:
        return self.http.delete(f"/v2.0/{plural(noun)}/{resource_id}")

    def attach(self, router: str, verb: str = "add", **what: str) -> Answer:
        """Put a router into a subnet, or take it out."""
        return self.http.put(f"/v2.0/routers/{router}/{verb}_router_interface", what)

    def network(self, cidr: str = "10.0.0.0/24", **facts: Any) -> tuple[Any, Any]:
        """Create a network with a subnet."""
        network = self.make("network", **facts)
        subnet = self.make("subnet", network_id=network["id"], cidr=cidr, ip_version=4)
        return network, subnet

    def outside(self, cidr: str = "203.0.113.0/24") -> tuple[Any, Any]:
        """Create an external network with a subnet, as the cloud's administrator."""
        facts = {"router:external": True, "provider:network_type": "flat"}
        network = self.admin.make("network", **facts, **{"provider:physical_network": "public"})
        subnet = self.admin.make(
            "subnet", network_id=network["id"], cidr=cidr, ip_version=4, enable_dhcp=False
        )
        return network, subnet

    def project(self) -> None:
        """Let the backend be told all that changed."""
        project(self.tools)


# Collections that are spelled with dashes in paths.
DASHED = ("security", "rbac", "address", "default", "service")


def plural(noun: str) -> str:
    if noun == "policy":
        return "qos/policies"
    dashed = noun.replace("_", "-") if noun.startswith(DASHED) else noun
    return f"{dashed.removesuffix('y')}ies" if noun.endswith("y") else f"{dashed}s"


def named(facts: dict[str, Any]) -> dict[str, Any]:
    """Spell attributes as the API does where Python cannot: binding__host_id."""
    return {name.replace("__", ":"): value for name, value in facts.items()}


@pytest.fixture
def net(db: Database, tools: Tools) -> Net:
    api = Api(
        name="network",
        port=9696,
        operations=OPERATIONS,
        policy=Policy(RULES),
        family=faults.TYPED,
        tools=tools,
    )
    return Net(Edge(api, db, authenticate), tools)


def error_of(answer: Answer) -> tuple[int, str]:
    """Return the status and type of an error, whose body must have the API's form."""
    fault = answer.json()["NeutronError"]
    assert set(fault) == {"type", "message", "detail"}
    return answer.status, fault["type"]


def member(project_id: str = PROJECT) -> Context:
    return Context(user_id="u", project_id=project_id, roles=frozenset({"member", "reader"}))


def admin(project_id: str = PROJECT) -> Context:
    return Context(user_id="root", project_id=project_id, roles=frozenset({"admin"}))

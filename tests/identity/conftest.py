"""A cloud with identity alone, as it is after its first start."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.kit import clock
from cumulo.services.identity import public
from cumulo.services.identity.api import OPERATIONS
from cumulo.web import faults
from cumulo.web.edge import Api, Edge
from tests.client import Answer, Client
from tests.identity.watch import silent_changes
from tests.stores import replace, scratch

SETTINGS = public.IdentitySettings(password_hash_rounds=4)
SERVICES = [
    public.ServiceSpec("identity", "keystone", "http://cloud:5000/v3"),
    public.ServiceSpec("compute", "nova", "http://cloud:8774/v2.1"),
    public.ServiceSpec("object-store", "swift", "http://cloud:8080/v1/AUTH_$(project_id)s"),
]


@dataclass(frozen=True)
class Cloud:
    """Identity behind its edge, and shortcuts for what every test says."""

    edge: Edge
    db: Database
    tools: public.Tools

    def ask(self, auth: dict[str, Any], query: str = "") -> Answer:
        """Ask for a token."""
        return Client(self.edge, None).post(f"/v3/auth/tokens{query}", {"auth": auth})

    def login(self, name: str = "admin", password: str = "secret", scope: Any = None) -> Client:
        """Return a client with a token; without a scope, for the admin project."""
        admin = {"project": {"name": "admin", "domain": {"id": "default"}}}
        answer = self.ask(by_password(name, password, scope or admin))
        assert answer.status == 201, answer.text
        return Client(self.edge, answer.headers["x-subject-token"])

    def user(self, admin: Client, name: str, **facts: Any) -> str:
        """Create a user with password `pw` and return its id."""
        return str(made(admin, "user", {"name": name, "password": "pw", **facts})["id"])

    def role(self, admin: Client, name: str) -> str:
        """Return the id of a global role."""
        return str(admin.get(f"/v3/roles?name={name}").json()["roles"][0]["id"])

    def project(self, admin: Client, name: str) -> str:
        """Return the id of a project of the default domain."""
        found = admin.get(f"/v3/projects?name={name}&domain_id=default").json()["projects"]
        return str(found[0]["id"])


def by_password(name: str, password: str, scope: Any = None) -> dict[str, Any]:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    return auth if scope is None else {**auth, "scope": scope}


def by_token(token: str | None, scope: Any = None) -> dict[str, Any]:
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
    return auth if scope is None else {**auth, "scope": scope}


def on_project(project_id: str) -> dict[str, Any]:
    return {"project": {"id": project_id}}


SYSTEM = {"system": {"all": True}}


def made(client: Client, noun: str, facts: dict[str, Any]) -> Any:
    """Create a resource and return it."""
    plural = "policies" if noun == "policy" else f"{noun}s"
    answer = client.post(f"/v3/{plural}", {noun: facts})
    assert answer.status == 201, answer.text
    return answer.json()[noun]


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database after a first start: quicker to copy than to make."""
    database = scratch(tmp_path_factory.mktemp("identity") / "begun.db")
    database.create_all()
    _cloud(database, SETTINGS)
    database.close()
    return Path(str(database.engine.url.database)).read_bytes()


@pytest.fixture
def cloud(db: Database, begun: bytes) -> Iterator[Cloud]:
    """Identity, held to telling every change that tokens hang on, whatever is asked of it."""
    if db.engine.dialect.name == "sqlite":
        replace(db, begun)
    with silent_changes(db) as silent:
        yield _cloud(db, SETTINGS)
    assert silent == [], "these must advance the generation, or old tokens stay good"


@pytest.fixture
def new_cloud(db: Database) -> Callable[[public.IdentitySettings], Cloud]:
    """The same cloud as another process sees it, with settings of its own."""
    return lambda settings: _cloud(db, settings)


def _cloud(db: Database, settings: public.IdentitySettings) -> Cloud:
    tools = public.new_tools(db, settings)
    public.bootstrap(db, tools, public.Bootstrap("secret", "demo-secret", SERVICES))
    policy = Policy(public.RULES, scopes=public.EVERY_SCOPE, rule_scopes=public.RULE_SCOPES)
    api = Api(
        name="identity",
        port=5000,
        operations=OPERATIONS,
        policy=policy,
        family=faults.TITLED,
        tools=tools,
        head_follows_get=True,
        route_first=True,
        auth_url="http://cloud/v3",
        vary="X-Auth-Token",
    )
    return Cloud(Edge(api, db, tools.tokens.validate), db, tools)


@pytest.fixture
def admin(cloud: Cloud) -> Client:
    return cloud.login()


@pytest.fixture
def held_clock() -> Iterator[clock.Clock]:
    with clock.CLOCK.held(datetime(2030, 1, 1, tzinfo=UTC)) as held:
        yield held

"""A network service in one process, on a real SQLite file and a backend that moves no packets."""

import pytest

from cumulo.auth import Context
from cumulo.db import Database
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.tools import Tools

PROJECT, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def settings() -> NetworkSettings:
    return NetworkSettings(network_vlan_ranges=("tenant:1000:2000",))


@pytest.fixture
def tools(db: Database, driver: FakeDriver, settings: NetworkSettings) -> Tools:
    return Tools(db, driver, settings)


def member(project_id: str = PROJECT) -> Context:
    return Context(user_id="u", project_id=project_id, roles=frozenset({"member", "reader"}))


def admin(project_id: str = PROJECT) -> Context:
    return Context(user_id="root", project_id=project_id, roles=frozenset({"admin"}))

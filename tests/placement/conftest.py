"""The placement service in this process, on a real database file."""

import pytest

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.services.placement.api import FAMILY, OPERATIONS
from cumulo.services.placement.policy import RULES
from cumulo.services.placement.versions import HISTORY
from cumulo.web.edge import Api, Edge
from tests.client import Client, authenticate
from tests.placement.cloud import Cloud


@pytest.fixture
def edge(db: Database) -> Edge:
    api = Api(
        name="placement",
        port=8778,
        operations=OPERATIONS,
        policy=Policy(RULES),
        family=FAMILY,
        history=HISTORY,
    )
    return Edge(api, db, authenticate)


@pytest.fixture
def cloud(edge: Edge) -> Cloud:
    """An operator, speaking the newest version."""
    return Cloud(Client(edge, "nova:service:service", "placement 1.39"))

"""Each backend, empty, for a test."""

import pytest

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.drivers.backends import Backend


@pytest.fixture(params=["fake"])
def backend() -> Backend:
    """Return a driver whose backend is empty."""
    return Backend(FakeDriver(hosts=["here"]), "here", lambda plan: None)

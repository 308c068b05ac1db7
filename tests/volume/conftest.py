"""Block storage in a whole emulated cloud: real database file, volumes in memory."""

from typing import Any

import pytest

from cumulo.services.volume.drivers.fake import FakeDriver
from tests.client import Client
from tests.cloud import Emulated


@pytest.fixture
def ann(emulated: Emulated) -> Client:
    """A member of project p1."""
    return emulated.client("volume", "ann:p1:member", "volume 3.71")


@pytest.fixture
def ben(ann: Client) -> Client:
    """A member of project p2."""
    return ann.as_("ben:p2:member")


@pytest.fixture
def root(ann: Client) -> Client:
    """An administrator."""
    return ann.as_("root:p0:admin")


@pytest.fixture
def driver(emulated: Emulated) -> FakeDriver:
    """The back end of the cloud."""
    (place,) = emulated.cloud.volume.places.values()
    assert isinstance(place.driver, FakeDriver)
    return place.driver


class Made:
    """Makes things and waits until they can be used."""

    def __init__(self, emulated: Emulated, client: Client) -> None:
        self._emulated, self._client = emulated, client

    def volume(self, **spec: Any) -> str:
        """Return the id of a new volume."""
        answer = self._client.post("/v3/volumes", {"volume": {"size": 1, **spec}})
        assert answer.status == 202, answer.text
        self._emulated.work()
        return str(answer.json()["volume"]["id"])

    def snapshot(self, volume_id: str, **spec: Any) -> str:
        """Return the id of a new snapshot."""
        body = {"snapshot": {"volume_id": volume_id, **spec}}
        answer = self._client.post("/v3/snapshots", body)
        assert answer.status == 202, answer.text
        self._emulated.work()
        return str(answer.json()["snapshot"]["id"])


@pytest.fixture
def made(emulated: Emulated, ann: Client) -> Made:
    """What ann makes."""
    return Made(emulated, ann)

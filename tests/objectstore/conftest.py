"""An object store of four devices and three replicas, in memory where the machine has such."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database
from tests.objectstore.service import ANN, BEN, Service, User


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory where `fsync` costs nothing; what is tested is that nothing else is needed."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="cumulo-", dir=memory if memory.is_dir() else None))
    yield place / "objects"
    shutil.rmtree(place)


@pytest.fixture
def service(empty_db: Database, directory: Path) -> Iterator[Service]:
    service = Service(empty_db, directory)
    yield service
    service.close()


@pytest.fixture
def ann(service: Service) -> User:
    """A member of project p1, in its account."""
    return service.user(ANN)


@pytest.fixture
def ben(service: Service) -> User:
    """A member of project p2, in the account of p1."""
    return service.user(BEN)


@pytest.fixture
def anybody(service: Service) -> User:
    """Somebody without a token, in the account of p1."""
    return service.user(None)

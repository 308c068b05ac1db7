"""An image service in this process: real database file, real files."""

from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.services.image.drivers.file import FileStore
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.tools import ImageTools
from tests.client import Client
from tests.image.service import MIB, Service


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def tools(db: Database, directory: Path) -> ImageTools:
    limits = ImageLimits(image_size_cap=8 * MIB, virtual_size_cap=1024 * MIB)
    return ImageTools(db, FileStore(directory), limits)


@pytest.fixture
def service(tools: ImageTools) -> Service:
    return Service(tools)


@pytest.fixture
def ann(service: Service) -> Client:
    """A member of project p1."""
    return service.client("ann:p1:member")


@pytest.fixture
def ben(service: Service) -> Client:
    """A member of project p2."""
    return service.client("ben:p2:member")


@pytest.fixture
def root(service: Service) -> Client:
    """An administrator."""
    return service.client("root:admin:admin")

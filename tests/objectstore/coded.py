"""A store with a policy of erasure coding, and what tests do to its fragments."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.services.objectstore.settings import StoragePolicy
from tests.objectstore.service import ANN, Service, User

SEGMENT = 65536
CODED = StoragePolicy("coded", "erasure_coding", "isa_l_rs_vand", 4, 2, SEGMENT)


def coded_service(db: Database, directory: Path) -> Service:
    """Return eight devices, all with every listing, so that what gets lost are objects only."""
    return Service(db, directory, policies=("gold", CODED), devices=8, replicas=8)


@pytest.fixture
def service(empty_db: Database, directory: Path) -> Iterator[Service]:
    service = coded_service(empty_db, directory)
    yield service
    service.close()


@pytest.fixture
def ann(service: Service) -> User:
    ann = service.user(ANN)
    ann.put("box", x_storage_policy="coded")
    return ann


def fragments(service: Service, kind: str = "data") -> list[Path]:
    return sorted(service.directory.glob(f"d*/objects-1/*/*/*#*.{kind}"))


def device_of(path: Path) -> Path:
    return path.parents[3]


def away(service: Service, *paths: Path) -> list[Path]:
    """Take away the devices on which files lie; return where they are kept."""
    kept = []
    for path in paths:
        device = device_of(path)
        kept.append(service.directory / f"away-{device.name}")
        device.rename(kept[-1])
    return kept


def back(*kept: Path) -> None:
    for path in kept:
        device = path.with_name(path.name.removeprefix("away-"))
        shutil.rmtree(device, ignore_errors=True)
        path.rename(device)


def rot(path: Path, at: int = 100) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

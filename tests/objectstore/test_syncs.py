"""Containers kept like others, of this cluster and of another; and who may not use that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cumulo.db import Database
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore import reconcile
from cumulo.services.objectstore.drivers.courier import Parcel
from cumulo.services.objectstore.settings import SyncRealm
from tests.client import Client
from tests.objectstore.service import ANN, BEN, Service, User

HERE, THERE = "here:8080", "there:8080"
REALMS = {
    "earth": SyncRealm(
        key="shared", clusters={"one": f"http://{HERE}/v1/", "two": f"http://{THERE}/v1"}
    )
}


class Wires:
    """Carries parcels to the cluster that they are addressed to, unless it is away."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.carried: list[Parcel] = []

    def carry(self, parcel: Parcel) -> int:
        parts = urlsplit(parcel.url)
        if parts.netloc not in self.services:
            raise Unavailable("away")
        self.carried.append(parcel)
        body = b"".join(parcel.pieces)
        assert len(body) == parcel.length
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        client = Client(self.services[parts.netloc].edge, None)
        return client.request(parcel.method, path, body=body, headers=dict(parcel.headers)).status


@pytest.fixture
def wires() -> Wires:
    return Wires()


def started(db: Database, directory: Path, wires: Wires, address: str) -> Service:
    service = Service(db, directory, sync_realms=REALMS)
    service.give(courier=wires, own_address=address)
    wires.services[address] = service
    return service


@pytest.fixture
def here(empty_db: Database, directory: Path, wires: Wires) -> Iterator[Service]:
    service = started(empty_db, directory, wires, HERE)
    yield service
    service.close()


@pytest.fixture
def there(empty_db: Database, directory: Path, wires: Wires) -> Iterator[Service]:
    service = started(empty_db, directory.parent / "there", wires, THERE)
    yield service
    service.close()


@pytest.fixture
def ann(here: Service) -> User:
    return here.user(ANN)


@pytest.fixture
def ben(there: Service) -> User:
    return there.user(BEN, "AUTH_p2")


def kept_alike(ann: User, ben: User, key: str = "secret") -> None:
    both = {"x-container-sync-key": key}
    to = {"x-container-sync-to": "//earth/two/AUTH_p2/copy"}
    assert ann.ask("PUT", "box", headers=both | to).status == 201
    to = {"x-container-sync-to": "//earth/one/AUTH_p1/box"}
    assert ben.ask("PUT", "copy", headers=both | to).status == 201


def listed(user: User, path: str) -> Any:
    return user.get(f"{path}?format=json").json()


def test_two_clusters_end_alike(here: Service, there: Service, ann: User, ben: User) -> None:
    kept_alike(ann, ben)
    ann.put("box/a ä", b"from here", x_object_meta_a="1", content_type="text/x")
    ben.put("copy/b", b"from there")
    for _ in range(2):
        reconcile.synchronise(here.tools)
        reconcile.synchronise(there.tools)
    assert len(listed(ann, "box")) == 2
    assert listed(ann, "box") == listed(ben, "copy")
    answer = ben.get("copy/a ä")
    assert (answer.body, answer.headers["x-object-meta-a"]) == (b"from here", "1")
    ben.delete("copy/a ä")
    ann.post("box/b", x_object_meta_b="2")
    reconcile.synchronise(there.tools)
    reconcile.synchronise(here.tools)
    assert ann.names("box") == ben.names("copy") == ["b"]
    assert ben.head("copy/b").headers["x-object-meta-b"] == "2"


def test_the_newer_of_two_stays(here: Service, there: Service, ann: User, ben: User) -> None:
    kept_alike(ann, ben)
    ann.put("box/o", b"old")
    ben.put("copy/o", b"new")
    reconcile.synchronise(here.tools)
    assert ben.get("copy/o").body == b"new"
    reconcile.synchronise(there.tools)
    assert ann.get("box/o").body == b"new"


def test_what_could_not_be_sent_is_sent_later_and_once(
    here: Service, there: Service, ann: User, ben: User, wires: Wires
) -> None:
    kept_alike(ann, ben)
    ann.put("box/o", b"x")
    away = wires.services.pop(THERE)
    reconcile.synchronise(here.tools)
    wires.services[THERE] = away
    reconcile.synchronise(here.tools)
    assert ben.get("copy/o").body == b"x"
    count = len(wires.carried)
    reconcile.synchronise(here.tools)
    assert len(wires.carried) == count


def test_large_objects_follow_their_parts(
    here: Service, there: Service, ann: User, ben: User
) -> None:
    kept_alike(ann, ben)
    ben.put("box")
    ann.put("box/part", b"part")
    ann.put("box/all?multipart-manifest=put", b'[{"path": "box/part"}]')
    ben.put("box/part", b"part")
    reconcile.synchronise(here.tools)
    assert ben.get("copy/all").body == b"part"


def test_a_container_of_the_same_cluster_by_its_address(here: Service, ann: User) -> None:
    key = {"x-container-sync-key": "k"}
    ann.ask("PUT", "copy", headers=key)
    to = {"x-container-sync-to": f"http://{HERE}/v1/AUTH_p1/copy"}
    assert ann.ask("PUT", "box", headers=key | to).status == 201
    ann.put("box/o", b"x")
    reconcile.synchronise(here.tools)
    assert ann.get("copy/o").body == b"x"


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:8774/v1/a/c",
        "http://169.254.169.254/v1/a/c",
        "http://here:8080@evil/v1/a/c",
        "http://here:8080/v2/a/c",
        "http://here:8080/v1/a/c/../../x",
        "https://here:8080/v1/a/c",
        "file:///v1/a/c",
        "//mars/two/a/c",
        "//earth/three/a/c",
        "//earth/two/a",
    ],
)
def test_no_other_place_is_asked(ann: User, to: str, wires: Wires, here: Service) -> None:
    headers = {"x-container-sync-to": to, "x-container-sync-key": "k"}
    assert ann.ask("PUT", "box", headers=headers).status == 400
    assert ann.get("box").status == 404
    reconcile.synchronise(here.tools)
    assert wires.carried == []


def test_only_the_other_side_is_let_in(here: Service, ann: User, there: Service) -> None:
    ann.ask("PUT", "box", headers={"x-container-sync-key": "secret"})
    stranger = here.user(None)
    stamp = {"x-timestamp": "1700000000.00000"}
    right = {"x-container-sync-key": "secret"}
    for headers in (
        right,
        stamp,
        stamp | {"x-container-sync-key": "wrong"},
        stamp | {"x-container-sync-key": ""},
        stamp | {"x-container-sync-auth": "earth nonce 0"},
        stamp | {"x-container-sync-auth": "mars nonce 0"},
        right | {"x-timestamp": "../../1.00000"},
    ):
        assert stranger.ask("PUT", "box/o", b"x", headers).status == 401, headers
    assert stranger.ask("PUT", "box/o", b"x", stamp | right).status == 201
    assert stranger.ask("GET", "box/o", headers=stamp | right).status == 401
    assert stranger.ask("POST", "box/o", headers=stamp | right).status == 401
    ann.put("other")
    assert stranger.ask("PUT", "other/o", b"x", stamp | right).status == 401
    assert "x-container-sync-key" not in here.user("eve:p1:reader").head("box").headers


def test_info_names_realms_without_their_keys(here: Service) -> None:
    told = Client(here.edge, None).request("GET", "/info").json()["container_sync"]
    assert told == {"realms": {"earth": {"clusters": {"one": {}, "two": {}}}}}

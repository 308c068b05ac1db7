"""Storage policies: a ring and a directory of their own, kept whole and counted apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.services.objectstore import reconcile
from cumulo.services.objectstore.assembly import save
from cumulo.services.objectstore.ring import Builder, RingDevice
from tests.objectstore.service import ANN, RESELLER, Service, User


@pytest.fixture
def service(empty_db: Database, directory: Path) -> Iterator[Service]:
    directory.mkdir(parents=True)
    builder = Builder(4, 2, 1)
    for number in (1, 2, 3):
        builder.add(RingDevice(id=0, zone=number, device=f"d{number}"))
    builder.rebalance(1.0)
    save(directory / "object-1.builder", builder)
    service = Service(empty_db, directory, policies=("gold", "silver"))
    yield service
    service.close()


@pytest.fixture
def ann(service: Service) -> User:
    return service.user(ANN)


def silver(service: Service) -> int:
    return len(list(service.directory.glob("d*/objects-1/*/*/*.data")))


def test_a_container_keeps_its_policy(ann: User, service: Service) -> None:
    assert ann.put("box", x_storage_policy="Silver").status == 201
    assert ann.put("plain").status == 201
    assert ann.put("box", x_storage_policy="gold").status == 409
    assert ann.put("box", x_storage_policy="silver").status == 202
    assert ann.put("new", x_storage_policy="bronze").status == 400
    assert ann.head("box").headers["x-storage-policy"] == "silver"
    assert ann.head("plain").headers["x-storage-policy"] == "gold"
    ann.filled("box/o", "plain/o")
    assert (silver(service), len(service.files())) == (2, 3)
    assert ann.get("box/o").body == b"box/o"
    ann.ask("COPY", "box/o", headers={"destination": "plain/copy"})
    assert (silver(service), len(service.files())) == (2, 6)
    assert ann.post("box/o", x_object_meta_a="1").status == 202
    assert ann.delete("box/o").status == 204
    assert ann.get("box/o").status == 404
    assert silver(service) == 0


def test_every_policy_is_kept_whole(ann: User, service: Service) -> None:
    ann.put("box", x_storage_policy="silver")
    ann.filled(*(f"box/{number}" for number in range(6)))
    lost = service.lose(0)
    for number in range(6):
        assert ann.get(f"box/{number}").status == 200
    Path(lost.root).mkdir()
    service.mend()
    assert silver(service) == 12
    path = sorted(service.directory.glob("d2/objects-1/*/*/*.data"))[0]
    path.write_bytes(b"rot" + path.read_bytes()[3:])
    reconcile.audit(service.tools)
    service.mend()
    assert silver(service) == 12


def test_versions_lie_where_their_objects_do(ann: User, service: Service) -> None:
    ann.put("box", x_storage_policy="silver", x_versions_enabled="true")
    ann.filled("box/o")
    assert (silver(service), service.files()) == (4, [])


def test_quotas_of_a_policy(ann: User, service: Service) -> None:
    ann.put("box", x_storage_policy="silver")
    ann.put("plain")
    reseller = service.user(RESELLER)
    name = "x-account-quota-bytes-policy-silver"
    assert ann.ask("POST", headers={name: "10"}).status == 403
    assert reseller.ask("POST", headers={"x-account-quota-bytes-policy-tin": "1"}).status == 400
    assert reseller.ask("POST", headers={name: "10"}).status == 204
    assert ann.put("box/o", b"x" * 11).status == 413
    assert ann.put("box/o", b"x" * 6).status == 201
    assert ann.put("box/p", b"x" * 6).status == 413
    assert ann.put("plain/p", b"x" * 60).status == 201
    headers = ann.head("").headers
    assert headers["x-account-storage-policy-silver-bytes-used"] == "6"
    assert headers["x-account-storage-policy-gold-bytes-used"] == "60"
    count = "x-account-quota-count-policy-silver"
    assert reseller.ask("POST", headers={count: "1"}).status == 204
    assert ann.put("box/q", b"").status == 413
    assert ann.put("box/o", b"").status == 201


def test_info_tells_policies(ann: User) -> None:
    told = ann.client.request("GET", "/info").json()["swift"]["policies"]
    assert told[0] == {"name": "gold", "aliases": "gold", "default": True}
    assert told[1] == {"name": "silver", "aliases": "silver"}

"""Containers of other services: whole objects or none, in the project's account."""

import pytest

from cumulo.kit.errors import Conflict, NotFound, TooLarge
from cumulo.services.objectstore.public import ProjectContainer
from tests.objectstore.service import MIB, Service, User


@pytest.fixture
def backups(service: Service) -> ProjectContainer:
    found = ProjectContainer(service.tools, "p1", "backups")
    found.ensure()
    found.ensure()
    return found


def test_what_a_service_stores_its_project_sees(backups: ProjectContainer, ann: User) -> None:
    body = bytes(range(256)) * (MIB // 100)
    kept = backups.put(
        "vol/1", (body[at : at + MIB] for at in range(0, len(body), MIB)), {"a": "1"}
    )
    assert (kept.size, ann.get("backups/vol/1").body) == (len(body), body)
    assert ann.head("backups/vol/1").headers["x-object-meta-a"] == "1"
    opened = backups.open("vol/1")
    assert (opened.size, dict(opened.metadata)) == (len(body), {"a": "1"})
    assert b"".join(opened.pieces(MIB - 1, 3)) == body[MIB - 1 : MIB + 2]
    assert b"".join(opened.pieces(5)) == body[5:]
    opened.close()
    assert [one.name for one in backups.listed("vol/")] == ["vol/1"]
    assert [one.etag for one in backups.listed()] == [kept.etag]


def test_what_is_gone_is_gone(backups: ProjectContainer) -> None:
    backups.put("a", [b"x"])
    with pytest.raises(Conflict):
        backups.remove()
    backups.delete("a")
    backups.delete("a")
    with pytest.raises(NotFound, match="backups"):
        backups.open("a")
    backups.remove()
    backups.remove()
    assert list(backups.listed()) == []
    with pytest.raises(NotFound):
        backups.put("a", [b"x"])


def test_nobody_sees_what_was_not_kept(backups: ProjectContainer, service: Service) -> None:
    incoming = backups.begin("a")
    incoming.write(b"x" * MIB)
    assert list(backups.listed()) == []
    incoming.discard()
    assert service.files() == []
    backups.put("a", [b"old"])
    late = backups.begin("a")
    late.write(b"new")
    with pytest.raises(Conflict):
        late.keep(replace=False)
    late.discard()
    assert b"".join(backups.open("a").pieces()) == b"old"


def test_a_large_object_is_read_as_a_whole(backups: ProjectContainer, ann: User) -> None:
    ann.filled("backups/p/1", "backups/p/2")
    ann.put("backups/all", x_object_manifest="backups/p/")
    assert b"".join(backups.open("all").pieces()) == b"backups/p/1backups/p/2"


def test_quotas_hold_for_services_too(backups: ProjectContainer, ann: User) -> None:
    ann.post("backups", x_container_meta_quota_bytes="3")
    with pytest.raises(TooLarge):
        backups.put("a", [b"12", b"34"])
    assert list(backups.listed()) == []

"""What every place for backups must do; the same for all of them."""

from pathlib import Path

import pytest

from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_id
from cumulo.services.objectstore.public import ProjectContainer
from cumulo.services.volume.drivers.backup_directory import BackupDirectory
from cumulo.services.volume.drivers.backup_objects import BackupObjects
from cumulo.services.volume.drivers.backup_store import BackupStore
from cumulo.services.volume.drivers.base import BackendError
from tests.cloud import Emulated


@pytest.fixture(params=["directory", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BackupStore:
    if request.param == "directory":
        return BackupDirectory(tmp_path / "backups")
    emulated: Emulated = request.getfixturevalue("emulated")
    tools = emulated.cloud.objectstore
    return BackupObjects(lambda: ProjectContainer(tools, "backups", "volumebackups"))


def test_pieces_are_kept_and_go_together(store: BackupStore) -> None:
    assert store.present() == []
    first, second = new_id(), new_id()
    for content in (b"draft", b"one"):
        store.put(first, "0", content)
    store.put(first, "index", b"{}")
    store.put(second, "7", b"two" * 100_000)
    assert store.get(first, "0") == b"one"
    assert store.get(second, "7") == b"two" * 100_000
    assert {backup_id for backup_id, _ in store.present()} == {first, second}
    for _ in range(2):
        store.delete(first)
    assert [backup_id for backup_id, _ in store.present()] == [second]
    with pytest.raises(BackendError):
        store.get(first, "0")
    store.delete(second)
    assert store.present() == []


def test_what_is_not_there_is_said_so(store: BackupStore) -> None:
    with pytest.raises(BackendError):
        store.get(new_id(), "index")
    store.delete(new_id())


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "6AC3C97F-C179-4D69-BBE1-B7ECEF198A3A"])
def test_only_ids_become_names(store: BackupStore, name: str) -> None:
    with pytest.raises(Invalid):
        store.put(name, "0", b"x")
    with pytest.raises(Invalid):
        store.get(new_id(), "../x")

"""What every image store promises; one suite for all of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.kit.errors import Conflict, Invalid, NotFound, Unavailable
from cumulo.kit.ids import new_id
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.drivers.file import FileStore
from cumulo.services.image.drivers.objects import ObjectImageStore
from cumulo.services.objectstore.public import ProjectContainer
from tests.objectstore.service import Service as ObjectStorage


@pytest.fixture(params=["fake", "file", "swift"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, empty_db: Database
) -> Iterator[ImageStore]:
    if request.param == "swift":
        objects = ObjectStorage(empty_db, tmp_path / "objects")
        yield ObjectImageStore(lambda: ProjectContainer(objects.tools, "images", "g"), "swift")
        objects.close()
    else:
        yield FakeStore() if request.param == "fake" else FileStore(tmp_path / "images")


def put(store: ImageStore, image_id: str, content: bytes = b"content") -> None:
    incoming = store.begin(image_id, new_id())
    incoming.write(content)
    incoming.keep()


def test_bytes_can_be_read_once_they_are_kept(store: ImageStore) -> None:
    image_id, upload_id = new_id(), new_id()
    incoming = store.begin(image_id, upload_id)
    incoming.write(b"one")
    incoming.write(b"two")
    with pytest.raises(NotFound):
        store.read(image_id, 0, 6)
    for coming in store.present():  # some show what comes, some do not
        assert (coming.image_id, coming.upload_id, coming.size) == (image_id, upload_id, 6)
    incoming.keep()
    assert b"".join(store.read(image_id, 0, 6)) == b"onetwo"
    assert b"".join(store.read(image_id, 2, 3)) == b"etw"
    assert b"".join(store.read(image_id, 5, 100)) == b"o"
    (found,) = store.present()
    assert (found.image_id, found.upload_id, found.size) == (image_id, None, 6)


def test_large_images_come_in_pieces(store: ImageStore) -> None:
    image_id, content = new_id(), os.urandom(3 << 20)
    put(store, image_id, content)
    pieces = list(store.read(image_id, 0, len(content)))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 1 << 20


def test_what_is_discarded_is_gone_kept_or_not(store: ImageStore) -> None:
    incoming = store.begin(new_id(), new_id())
    incoming.write(b"x")
    incoming.discard()
    incoming.discard()
    assert store.present() == []
    image_id = new_id()
    kept = store.begin(image_id, new_id())
    kept.write(b"x")
    kept.keep()
    kept.discard()
    assert store.present() == []


def test_the_second_upload_replaces_nothing(store: ImageStore) -> None:
    image_id = new_id()
    put(store, image_id, b"first")
    late = store.begin(image_id, new_id())
    late.write(b"second")
    with pytest.raises(Conflict, match="has data already"):
        late.keep()
    late.discard()
    assert b"".join(store.read(image_id, 0, 9)) == b"first"


def test_deleting_may_repeat_and_does_not_stop_readers(store: ImageStore) -> None:
    image_id = new_id()
    put(store, image_id)
    reader = store.read(image_id, 0, 7)
    store.delete(image_id)
    store.delete(image_id)
    assert b"".join(reader) == b"content"
    assert store.present() == []
    with pytest.raises(NotFound):
        store.read(image_id, 0, 7)


def test_what_a_dead_upload_has_left_can_be_removed(store: ImageStore) -> None:
    image_id, upload_id = new_id(), new_id()
    store.begin(image_id, upload_id).write(b"x")
    store.delete_upload(image_id, upload_id)
    store.delete_upload(image_id, upload_id)
    assert store.present() == []


def test_only_ids_become_names_of_files(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "images")
    for wrong in ("../x", "/etc/passwd", "", ".incoming", new_id().upper(), f"{new_id()}\n"):
        with pytest.raises(Invalid):
            store.delete(wrong)
        with pytest.raises(Invalid):
            store.begin(wrong, new_id())
        with pytest.raises(Invalid):
            store.read(wrong, 0, 1)


def test_files_of_others_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "images")
    (tmp_path / "images" / "README").write_text("mine")
    assert store.present() == []


def test_a_link_in_the_place_of_an_upload_is_not_followed(tmp_path: Path) -> None:
    store, image_id, upload_id = FileStore(tmp_path / "images"), new_id(), new_id()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "images" / ".incoming" / f"{image_id}.{upload_id}").symlink_to(victim)
    with pytest.raises(Unavailable, match="exists"):
        store.begin(image_id, upload_id)
    assert victim.read_text() == "precious"


def test_bytes_are_not_for_every_user_of_the_host(tmp_path: Path) -> None:
    store, image_id = FileStore(tmp_path / "images"), new_id()
    put(store, image_id)
    assert (tmp_path / "images" / image_id).stat().st_mode & 0o007 == 0

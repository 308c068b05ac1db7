"""What every kind of device keeps to, here and over the network; and who may speak to a server."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from cumulo.services.objectstore.drivers import index as index_driver
from cumulo.services.objectstore.drivers.base import (
    BLOCK,
    Asked,
    Device,
    DeviceFailed,
    Fragment,
    Held,
    Row,
    Scheme,
    State,
    Stored,
)
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.drivers.frames import CALL, Call, Wire, encoded, secret_of
from cumulo.services.objectstore.drivers.index import SqliteIndex
from cumulo.services.objectstore.drivers.journals import alone
from cumulo.services.objectstore.drivers.remote import Channel, remote_device
from cumulo.services.objectstore.drivers.server import DeviceServer
from cumulo.services.objectstore.recon import served
from cumulo.services.objectstore.settings import ObjectStoreSettings
from tests.ports import free_port
from tests.waiting import eventually

KEY = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
SALT = "pepper"


@pytest.fixture
def server(directory: Path) -> Iterator[DeviceServer]:
    disk(directory)
    (directory / "salt").write_text(SALT)
    server = served(directory, ObjectStoreSettings(device_port=free_port()))
    server.start()
    yield server
    server.stop()


def disk(directory: Path) -> DiskDevice:
    device = DiskDevice("d1", directory / "d1", Connections())
    device.prepare()
    return device


@pytest.fixture(params=["disk", "remote"])
def device(request: pytest.FixtureRequest, directory: Path) -> Iterator[Device]:
    if request.param == "disk":
        yield disk(directory)
        return
    server: DeviceServer = request.getfixturevalue("server")
    channel = Channel("127.0.0.1", server.port, secret_of(SALT))
    yield remote_device("far", "d1", channel)
    channel.close()


def stored(stamp: str, body: bytes) -> Stored:
    import zlib

    blocks = [body[at : at + BLOCK] for at in range(0, len(body), BLOCK)]
    checks = b"".join(zlib.crc32(one).to_bytes(4, "big") for one in blocks)
    name = "/a/c/o"
    return Stored(
        name=name, stamp=stamp, size=len(body), etag="", content_type="text/plain", blocks=checks
    )


def keep(device: Device, stamp: str, body: bytes, key: str = KEY) -> None:
    incoming = device.begin()
    for at in range(0, len(body), 100_000):
        incoming.write(body[at : at + 100_000])
    incoming.keep(5, key, stored(stamp, body))
    incoming.discard()


def body_of(device: Device) -> bytes:
    opened = device.open(5, KEY)
    try:
        return b"".join(opened.block(n) for n in range(-(-opened.stored.size // BLOCK)))
    finally:
        opened.close()


def test_objects(device: Device) -> None:
    assert device.is_there()
    assert device.state(5, KEY) == State()
    with pytest.raises(DeviceFailed):
        device.open(5, KEY)
    keep(device, "2.0", b"two" * 1_000_000)
    assert body_of(device) == b"two" * 1_000_000
    keep(device, "1.0", b"older")
    assert device.state(5, KEY) == State("2.0")
    device.post(5, KEY, "3.0", {"X-Object-Meta-A": "1", "Content-Type": "a/b"})
    opened = device.open(5, KEY)
    assert (opened.stored.headers, opened.stored.posted) == ({"X-Object-Meta-A": "1"}, "3.0")
    opened.close()
    assert device.parts() == [5]
    assert device.inventory(5) == {KEY: State("2.0", "3.0")}
    verified = device.verify(5, KEY)
    assert verified is not None
    assert verified.size == 3_000_000
    device.bury(5, KEY, "4.0")
    assert device.state(5, KEY).gone == "4.0"
    assert device.verify(5, KEY) is None
    device.reclaim(5, "5.0")
    assert device.inventory(5) == {}


def keep_fragment(device: Device, stamp: str, index: int, body: bytes) -> None:
    scheme = Scheme("isa_l_rs_vand", 4, 2, 4 * BLOCK)
    whole = stored(stamp, body)
    fragment = Fragment(index, scheme, len(body), BLOCK)
    incoming = device.begin()
    incoming.write(body)
    incoming.keep(5, KEY, msgspec.structs.replace(whole, size=4 * len(body), fragment=fragment))
    incoming.discard()


def test_fragments(device: Device) -> None:
    body = b"f" * (BLOCK + 1)
    keep_fragment(device, "1.0", 3, body)
    assert device.state(5, KEY) == State(fragments=(Held("1.0", 3, False),))
    device.commit(5, KEY, "1.0")
    device.commit(5, KEY, "1.0")
    device.post(5, KEY, "1.5", {"X-Object-Meta-A": "1"})
    keep_fragment(device, "2.0", 3, body)
    keep_fragment(device, "2.0", 5, body)
    waiting = (Held("2.0", 3, False), Held("2.0", 5, False))
    assert device.state(5, KEY) == State("1.0", "1.5", "", (Held("1.0", 3, True), *waiting))
    opened = device.open_fragment(5, KEY, "1.0", 3)
    assert (opened.block(1), opened.stored.headers) == (b"f", {"X-Object-Meta-A": "1"})
    opened.close()
    device.commit(5, KEY, "2.0")
    keep_fragment(device, "1.7", 3, body)
    device.commit(5, KEY, "1.7")
    held = (Held("2.0", 3, True), Held("2.0", 5, True))
    assert device.inventory(5) == {KEY: State("2.0", "", "", held)}
    device.release(5, KEY, State(fragments=(Held("2.0", 5, False),)), 0.0)
    device.release(5, KEY, State(fragments=held[1:]), 3600.0)
    assert device.state(5, KEY).fragments == held
    device.release(5, KEY, State(fragments=held[1:]), 0.0)
    assert device.state(5, KEY).fragments == held[:1]
    keep_fragment(device, "4.0", 0, body)
    device.bury(5, KEY, "3.0")
    assert device.state(5, KEY) == State(gone="3.0", fragments=(Held("4.0", 0, False),))
    device.bury(5, KEY, "5.0")
    assert device.state(5, KEY) == State(gone="5.0")
    device.commit(5, KEY, "4.0")
    with pytest.raises(DeviceFailed):
        device.commit(5, KEY, "6.0")
    with pytest.raises(DeviceFailed):
        device.open_fragment(5, KEY, "6.0", 0)
    device.release(5, KEY, State(gone="5.0"), 0.0)
    assert device.inventory(5) == {}


def test_a_rotten_fragment_is_put_aside_alone(device: Device, directory: Path) -> None:
    for index in (1, 2):
        keep_fragment(device, "1.0", index, b"x" * 100)
    device.commit(5, KEY, "1.0")
    [path] = directory.glob("d1/objects/*/*/*#2.data")
    path.write_bytes(b"y" + path.read_bytes()[1:])
    with pytest.raises(DeviceFailed):
        device.verify(5, KEY)
    assert (device.quarantined(), device.state(5, KEY).fragments) == (1, (Held("1.0", 1, True),))
    [path] = directory.glob("d1/objects/*/*/*#1.data")
    path.rename(path.with_name("1.0#4.data"))
    with pytest.raises(DeviceFailed):
        device.open_fragment(5, KEY, "1.0", 4)
    assert device.state(5, KEY).fragments == ()


def test_a_new_disk_is_taken_though_a_write_was_under_way(device: Device, directory: Path) -> None:
    incoming = device.begin()
    (directory / "d1").rename(directory / "lost")
    (directory / "d1").mkdir()
    with pytest.raises(DeviceFailed):
        incoming.keep(5, KEY, stored("1.0", b""))
    incoming.discard()
    (directory / "d1" / "container").mkdir()
    (directory / "d1" / "container" / "rest").touch()
    assert not device.is_there()
    device.adopt()
    assert device.is_there()
    (directory / "d1").rename(directory / "other")
    (directory / "d1").mkdir()
    (directory / "d1" / "letter").write_text("somebody's")
    device.adopt()
    assert not device.is_there()


def test_a_lost_disk_is_not_made_again_by_what_is_written(device: Device, directory: Path) -> None:
    incoming = device.begin()
    (directory / "d1").rename(directory / "lost")
    with pytest.raises(DeviceFailed):
        device.index("container", 3, KEY).create("1.0", "a/c", {})
    with pytest.raises(DeviceFailed):
        incoming.keep(5, KEY, stored("1.0", b""))
    incoming.discard()
    with pytest.raises(DeviceFailed):
        keep(device, "1.0", b"")
    assert not (directory / "d1").exists()


def test_an_object_that_is_all_there(device: Device, directory: Path) -> None:
    for stamp, pieces in (("1.0", [b"one"]), ("2.0", [b"x" * 100_000, b"y" * 100_000])):
        body = b"".join(pieces)
        alone(device.put(5, KEY, pieces, stored(stamp, body)))
        assert body_of(device) == body
    assert device.state(5, KEY) == State("2.0")
    assert not list((directory / "d1" / "incoming").iterdir())


def test_what_is_not_kept_leaves_nothing(device: Device, directory: Path) -> None:
    incoming = device.begin()
    incoming.write(b"x")
    incoming.discard()
    incoming.discard()
    with pytest.raises(DeviceFailed):
        incoming.keep(5, KEY, stored("1.0", b"x"))
    assert device.inventory(5) == {}
    eventually(lambda: not list((directory / "d1" / "incoming").iterdir()))


def test_rot_is_found_where_it_lies(device: Device, directory: Path) -> None:
    keep(device, "1.0", b"x" * (BLOCK + 1))
    [path] = directory.glob("d1/objects/*/*/*.data")
    content = bytearray(path.read_bytes())
    content[BLOCK] ^= 1
    path.write_bytes(content)
    opened = device.open(5, KEY)
    assert len(opened.block(0)) == BLOCK
    with pytest.raises(DeviceFailed):
        opened.block(1)
    opened.close()
    with pytest.raises(DeviceFailed):
        device.verify(5, KEY)
    assert (device.quarantined(), device.state(5, KEY)) == (1, State())


def test_indexes(device: Device) -> None:
    index = device.index("container", 3, KEY)
    assert index.head() is None
    assert index.create("1.0", "a/c", {"X-Container-Meta-A": "1"})
    for name in ("a", "b/1", "b/2"):
        index.put(Row(name, "2.0", size=5, count=1))
    index.remove("a", "3.0")
    head = index.head()
    assert head is not None
    assert (head.items, head.size, head.headers) == (2, 10, {"X-Container-Meta-A": "1"})
    assert index.page(Asked(delimiter="/")).rows == ["b/"]
    assert [row.name for row in index.page(Asked()).rows if isinstance(row, Row)] == ["b/1", "b/2"]
    changes = index.changes(-1)
    assert changes is not None
    other = device.index("container", 3, OTHER)
    other.merge(changes)
    assert other.page(Asked()) == index.page(Asked())
    assert sorted(device.indexes("container")) == [(3, KEY), (3, OTHER)]
    device.drop_index("container", 3, OTHER)
    assert device.indexes("container") == [(3, KEY)]


def test_rows_that_wait_for_a_listing_are_written_together(directory: Path) -> None:
    connections, said = Connections(), list[str]()
    device = DiskDevice("d1", directory / "d1", connections)
    device.prepare()
    index, rows = (
        device.index("container", 3, KEY),
        [Row(f"o{n}", "2.0", count=1) for n in range(9)],
    )
    index.create("1.0", "a/c", {})
    with ThreadPoolExecutor(len(rows)) as pool:
        with connections.use(index.path) as db:
            assert db is not None
            db.set_trace_callback(said.append)
            told = [pool.submit(index.put, row) for row in rows]
            eventually(lambda: len(connections._turns.get(index.path, ())) == len(rows))
        assert [one.result() for one in told] == [""] * len(rows)
    head = index.head()
    assert head is not None
    assert head.items == len(rows)
    assert said.count("COMMIT") == 1


def test_a_row_is_written_though_who_wrote_before_failed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = Connections()
    device = DiskDevice("d1", directory / "d1", connections)
    device.prepare()
    path = device.index("container", 3, KEY).path
    device.index("container", 3, KEY).create("1.0", "a/c", {})
    real, failed = index_driver._put_alone, list[Row]()

    def put(db: sqlite3.Connection, row: Row) -> str:
        if not failed:
            failed.append(row)
            raise sqlite3.OperationalError("disk I/O error")
        return real(db, row)

    monkeypatch.setattr(index_driver, "_put_alone", put)
    with ThreadPoolExecutor(2) as pool:
        with connections.use(path):
            told = [
                pool.submit(device.index("container", 3, KEY).put, Row(name, "2.0"))
                for name in ("a", "b")
            ]
            eventually(lambda: len(connections._turns.get(path, ())) == 2)
        problems = [one.exception() for one in told]
    # One was told that it failed; the other's row is there, for which it has somebody's word.
    assert [type(one) for one in problems if one] == [DeviceFailed]
    [kept] = [name for name, one in zip("ab", problems, strict=True) if one is None]
    assert device.index("container", 3, KEY).get(kept).row is not None


def test_a_listing_that_another_process_replaced_is_not_written_to(directory: Path) -> None:
    mine, theirs = (DiskDevice("d1", directory / "d1", Connections()) for _ in range(2))
    mine.prepare()
    index, other = mine.index("container", 3, KEY), theirs.index("container", 3, KEY)
    assert index.create("1.0", "a/c", {})
    index.put(Row("old", "2.0", count=1))
    assert other.get("old").row is not None
    mine.drop_index("container", 3, KEY)
    assert other.head() is None
    assert mine.index("container", 3, KEY).create("3.0", "a/c", {})
    other.put(Row("new", "4.0", count=1))
    assert [one.name for one in index.page(Asked()).rows if isinstance(one, Row)] == ["new"]
    assert sorted(os.listdir(os.path.dirname(index.path)))[0] == f"{KEY}.db"


def test_a_listing_that_goes_while_it_is_written_to_takes_nothing(directory: Path) -> None:
    connections, theirs = Connections(), DiskDevice("d1", directory / "d1", Connections())
    theirs.prepare()
    index = SqliteIndex(connections, theirs.index("container", 3, KEY).path, theirs.root)
    assert index.create("1.0", "a/c", {})
    with connections.use(index.path) as db:
        assert db is not None
        theirs.drop_index("container", 3, KEY)
        transaction = connections.transaction(index.path, db)
        with pytest.raises(DeviceFailed, match="removed this moment"):
            transaction.__enter__()
        assert not db.in_transaction
    assert theirs.indexes("container") == []
    index.put(Row("o", "2.0"))
    assert theirs.index("container", 3, KEY).get("o").row is not None


def test_a_listing_that_two_make_at_once_is_one(directory: Path) -> None:
    devices = [DiskDevice("d1", directory / "d1", Connections()) for _ in range(4)]
    devices[0].prepare()
    with ThreadPoolExecutor(len(devices)) as pool:
        for n in range(10):
            key = f"{n:032x}"
            made = [
                pool.submit(one.index("container", 3, key).put, Row(f"o{at}", "2.0", count=1))
                for at, one in enumerate(devices)
            ]
            assert [one.result() for one in made] == [""] * len(devices)
            page = devices[0].index("container", 3, key).page(Asked())
            assert len(page.rows) == len(devices)
    names = os.listdir(f"{directory}/d1/container/3")
    assert not [name for name in names if name.endswith(".new")]


def test_figures_of_several_are_kept_together(directory: Path) -> None:
    devices = [DiskDevice("d1", directory / "d1", Connections()) for _ in range(4)]
    devices[0].prepare()
    with ThreadPoolExecutor(len(devices)) as pool:
        told = [pool.submit(one.remember, {f"{n}": 1}) for n, one in enumerate(devices * 10)]
        assert not [one.exception() for one in told if one.exception()]
    assert len(devices[0].figures()) == 40


def test_notes(device: Device) -> None:
    device.note("2.0-b", b"second")
    device.note("1.0-a", b"first")
    assert device.notes() == [("1.0-a", b"first"), ("2.0-b", b"second")]
    device.drop_note("1.0-a")
    assert device.notes() == [("2.0-b", b"second")]


def test_only_who_knows_the_secret_is_let_in(server: DeviceServer) -> None:
    device = remote_device("far", "d1", Channel("127.0.0.1", server.port, secret_of("other")))
    with pytest.raises(DeviceFailed):
        device.is_there()
    with pytest.raises(DeviceFailed):
        remote_device("far", "d1", Channel("127.0.0.1", free_port(), b"")).is_there()


def test_a_server_says_nothing_to_who_proves_nothing(server: DeviceServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"cumu")
        assert len(connection.recv(32, socket.MSG_WAITALL)) == 32
        connection.sendall(bytes(64))
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("method", "args", "index"),
    [
        ("state", (5, "../../../etc"), None),
        ("bury", (5, KEY, "../x"), None),
        ("open_fragment", (5, KEY, "../x", 1), None),
        ("open_fragment", (5, "../x", "1.0", 1), None),
        ("commit", (5, KEY, "../x"), None),
        ("quarantine_fragment", (5, "../../../x", "1.0", 1), None),
        ("release", (5, "../x", State(gone="1.0"), 0.0), None),
        ("note", ("../x", b""), None),
        ("drop_note", ("..",), None),
        ("indexes", ("../incoming",), None),
        ("drop_index", ("notes", 5, KEY), None),
        ("head", (), ("container", 5, "../x")),
        ("head", (), ("../objects", 5, KEY)),
        ("prepare", (), None),
        ("__init__", (), None),
        ("keep", (5, "../x", stored("1.0", b"")), None),
        ("keep", (5, KEY, stored("../1", b"")), None),
        ("state", ("x", KEY), None),
    ],
)
def test_what_a_server_is_told_leads_nowhere_else(
    server: DeviceServer,
    directory: Path,
    method: str,
    args: tuple[object, ...],
    index: tuple[str, int, str] | None,
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        wire = Wire(connection)
        wire.ask_in(secret_of(SALT))
        for device in ("d1", "salt", "d1:../x"):
            call = Call(device, method, msgspec.Raw(encoded(*args)), index)
            wire.send(CALL, msgspec.msgpack.encode(call))
            with pytest.raises(DeviceFailed):
                wire.answer()


def test_only_devices_are_served(server: DeviceServer, directory: Path) -> None:
    around = f"../{directory.name}/d1"
    assert (directory / around).is_dir()
    for name in (around, ".", "d1/objects", "d1:objects", "nothing", ""):
        channel = Channel("127.0.0.1", server.port, secret_of(SALT))
        with pytest.raises(DeviceFailed):
            remote_device("far", name, channel).is_there()
        channel.close()

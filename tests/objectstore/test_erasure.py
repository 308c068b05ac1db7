"""Policies of erasure coding: what clients see is an object, what devices hold are fragments."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cumulo.db import Database
from cumulo.kit.errors import Invalid
from cumulo.services.objectstore import mending, reconcile
from cumulo.services.objectstore.coding import coder
from cumulo.services.objectstore.drivers.base import NotWhole, Scheme
from cumulo.services.objectstore.settings import StoragePolicy
from cumulo.settings import load
from tests.client import Answer
from tests.objectstore.service import ANN, MIB, Service, User
from tests.objectstore.test_durability import Killed, dies

SEGMENT = 65536
CODED = StoragePolicy("coded", "erasure_coding", "isa_l_rs_vand", 4, 2, SEGMENT)


@pytest.fixture
def service(empty_db: Database, directory: Path) -> Iterator[Service]:
    """Eight devices, all with every listing, so that what is lost here are objects only."""
    service = Service(empty_db, directory, policies=("gold", CODED), devices=8, replicas=8)
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


def test_an_object_is_six_fragments(ann: User, service: Service) -> None:
    body = os.urandom(10 * SEGMENT + 17)
    made = ann.put("box/o", body, x_object_meta_a="1")
    found = fragments(service)
    assert len({device_of(path) for path in found}) == 6
    assert sorted(path.name.rpartition("#")[2] for path in found) == [f"{n}.data" for n in range(6)]
    assert sum(path.stat().st_size for path in found) < 1.6 * len(body)
    assert fragments(service, "part") == service.files() == []
    answer = ann.get("box/o")
    assert (answer.body, answer.headers["etag"]) == (body, made.headers["etag"])
    head = ann.head("box/o").headers
    assert (head["content-length"], head["x-object-meta-a"]) == (str(len(body)), "1")
    [row] = ann.get("box?format=json").json()
    assert (row["bytes"], row["hash"]) == (len(body), made.headers["etag"])
    assert ann.head("box").headers["x-storage-policy"] == "coded"


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, MIB])
def test_any_four_fragments_give_it_back(ann: User, service: Service, size: int) -> None:
    body = os.urandom(size)
    ann.put("box/o", body)
    found = fragments(service)
    for lost in ((0, 1), (4, 5), (1, 4)):
        kept = away(service, *(found[n] for n in lost))
        assert ann.get("box/o").body == body
        back(*kept)
    kept = away(service, *found[:3])
    assert ann.get("box/o").status == 503
    back(*kept)
    assert ann.get("box/o").body == body


def test_all_that_is_done_with_objects(ann: User, service: Service) -> None:
    body = os.urandom(3 * SEGMENT)
    ann.put("box/o", body)
    etag = ann.head("box/o").headers["etag"]
    ranges = ann.get("box/o", range=f"bytes=5-9,{SEGMENT - 2}-{SEGMENT + 2},-3")
    assert ranges.status == 206
    for start, end in ((5, 10), (SEGMENT - 2, SEGMENT + 3), (len(body) - 3, len(body))):
        assert body[start:end] in ranges.body
    assert ann.get("box/o", if_none_match=etag).status == 304
    assert ann.get("box/o", if_match="other").status == 412
    assert ann.get("box/o", range=f"bytes={len(body)}-").status == 416
    assert ann.post("box/o", x_object_meta_b="2", content_type="a/b").status == 202
    shown = ann.get("box/o")
    assert (shown.headers["x-object-meta-b"], shown.headers["content-type"]) == ("2", "a/b")
    ann.put("plain")
    assert ann.ask("COPY", "box/o", headers={"destination": "plain/o"}).status == 201
    assert ann.ask("COPY", "plain/o", headers={"destination": "box/copy"}).status == 201
    assert ann.get("box/copy").body == body
    assert (len(fragments(service)), len(service.files())) == (12, 8)
    ann.put("box/dlo", x_object_manifest="box/o")
    assert ann.get("box/dlo").body == body
    manifest = b'[{"path": "box/o"}, {"path": "plain/o"}]'
    assert ann.put("box/slo?multipart-manifest=put", manifest).status == 201
    assert ann.get("box/slo").body == body * 2
    assert ann.get("box/slo", range=f"bytes={len(body) - 1}-{len(body)}").body == (
        body[-1:] + body[:1]
    )
    assert ann.delete("box/o").status == 204
    assert ann.get("box/o").status == 404


def test_versions_and_expiry(ann: User, service: Service) -> None:
    assert ann.post("box", x_versions_enabled="true").status == 204
    first = ann.put("box/o", b"first").headers["x-object-version-id"]
    ann.put("box/o", b"second")
    assert ann.get(f"box/o?version-id={first}").body == b"first"
    assert ann.get("box/o").body == b"second"
    ann.put("box/brief", b"x", x_delete_at="99999999999")
    assert ann.head("box/brief").headers["x-delete-at"] == "99999999999"
    assert service.files() == []


def test_what_is_not_durable_was_never_written(ann: User, service: Service) -> None:
    ann.put("box/o", b"old" * SEGMENT)
    before = fragments(service)
    ann.put("box/o", b"new" * SEGMENT)
    for path in fragments(service):
        path.rename(path.with_suffix(".part"))
    assert ann.get("box/o").status == 404
    assert before
    one = fragments(service, "part")[3]
    one.rename(one.with_suffix(".data"))
    assert ann.get("box/o").body == b"new" * SEGMENT
    service.mend()
    assert (len(fragments(service)), fragments(service, "part")) == (6, [])


def test_rot_never_reaches_a_reader(ann: User, service: Service) -> None:
    body = os.urandom(3 * SEGMENT + 5)
    ann.put("box/o", body)
    whole = {path.name: path.read_bytes() for path in fragments(service)}
    found = fragments(service)
    rot(found[0])
    rot(found[1], -10)
    assert ann.get("box/o").body == body
    reconcile.audit(service.tools)
    service.mend()
    rot(found[4], 20_000)
    found[5].write_bytes(found[5].read_bytes()[:2000])
    assert ann.get("box/o").body == body
    reconcile.audit(service.tools)
    service.mend()
    assert {path.name: path.read_bytes() for path in fragments(service)} == whole
    assert sum(device.quarantined() for device in service.devices) == 4


def test_a_new_device_is_filled(ann: User, service: Service) -> None:
    bodies = {f"o{number}": os.urandom(number * 30_000) for number in range(8)}
    for name, body in bodies.items():
        ann.put(f"box/{name}", body, x_object_meta_a=name)
    whole = {path: path.read_bytes() for path in fragments(service)}
    for number in (0, 1):
        service.lose(number)
    service.mend()
    for number in (0, 1):
        Path(service.devices[number].root).mkdir()
    service.mend()
    assert {path: path.read_bytes() for path in fragments(service)} == whole
    ann.post("box/o1", x_object_meta_a="later")
    service.lose(7)
    service.mend()
    Path(service.devices[7].root).mkdir()
    service.mend()
    service.lose(2)
    service.lose(3)
    for name, body in bodies.items():
        answer = ann.get(f"box/{name}")
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["x-object-meta-a"] == ("later" if name == "o1" else name)


def test_stand_ins_give_back_what_they_held(ann: User, service: Service) -> None:
    place = service.tools.cluster.place("object-1", "AUTH_p1", "box", "o")
    names = [device.name for _, device in place.slots if device]
    kept = away(service, *(service.directory / name / "objects-1/0/0/0" for name in names[:2]))
    assert ann.put("box/o", b"x" * MIB).status == 201
    assert len(fragments(service)) == 6
    back(*kept)
    assert ann.get("box/o").body == b"x" * MIB
    service.mend()
    held = {device_of(path).name: path.name.rpartition("#")[2] for path in fragments(service)}
    assert held == {name: f"{number}.data" for number, name in enumerate(names)}


def test_deletions_reach_devices_that_missed_them(ann: User, service: Service) -> None:
    ann.put("box/o", b"x")
    kept = away(service, *fragments(service)[:1])
    assert ann.delete("box/o").status == 204
    back(*kept)
    assert ann.get("box/o").status == 404
    service.mend()
    assert fragments(service) == []


def test_five_of_six_devices_must_take_a_write(ann: User, service: Service) -> None:
    ann.put("box/o", b"old")
    for number in range(4):
        service.lose(number)
    before = fragments(service)
    assert ann.put("box/o", b"new").status == 503
    assert fragments(service) == before
    assert fragments(service, "part") == []


def test_what_cannot_be_read_any_more_is_put_aside_one_day(ann: User, service: Service) -> None:
    ann.put("box/o", b"x")
    for path in fragments(service)[:3]:
        path.unlink()
    service.mend()
    assert len(fragments(service)) == 3
    assert ann.get("box/o").status == 503
    assert mending.sweep_objects(service.tools.cluster, "9999999999.00000") == 1
    assert fragments(service) == []
    assert sum(device.quarantined() for device in service.devices) == 3
    assert ann.get("box/o").status == 404


def test_what_a_dead_write_left_goes_in_time(ann: User, service: Service) -> None:
    ann.put("box/o", b"old")
    ann.put("box/o", b"new")
    for path in fragments(service):
        path.rename(path.with_suffix(".part"))
    service.mend()
    assert len(fragments(service, "part")) == 6
    for path in fragments(service, "part"):
        os.utime(path, (1, 1))
    service.mend()
    assert fragments(service, "part") == []


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (StoragePolicy("a", "erasure_coding", "rot13", 4, 2), "rot13"),
        (StoragePolicy("a", "erasure_coding", "flat_xor_hd_3", 4, 2), "flat_xor_hd_3"),
        (StoragePolicy("a", "erasure_coding", "isa_l_rs_vand", 10, 5), "isa_l_rs_cauchy"),
    ],
)
def test_codes_that_cannot_be_trusted(
    policy: StoragePolicy, says: str, empty_db: Database, directory: Path
) -> None:
    with pytest.raises(Invalid, match=says):
        Service(empty_db, directory, policies=(policy,))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_range_is_what_it_would_be_of_the_whole(
    data: st.DataObject, ranged: tuple[User, Service, bytes]
) -> None:
    ann, service, body = ranged
    bounds = st.integers(0, len(body) + SEGMENT)
    wanted = data.draw(st.lists(st.tuples(bounds, bounds), min_size=1, max_size=3))
    lost = data.draw(st.sets(st.integers(0, 5), max_size=2))
    found = fragments(service)
    aside = [found[number].rename(found[number].with_suffix(".aside")) for number in lost]
    spans = [(min(pair), max(pair)) for pair in wanted]
    answer = ann.get("box/o", range="bytes=" + ",".join(f"{a}-{b}" for a, b in spans))
    for path in aside:
        path.rename(path.with_suffix(".data"))
    expected = [body[a : b + 1] for a, b in spans if a < len(body)]
    assert answer.status == (206 if expected else 416)
    if len(expected) == 1:
        assert answer.body == expected[0]
    elif expected:
        assert parts_of(answer) == expected


@pytest.fixture
def ranged(ann: User, service: Service) -> tuple[User, Service, bytes]:
    """An object of several segments, the last not full."""
    body = os.urandom(4 * SEGMENT + 1234)
    ann.put("box/o", body)
    return ann, service, body


def parts_of(answer: Answer) -> list[bytes]:
    """Return the contents of a body of several ranges."""
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = (b"\r\n" + answer.body).split(b"\r\n--" + boundary)
    assert parts[0] == b""
    assert parts[-1] == b"--"
    return [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]]


def test_a_policy_may_come_later(empty_db: Database, directory: Path) -> None:
    Service(empty_db, directory).close()
    (directory / "d4").rename(directory / "gone")
    service = Service(empty_db, directory, policies=("gold", CODED))
    assert sorted(path.name for path in directory.glob("d*")) == ["d1", "d2", "d3", "d5", "d6"]
    ann = service.user(ANN)
    ann.put("box", x_storage_policy="coded")
    ann.filled("box/o")
    assert len(fragments(service)) == 5
    service.close()


def test_a_ring_must_fit_its_policy(empty_db: Database, directory: Path) -> None:
    Service(empty_db, directory, policies=("gold", "silver")).close()
    with pytest.raises(Invalid, match="object-1 has 3 replicas"):
        Service(empty_db, directory, policies=("gold", CODED))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('policy_type = "erasure_coding"', "must be set"),
        ("ec_num_data_fragments = 4", "need policy_type"),
        ('policy_type = "striped"', "policy_type"),
        ("ec_object_segment_size = 1", "65536"),
    ],
)
def test_settings_that_say_half_of_it(text: str, says: str, directory: Path) -> None:
    path = directory.parent / "cumulo.toml"
    path.write_text(f'[[objectstore.policies]]\nname = "coded"\n{text}\n')
    with pytest.raises(Invalid, match=says):
        load(path)


def test_copies_of_fragments(empty_db: Database, directory: Path) -> None:
    policy = StoragePolicy("coded", "erasure_coding", "isa_l_rs_cauchy", 2, 1, SEGMENT, 2)
    service = Service(empty_db, directory, policies=(policy,))
    ann, body = service.user(ANN), os.urandom(MIB)
    ann.put("box")
    ann.put("box/o", body)
    names = [path.name.rpartition("#")[2] for path in service.files()]
    assert sorted(names) == [f"{number}.data" for number in (0, 0, 1, 1, 2, 2)]
    for path in {path.name: path for path in service.files()}.values():
        path.unlink()
    assert len(service.files()) == 3
    assert ann.get("box/o").body == body
    service.mend()
    assert len(service.files()) == 6
    service.close()


def test_settings_may_change_for_what_comes(empty_db: Database, directory: Path) -> None:
    """What was written before says itself how to read it."""
    other = StoragePolicy("coded", "erasure_coding", "isa_l_rs_cauchy", 3, 3, 2 * SEGMENT)
    bodies = {"old": os.urandom(5 * SEGMENT), "new": os.urandom(5 * SEGMENT)}
    for policy, name in ((CODED, "old"), (other, "new")):
        service = Service(empty_db, directory, policies=(policy,))
        ann = service.user(ANN)
        ann.put("box")
        ann.put(f"box/{name}", bodies[name])
        for there in list(bodies)[: 1 + (name == "new")]:
            assert ann.get(f"box/{there}").body == bodies[there]
        service.close()


@pytest.mark.parametrize(
    "ec_type",
    ["isa_l_rs_vand", "isa_l_rs_cauchy", "isa_l_rs_vand_inv", "liberasurecode_rs_vand"],
)
def test_every_code_gives_back_what_it_took(ec_type: str) -> None:
    code = coder(Scheme(ec_type, 5, 3, SEGMENT))
    for size in (1, 2, 79, 80, 81, 1000, 12345, SEGMENT):
        body = os.urandom(size)
        made = dict(enumerate(code.encode(body)))
        for kept in itertools.combinations(range(8), 5):
            some = {index: made[index] for index in kept}
            assert code.decode(some, size) == body
            others = sorted(set(range(8)) - set(kept))
            assert code.rebuild(some, others, size) == {index: made[index] for index in others}


def test_fragments_that_lie_never_reach_the_library() -> None:
    """It reads on behind a fragment whose header says that there is more."""
    code = coder(Scheme("isa_l_rs_vand", 4, 2, SEGMENT))
    good = dict(enumerate(code.encode(os.urandom(SEGMENT))))
    assert code.decode(good, SEGMENT) == code.decode({n: good[n] for n in (2, 3, 4, 5)}, SEGMENT)
    short = {index: fragment[:100] for index, fragment in good.items()}
    moved = {index: good[(index + 1) % 6] for index in good}
    for bad in (short, moved, {0: good[0]}, {**good, 1: b""}, {**good, 1: bytes(len(good[1]))}):
        with pytest.raises(NotWhole):
            code.decode(bad, SEGMENT)
        with pytest.raises(NotWhole):
            code.rebuild(bad, [5], SEGMENT)
    with pytest.raises(NotWhole):
        code.decode(good, SEGMENT - 1)


@pytest.mark.walk
@pytest.mark.parametrize("after", [0, 1, 3, 5, 6, 7, 11, 12])
@pytest.mark.parametrize("step", ["open", "write", "fsync", "rename", "unlink"])
def test_killed_at_each_step_of_a_write(
    step: str, after: int, directory: Path, empty_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old object or the new one, whole, and after mending all fragments of it."""
    service = Service(empty_db, directory / "killed", policies=(CODED,))
    ann = service.user(ANN)
    ann.filled("box")
    ann.put("box/o", b"old" * 100_000)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, dies(getattr(os, step), after))
        with contextlib.suppress(Killed):
            ann.put("box/o", b"new" * 100_000)
    service.close()
    again = Service(empty_db, directory / "killed", policies=(CODED,))
    ann = again.user(ANN)
    body = ann.get("box/o").body
    assert body in (b"old" * 100_000, b"new" * 100_000)
    again.mend()
    assert ann.get("box/o").body == body
    assert len(again.files()) == 6
    again.close()

"""Codes, and the policies that name them."""

import itertools
import os
from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.kit.errors import Invalid
from cumulo.services.objectstore.coding import coder
from cumulo.services.objectstore.drivers.base import NotWhole, Scheme
from cumulo.services.objectstore.settings import StoragePolicy
from cumulo.settings import load
from tests.objectstore.coded import CODED, SEGMENT, fragments
from tests.objectstore.service import ANN, MIB, Service


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

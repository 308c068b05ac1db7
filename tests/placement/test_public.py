"""What compute may ask of placement: where there is room, to take it, and why there is none."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.kit.ids import new_id
from cumulo.services.placement import public as placement
from cumulo.services.placement.public import Inventory

HOST, OTHER = new_id(), new_id()
SMALL = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}


@pytest.fixture
def host(db: Database) -> str:
    """Return a host with 4 processors, 2 GiB of memory, 20 GiB of disk."""

    def make(tx: Tx) -> str:
        placement.ensure_provider(tx, HOST, "host-1")
        placement.set_inventory(tx, HOST, stock())
        return HOST

    return db.write(make)


def stock(**changed: Inventory) -> dict[str, Inventory]:
    return {
        "VCPU": Inventory(total=4),
        "MEMORY_MB": Inventory(total=2048),
        "DISK_GB": Inventory(total=20),
    } | changed


def claim(db: Database, amounts: dict[str, int], *, host: str = HOST, who: str = "") -> str:
    consumer = who or new_id()
    db.write(placement.claim, consumer, "p", "u", {host: amounts})
    return consumer


def used(db: Database, host: str = HOST) -> dict[str, int]:
    return {name: f.used for name, f in db.read(placement.figures, [host])[host].items()}


def names(db: Database, resources: dict[str, int], *required: str) -> list[str]:
    return [one.name for one in db.read(placement.candidates, resources, required)]


def test_a_host_with_room_is_a_candidate_with_its_figures(db: Database, host: str) -> None:
    claim(db, SMALL)
    (found,) = db.read(placement.candidates, SMALL)
    assert (found.provider_id, found.name) == (host, "host-1")
    assert found.figures["VCPU"].free == 3
    assert names(db, {"VCPU": 3}) == ["host-1"]
    assert names(db, {"VCPU": 4}) == []
    assert names(db, {"VCPU": 1, "VGPU": 1}) == []


def test_what_is_reserved_is_not_given_and_the_ratio_multiplies_the_rest(
    db: Database, host: str
) -> None:
    shared = stock(VCPU=Inventory(total=4, reserved=1, allocation_ratio=2.5))
    db.write(placement.set_inventory, host, shared)
    assert names(db, {"VCPU": 7}) == ["host-1"]
    assert names(db, {"VCPU": 8}) == []
    claim(db, {"VCPU": 7})
    with pytest.raises(Conflict, match=r"1 more than the 7 used of 7"):
        claim(db, {"VCPU": 1})


def test_units_hold_for_candidates_and_claims(db: Database, host: str) -> None:
    coarse = stock(MEMORY_MB=Inventory(total=2048, min_unit=256, max_unit=1024, step_size=128))
    db.write(placement.set_inventory, host, coarse)
    assert names(db, {"MEMORY_MB": 384}) == ["host-1"]
    for wrong in (128, 300, 1152):
        assert names(db, {"MEMORY_MB": wrong}) == []
        with pytest.raises(Conflict, match="must be a multiple of 128 from 256 to 1024"):
            claim(db, {"MEMORY_MB": wrong})
    assert used(db)["MEMORY_MB"] == 0


def test_traits_and_aggregates_narrow_the_choice(db: Database, host: str) -> None:
    zone = new_id()

    def make(tx: Tx) -> None:
        placement.ensure_provider(tx, OTHER, "host-2")
        placement.set_inventory(tx, OTHER, stock())
        placement.set_traits(tx, OTHER, ["HW_CPU_X86_AVX2", "CUSTOM_QUIET"])
        placement.set_aggregates(tx, OTHER, [zone])

    db.write(make)
    assert names(db, SMALL) == ["host-1", "host-2"]
    assert names(db, SMALL, "CUSTOM_QUIET", "HW_CPU_X86_AVX2") == ["host-2"]
    assert names(db, SMALL, "CUSTOM_QUIET", "HW_GPU_API_VULKAN") == []
    inside = db.read(placement.candidates, SMALL, (), [zone])
    assert [one.name for one in inside] == ["host-2"]
    outside = db.read(placement.candidates, SMALL, forbidden=["CUSTOM_QUIET"], limit=5)
    assert [one.name for one in outside] == ["host-1"]
    with pytest.raises(Invalid, match="No such trait HW_NO_SUCH"):
        db.write(placement.set_traits, host, ["HW_NO_SUCH"])


def test_a_refusal_can_be_explained_host_by_host(db: Database, host: str) -> None:
    claim(db, {"VCPU": 3})
    (found,) = db.read(placement.shortfalls, {"VCPU": 2, "MEMORY_MB": 512, "VGPU": 1}, ["HW_X"])
    assert found.name == "host-1"
    assert found.reasons == [
        "VCPU: requested 2, free 1 of 4 (total 4, reserved 0, ratio 1, used 3)",
        "VGPU: requested 1, the host has none",
        "lacks the traits HW_X",
    ]
    assert db.read(placement.shortfalls, {"VCPU": 1}) == []


def test_a_claim_replaces_what_was_held_and_may_be_repeated(db: Database, host: str) -> None:
    server = claim(db, {"VCPU": 3, "MEMORY_MB": 1024, "DISK_GB": 0})
    claim(db, {"VCPU": 4}, who=server)
    claim(db, {"VCPU": 4}, who=server)
    assert used(db) == {"VCPU": 4, "MEMORY_MB": 0, "DISK_GB": 0}
    assert db.read(placement.allocations_of, server) == {HOST: {"VCPU": 4}}
    assert db.read(placement.consumers_of, HOST) == {server: {"VCPU": 4}}
    assert db.read(placement.usage, "p") == {"VCPU": 4}
    assert db.read(placement.usage, "p", "someone else") == {}

    db.write(placement.release, server)
    db.write(placement.release, server)
    assert used(db)["VCPU"] == 0
    assert db.read(placement.allocations_of, server) == {}


def test_a_refused_claim_changes_nothing(db: Database, host: str) -> None:
    server = claim(db, {"VCPU": 1})
    with pytest.raises(Conflict) as refusal:
        claim(db, {"VCPU": 2, "MEMORY_MB": 4096}, who=server)
    assert refusal.value.data["resource_class"] == "MEMORY_MB"
    assert refusal.value.data["capacity"] == 2048
    assert used(db) == {"VCPU": 1, "MEMORY_MB": 0, "DISK_GB": 0}
    with pytest.raises(Conflict, match="Inventory for 'VGPU'"):
        claim(db, {"VGPU": 1})
    with pytest.raises(Invalid, match="does not exist"):
        claim(db, SMALL, host=new_id())
    with pytest.raises(Invalid, match="No such resource class CUSTOM_X"):
        claim(db, {"CUSTOM_X": 1})


def test_a_claim_is_handed_over_whole_even_on_a_full_host(db: Database, host: str) -> None:
    server, migration = claim(db, {"VCPU": 4}), new_id()
    db.write(placement.move, server, migration)
    assert db.read(placement.allocations_of, server) == {}
    assert db.read(placement.allocations_of, migration) == {HOST: {"VCPU": 4}}
    assert used(db)["VCPU"] == 4
    db.write(placement.move, new_id(), migration)
    assert used(db)["VCPU"] == 4


def test_a_host_that_shrank_keeps_its_servers_and_takes_no_more(db: Database, host: str) -> None:
    server = claim(db, {"VCPU": 4})
    db.write(placement.set_inventory, host, stock(VCPU=Inventory(total=2)))
    assert names(db, {"VCPU": 1}) == []
    claim(db, {"VCPU": 2}, who=server)
    with pytest.raises(Conflict, match="exceed the capacity"):
        claim(db, {"VCPU": 1})


def test_what_is_used_cannot_be_taken_away(db: Database, host: str) -> None:
    server = claim(db, SMALL)
    rest = {"MEMORY_MB": Inventory(total=2048)}
    with pytest.raises(Conflict, match="Inventory for 'VCPU, DISK_GB'"):
        db.write(placement.set_inventory, host, rest)
    with pytest.raises(Conflict, match="has allocations"):
        db.write(placement.delete_provider, host)
    db.write(placement.release, server)
    db.write(placement.set_inventory, host, rest)
    db.write(placement.delete_provider, host)
    db.write(placement.delete_provider, host)
    assert db.read(placement.figures, [host]) == {}


def test_ensuring_a_provider_takes_over_its_new_name(db: Database, host: str) -> None:
    db.write(placement.ensure_provider, host, "renamed")
    db.write(placement.ensure_provider, host, "renamed")
    assert names(db, SMALL) == ["renamed"]


def test_no_two_claims_get_the_last_of_it(db: Database, host: str) -> None:
    def attempt(_: int) -> bool:
        try:
            claim(db, {"VCPU": 1})
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) == 4
    assert used(db)["VCPU"] == 4

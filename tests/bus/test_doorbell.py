"""A ring is heard by whoever listens, once, also when it came before the wait."""

import threading

from cumulo.bus import LocalDoorbell


def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = LocalDoorbell()
    with bell.listen("work") as ear:
        bell.ring("work")
        bell.ring("work")
        assert ear.wait(10) == {"work"}
        assert ear.wait(0) == set()


def test_a_ring_ends_a_wait() -> None:
    bell = LocalDoorbell()
    with bell.listen("work", "network") as ear:
        threading.Thread(target=bell.ring, args=("network",)).start()
        assert ear.wait(30) == {"network"}


def test_every_ear_hears_its_topics_only() -> None:
    bell = LocalDoorbell()
    with bell.listen("a") as one, bell.listen("a", "b") as two:
        bell.ring("a")
        bell.ring("b")
        bell.ring("c")
        assert (one.wait(0), two.wait(0)) == ({"a"}, {"a", "b"})


def test_a_closed_ear_hears_nothing() -> None:
    bell = LocalDoorbell()
    with bell.listen("a") as ear:
        pass
    bell.ring("a")
    assert ear.wait(0) == set()

"""Where threads run that hold the interpreter's lock, on a machine that a test makes up."""

import threading
from collections.abc import Collection

import pytest

from cumulo.kit import ids
from cumulo.kit.processors import Together, Used


class Machine:
    """Two processors and the work done there so far."""

    def __init__(self) -> None:
        self.work = {0: 0.0, 1: 0.0}
        self.own = 0.0
        self.put: list[set[int]] = []

    def used(self) -> Used:
        return Used(dict(self.work), self.own)

    def place(self, processors: Collection[int]) -> None:
        self.put.append(set(processors))


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def together(machine: Machine) -> Together:
    return Together(machine.used, machine.place, [0, 1])


def test_threads_run_anywhere_until_it_is_known_where_others_do(
    together: Together, machine: Machine
) -> None:
    together.join()
    assert machine.put == []
    machine.work[0] += 0.5
    together.look(1.0)
    together.join()
    together.join()
    assert machine.put == [{1}]  # once: it is asked for every request


def test_what_this_process_does_itself_drives_it_nowhere(
    together: Together, machine: Machine
) -> None:
    together.look(1.0)
    machine.work[0] += 1.0
    machine.own += 1.0
    together.look(1.0)
    together.join()
    assert machine.put == [{0}]


def test_threads_leave_a_processor_that_others_want(together: Together, machine: Machine) -> None:
    together.look(1.0)
    together.join()
    with ids.seeded(1):
        for _ in range(16):  # some toss of a coin
            machine.work[0] += 1.0
            machine.own += 0.5
            together.look(1.0)
            together.join()
            if machine.put != [{0}]:
                break
    assert machine.put == [{0}, {1}]


def test_a_little_work_of_others_drives_nobody_away(together: Together, machine: Machine) -> None:
    together.look(1.0)
    with ids.seeded(1):
        for _ in range(16):
            machine.work[0] += 0.2
            together.look(1.0)
    together.join()
    assert machine.put == [{0}]


def test_what_computes_elsewhere_comes_back(together: Together, machine: Machine) -> None:
    together.look(1.0)
    together.join()
    with together.apart():
        assert machine.put[-1] == {0, 1}
    assert machine.put[-1] == {0}


def test_who_never_joined_is_left_alone(together: Together, machine: Machine) -> None:
    together.look(1.0)
    thread = threading.Thread(target=together.join)
    thread.start()
    thread.join()
    with together.apart():
        pass
    assert machine.put == [{0}]

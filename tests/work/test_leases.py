"""Who is dead: certain for a process of this host, never guessed."""

import os
import socket
import subprocess
import sys

import pytest

from cumulo.work import leases

PRINT_NAME = "from cumulo.work import leases; print(leases.new_owner())"


OURS = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def ended_process() -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_NAME], env=OURS, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_this_process_lives() -> None:
    assert not leases.is_dead(leases.new_owner())


def test_no_two_workers_share_a_name() -> None:
    assert leases.new_owner() != leases.new_owner()


def test_a_process_that_ended_is_dead() -> None:
    assert leases.is_dead(ended_process())


def test_a_process_that_lives_is_not() -> None:
    code = f"{PRINT_NAME.replace('new_owner())', 'new_owner(), flush=True)')}; input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], env=OURS, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout
    assert other.stdin
    name = other.stdout.readline().decode().strip()
    alive = leases.is_dead(name)
    other.communicate(b"\n")
    assert not alive
    assert leases.is_dead(name)


def test_another_process_with_the_same_number_is_another() -> None:
    parts = leases.new_owner().split("/")
    parts[3] = parts[3].split("-")[0] + "-1"
    assert leases.is_dead("/".join(parts))


def test_this_host_before_its_last_start_is_dead() -> None:
    parts = leases.new_owner().split("/")
    parts[1] = "another-boot"
    assert leases.is_dead("/".join(parts))


@pytest.mark.parametrize(
    "name",
    [
        "worker-1",
        f"elsewhere{socket.gethostname()}/boot/1/1-1/aa",
        f"{socket.gethostname()}/boot",
    ],
)
def test_of_others_nothing_is_known(name: str) -> None:
    assert not leases.is_dead(name)


def test_a_process_in_another_container_is_not_judged() -> None:
    parts = leases.new_owner().split("/")
    parts[2], parts[3] = "1", "999999-1"
    assert not leases.is_dead("/".join(parts))

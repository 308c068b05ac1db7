"""Several processes that serve one store: what they share, and how they begin and end."""

import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from cumulo.alone import processes
from cumulo.kit.clock import CLOCK
from cumulo.kit.siblings import sensible
from cumulo.services.objectstore.drivers.locks import Locks
from cumulo.services.objectstore.settings import ObjectStoreSettings, RateLimits
from cumulo.services.objectstore.stamps import Stamps
from tests.ports import free_port
from tests.waiting import eventually

COUNT = 3


class Store:
    """`cumulo objects`, in several processes."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        directory.mkdir(parents=True)
        config = directory / "cumulo.toml"
        config.write_text(
            f"log_level = 'error'\n[http]\nobjectstore_port = {self.port}\n"
            f"[objectstore]\nprocesses = {COUNT}\npart_power = 4\n"
            "[objectstore.users.\"p1:ann\"]\nkey = 'secret'\n"
        )
        argv = ["objects", "--state", str(directory), "--config", str(config)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cumulo", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("Swift")
        pid = self.process.pid
        self.others = [
            int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
        self.token = self.ask("GET", "/auth/v1.0", x_auth_user="p1:ann", x_auth_key="secret")[2][
            "x-auth-token"
        ]

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Ask one of them, the system says which: each connection may be another's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if not headers:
            said["X-Auth-Token"] = self.token
        connection.request(method, path, body, said)
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    def of(self, path: str) -> list[str]:
        return self.ask("GET", f"/v1/AUTH_p1{path}")[1].decode().split()

    def is_over(self) -> bool:
        return not any(map(is_alive, self.others))

    def end(self) -> str:
        _, told = self.process.communicate(timeout=60)
        eventually(self.is_over)
        return told


def is_alive(pid: int) -> bool:
    """Say whether a process runs, which one that only waits for its parent to look does not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


@pytest.fixture
def store(directory: Path) -> Iterator[Store]:
    store = Store(directory.parent / "siblings")
    yield store
    if store.process.returncode is None:
        store.process.kill()
        store.end()


def test_all_serve_the_same(store: Store) -> None:
    assert len(store.others) == COUNT - 1
    names = [f"o{number:02}" for number in range(48)]
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda _: store.ask("PUT", "/v1/AUTH_p1/box")[0], names[:12]))
        assert sorted(set(made)) == [201, 202]
        assert made.count(201) == 1
        put = pool.map(lambda one: store.ask("PUT", f"/v1/AUTH_p1/box/{one}", b"x")[0], names)
        assert set(put) == {201}
        again = pool.map(lambda n: store.ask("PUT", "/v1/AUTH_p1/box/one", b"%d" % n)[0], range(40))
        assert set(again) == {201}
        only = pool.map(
            lambda n: store.ask(
                "PUT", "/v1/AUTH_p1/box/first", b"%d" % n,
                x_auth_token=store.token, if_none_match="*",
            )[0],
            range(24),
        )  # fmt: skip
        assert sorted(only) == [201, *[412] * 23]
        read = list(pool.map(lambda _: store.ask("GET", "/v1/AUTH_p1/box/one")[1], names))
    assert len(set(read)) == 1
    assert sorted(store.of("/box")) == sorted([*names, "one", "first"])
    held: list[str] = []

    def is_told() -> bool:
        held[:] = [store.ask("HEAD", "/v1/AUTH_p1")[2]["x-account-object-count"] for _ in range(12)]
        return set(held) == {"50"}

    eventually(is_told, tell=lambda: held)
    for one in [*names, "one", "first"]:
        assert store.ask("DELETE", f"/v1/AUTH_p1/box/{one}")[0] == 204
    assert store.ask("DELETE", "/v1/AUTH_p1/box")[0] == 204
    assert store.of("") == []
    store.process.send_signal(signal.SIGTERM)
    assert store.end() == ""
    assert store.process.returncode == 0


def test_none_outlives_the_first(store: Store) -> None:
    store.process.kill()
    store.end()


def test_where_one_is_missing_all_end_and_say_so(store: Store) -> None:
    os.kill(store.others[1], signal.SIGKILL)
    told = store.end()
    assert store.process.returncode == 1
    assert f"Process 2 of {COUNT} ended" in told


def test_a_port_that_is_taken_is_told_before_there_are_any(store: Store, directory: Path) -> None:
    config = directory.parent / "siblings" / "cumulo.toml"
    argv = ["objects", "--state", str(directory.parent / "other"), "--config", str(config)]
    done = subprocess.run(
        [sys.executable, "-m", "cumulo", *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"Port {store.port} on 127.0.0.1 cannot be used" in done.stderr
    assert store.ask("GET", "/info", x="y")[0] == 200


def test_stamps_of_several_are_never_alike() -> None:
    with CLOCK.held() as clock:
        sources = [Stamps(number, COUNT) for number in range(COUNT)]
        found = list[str]()
        for _ in range(50):
            clock.move(0.00001)
            found += [one.next() for one in sources for _ in range(2)]
        assert len(set(found)) == len(found)
        for number, one in enumerate(sources):
            stamps = [one.next() for _ in range(9)]
            assert stamps == sorted(stamps)
            assert {int(stamp.replace(".", "")) % COUNT for stamp in stamps} == {number}


def test_a_lock_has_one_holder(directory: Path) -> None:
    locks, numbers, most = Locks(directory / "locks"), count(), list[int]()
    inside, guard = set[int](), threading.Lock()

    def work(_: int) -> None:
        with locks.held(7):
            me = next(numbers)
            with guard:
                inside.add(me)
                most.append(len(inside))
            os.sched_yield()
            with guard:
                inside.remove(me)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert set(most) == {1}
    # Another process is kept out, too, but not from another lock.
    path = f"{directory}/locks/07"
    code = f"import fcntl; fcntl.flock(open({path!r}), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    for number, ended in ((7, 1), (8, 0)):
        with locks.held(number):
            done = subprocess.run(
                [sys.executable, "-c", code], check=False, capture_output=True, timeout=60
            )
            assert done.returncode == ended, done.stderr


def test_how_many_there_are() -> None:
    assert processes(ObjectStoreSettings()) == sensible() >= 1
    assert processes(ObjectStoreSettings(processes=3)) == 3
    assert processes(ObjectStoreSettings(ratelimit=RateLimits(account_ratelimit=1.0))) == 1
    with pytest.raises(ValueError, match="rates are counted within one"):
        ObjectStoreSettings(processes=2, ratelimit=RateLimits(account_ratelimit=1.0))

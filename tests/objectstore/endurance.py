"""`python -m tests.objectstore.endurance [SECONDS [SEED [coded]]]`: a store falls apart at work.

Eight clients write, read and delete; meanwhile servers of devices are killed, devices vanish with
all that they hold, and bytes rot.  In the end every object is what was acknowledged last, the
listing says so, and three whole replicas, or all fragments, lie where they belong.
"""

import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cumulo.db import Database
from cumulo.kit import log
from cumulo.services.objectstore import fragments, mending, reconcile
from cumulo.services.objectstore.assembly import KINDS, save
from cumulo.services.objectstore.drivers.base import State
from cumulo.services.objectstore.ring import Builder, RingDevice
from cumulo.services.objectstore.settings import StoragePolicy
from tests.objectstore.service import ANN, MIB, Service, User
from tests.ports import free_port
from tests.waiting import eventually

if TYPE_CHECKING:
    from cumulo.services.objectstore.drivers.base import Device

CLIENTS = 8
NAMES = ("d0", "d1")
GONE = ""  # instead of a digest
SALT = "endurance"
WHOLE = StoragePolicy("whole")
CODED = StoragePolicy("coded", "erasure_coding", "isa_l_rs_vand", 4, 2, 262144)


class Machine:
    """A server of devices in a process of its own."""

    def __init__(self, state: Path) -> None:
        self.state, self.port = state, free_port()
        self.objects = state / "control" / "objects"
        self.objects.mkdir(parents=True)
        (self.objects / "salt").write_text(SALT)
        config = state / "cumulo.toml"
        config.write_text(f"log_level = 'error'\n[objectstore]\ndevice_port = {self.port}\n")
        self._process: subprocess.Popen[str] | None = None
        self._argv = ["devices", "--state", str(state), "--config", str(config)]

    def begin(self, *names: str) -> None:
        """Start without waiting for it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cumulo", *self._argv, *names],
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *names: str) -> None:
        self.begin(*names)
        self.serving()

    def serving(self) -> None:
        """Return once it serves."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("Serving")

    def kill(self) -> None:
        if self._process is not None:
            with self._process as process:
                process.kill()
            self._process = None


class Ledger:
    """What clients know to be stored; where an answer never came, either of two things."""

    def __init__(self) -> None:
        self.known: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def settle(self, name: str, digest: str, status: int) -> None:
        """Note the answer to a write; one that was refused may have been carried out."""
        if status in (201, 204) or (status == 404 and digest == GONE):
            self.known[name] = {digest}
        else:
            self.known[name] = self.known.get(name, {GONE}) | {digest}

    def check(self, name: str, digest: str) -> None:
        """Hold what was read to what may be there."""
        if digest not in self.known.get(name, {GONE}):
            self.wrong.append(f"{name}: {digest or 'gone'}, not {self.known.get(name)}")


class Endurance:
    """One run."""

    def __init__(
        self,
        directory: Path,
        db: Database,
        seed: int,
        servers: int = 4,
        policy: StoragePolicy = WHOLE,
    ) -> None:
        self.random, self.ledger = random.Random(seed), Ledger()
        self.machines = [Machine(directory / f"m{number}") for number in range(servers)]
        for machine in self.machines:
            machine.begin(*NAMES)
        rings = directory / "rings"
        rings.mkdir()
        (rings / "salt").write_text(SALT)
        for kind in KINDS:
            replicas = policy.fragments if kind == "object" else 0
            save(rings / f"{kind}.builder", self._builder(replicas or 3))
        for machine in self.machines:
            machine.serving()
        self.service = Service(db, rings, policies=(policy,))
        self._over, self._healed = threading.Event(), threading.Event()
        self._broken = 0  # how often

    def _builder(self, replicas: int) -> Builder:
        builder = Builder(5, replicas, 0)
        for zone, machine in enumerate(self.machines):
            for name in NAMES:
                builder.add(RingDevice(id=0, zone=zone, port=machine.port, device=name))
        builder.rebalance(1.0)
        return builder

    def run(self, seconds: float) -> None:
        """Work and break for some time, then look at all that is left."""
        self.service.user(ANN).filled("box")
        threads = [threading.Thread(target=self._work, args=(n,)) for n in range(CLIENTS)]
        threads.append(threading.Thread(target=self._heal))
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        try:
            while not self._over.is_set():
                self._break(end)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        self._mended()
        self._look()

    def close(self) -> None:
        for machine in self.machines:
            machine.kill()
        self.service.close()

    def _work(self, number: int) -> None:
        mine, ann = random.Random(number), self.service.user(ANN)
        while not self._over.wait(0.005):  # leave the processor to others now and then
            name = f"c{number}-{mine.randrange(40)}"
            kind = mine.choices(["put", "get", "delete"], [5, 4, 1])[0]
            if kind == "put":
                size = mine.choice([0, 10, 4096, 100_000, 100_000, MIB + 1, 3 * MIB])
                self._put(ann, name, mine.randbytes(size))
            elif kind == "get":
                self._get(ann, name)
            else:
                status = ann.delete(f"box/{name}").status
                self.ledger.settle(name, GONE, status)
                self.ledger.counts[f"delete {status}"] += 1

    def _put(self, ann: User, name: str, body: bytes) -> None:
        status = ann.put(f"box/{name}", body).status
        self.ledger.settle(name, hashlib.md5(body).hexdigest(), status)
        self.ledger.counts[f"put {status}"] += 1

    def _get(self, ann: User, name: str) -> None:
        answer = ann.get(f"box/{name}")
        self.ledger.counts[f"get {answer.status}"] += 1
        if answer.status in (200, 404):
            found = hashlib.md5(answer.body).hexdigest() if answer.status == 200 else GONE
            self.ledger.check(name, found)

    def _break(self, end: float) -> None:
        """Break one thing that holds data, and stop one server; then wait until all is healed.

        Only then the next thing may break: both kinds of policy stand the loss of two, not of all.
        """
        self._over.wait(0.3)
        machine, victim = self.random.sample(self.machines, 2)
        machine.kill()
        self.ledger.counts["servers killed"] += 1
        self.random.choice([self._lose_device, self._rot])(victim)
        self._over.wait(0.3)
        machine.start()
        if (began := time.monotonic()) > end:
            self._over.set()
            return
        self._broken += 1
        self._healed.clear()
        assert self._healed.wait(300), "it does not heal"
        took = time.monotonic() - began
        self.ledger.counts["slowest healing, ms"] = max(
            self.ledger.counts["slowest healing, ms"], int(took * 1000)
        )

    def _lose_device(self, machine: Machine) -> None:
        device = machine.objects / self.random.choice(NAMES)
        aside = machine.state / "lost"
        device.rename(aside)  # all of it at once, as a disk goes
        shutil.rmtree(aside)
        device.mkdir()
        self.ledger.counts["devices lost"] += 1

    def _rot(self, machine: Machine) -> None:
        files = sorted(machine.objects.glob("d*/objects/*/*/*.data"))
        seen: set[str] = set()
        for path in self.random.sample(files, min(3, len(files))):
            if path.parent.name in seen:
                continue
            seen.add(path.parent.name)
            try:
                content = bytearray(path.read_bytes())
                content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
                path.write_bytes(content)
            except FileNotFoundError:
                continue  # superseded this moment
            self.ledger.counts["files rotten"] += 1

    def _heal(self) -> None:
        while not self._over.is_set():
            before = self._broken
            if self._mend() and before == self._broken:
                self._healed.set()
            self._over.wait(0.2)

    def _mend(self) -> bool:
        """Do what the reconcilers do; say whether all is whole."""
        tools = self.service.tools
        reconcile.update(tools)
        reconcile.repair(tools)
        reconcile.audit(tools)
        reconcile.replicate(tools)
        return not tools.cluster.stale and all(map(_is_there, tools.cluster.devices.values()))

    def _mended(self) -> None:
        eventually(lambda: self._mend() and not self.service.tools.cluster.repairs, within_s=300)
        self._mend()

    def _look(self) -> None:
        """Compare all that there is with what was acknowledged."""
        ann, ledger = self.service.user(ANN), self.ledger
        there: dict[str, str] = {}
        for name in sorted(ledger.known):
            answer = ann.get(f"box/{name}")
            assert answer.status in (200, 404), answer.text
            there[name] = hashlib.md5(answer.body).hexdigest() if answer.status == 200 else GONE
            ledger.check(name, there[name])
        assert not ledger.wrong, ledger.wrong
        alive = sorted(name for name, digest in there.items() if digest != GONE)
        assert ann.names("box") == alive
        cluster = self.service.tools.cluster
        for name in alive:
            place = cluster.place("object", "AUTH_p1", "box", name)
            known = {one: one.state(place.part, place.key) for one in cluster.devices.values()}
            held = [one for one, state in known.items() if state.is_there]
            assert {one.name for one in held} == {one.name for one in place.primaries}, name
            assert all(one.verify(place.part, place.key) for one in held)
            mine = {
                device: _durable(known[cluster.devices[device.name]]) for device in place.primaries
            }
            is_settled = fragments.is_settled(place, fragments.Sight(mine))
            assert place.scheme is None or is_settled, name
        ledger.counts["objects in the end"] = len(alive)
        ledger.counts["left to mend"] = mending.sweep_objects(cluster, "")


def _durable(state: State) -> State:
    """Return what a device has, without what a write that died may leave there for a while."""
    kept = tuple(one for one in state.fragments if one.is_durable)
    return msgspec.structs.replace(state, fragments=kept)


def _is_there(device: "Device") -> bool:
    return device.is_there()


def main() -> None:
    """Run for some seconds, on disk, and tell."""
    log.setup("error")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    policy = CODED if "coded" in sys.argv else WHOLE
    with tempfile.TemporaryDirectory() as directory:
        db = Database(f"sqlite:///{directory}/none.db")
        run = Endurance(Path(directory), db, seed, policy=policy)
        try:
            run.run(seconds)
        finally:
            run.close()
            for name, count in sorted(run.ledger.counts.items()):
                sys.stdout.write(f"{count:8} {name}\n")


if __name__ == "__main__":
    main()

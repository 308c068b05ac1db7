"""A real Ceph of one node for tests: in a directory, on ports of one address, without root."""

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.ports import free_port
from tests.waiting import eventually

USER = "cumulo"
_NEEDED = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph", "rbd")
_CONF = """
[global]
fsid = {fsid}
mon host = v2:{address}:{port}/0
public network = {address}/24
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {place}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
mon allow pool size one = true
mon warn on pool no redundancy = false
auth allow insecure global id reclaim = false
osd crush chooseleaf type = 0
run dir = {place}
admin socket = {place}/$name.asok
log file = {place}/$name.log
pid file =
osd objectstore = bluestore
bluestore block size = 8589934592
bluestore fsck on mount = false
osd memory target = 939524096
osd op num shards = 2
mgr initial modules =
mon data avail warn = 2
mon data avail crit = 1
"""
_CLIENT = """
[global]
fsid = {fsid}
mon host = v2:{address}:{port}/0
[client.{user}]
keyring = {place}/client.keyring
"""
_ALL = ("allow *",) * 4


class Ceph:
    """A cluster that runs."""

    def __init__(self, place: Path, prefix: Sequence[str], address: str) -> None:
        self.place, self.prefix, self._address = place, list(prefix), address
        self.conf = place / "client.conf"  # of a user who may do with volumes as they like
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._own = str(place / "ceph.conf")

    def start(self) -> None:
        """Start the three daemons, each for the first time."""
        port, fsid = free_port(), str(uuid.uuid4())
        facts = {"fsid": fsid, "port": port, "place": self.place, "user": USER}
        facts["address"] = self._address
        Path(self._own).write_text(_CONF.format(**facts))
        self.conf.write_text(_CLIENT.format(**facts))
        self._start_mon(f"[v2:{self._address}:{port}/0]", fsid)
        self._start_mgr()
        self._start_osd()
        eventually(lambda: self._told("osd", "stat").get("num_up_osds") == 1, 60)

    def pool(self, name: str) -> None:
        """Make a pool for volumes, and let our user have it."""
        self.run("ceph", "osd", "pool", "create", name, "4", "4")
        self.run("rbd", "pool", "init", name)
        allowed = ["mon", "profile rbd", "osd", "profile rbd", "mgr", "profile rbd"]
        keyring = self.run("ceph", "auth", "get-or-create", f"client.{USER}", *allowed)
        (self.place / "client.keyring").write_text(keyring)

    def run(self, program: str, *words: str, given: str | None = None) -> str:
        """Run one of Ceph's programs as the administrator."""
        command = [*self.prefix, program, "-c", self._own, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, input=given, check=False, timeout=60
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """End the daemons, the first that was started last."""
        for daemon in reversed(self._daemons):
            daemon.kill()  # they take long to end in peace, and nothing is to be kept
            daemon.wait()

    def _start_mon(self, address: str, fsid: str) -> None:
        keyring, place = str(self.place / "keyring"), self.place
        named = zip(("mon", "osd", "mgr", "mds"), _ALL, strict=True)
        rights = [word for kind, right in named for word in ("--cap", kind, right)]
        self._tool("ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", *rights[:3])
        self._tool("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *rights)
        monmap = str(place / "monmap")
        self._tool("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap)
        first = ["--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring]
        self.run("ceph-mon", *first, "--mon-data", str(place / "mon"))
        self._daemon("ceph-mon", "-i", "a", "--mon-data", str(place / "mon"))
        eventually(lambda: self._told("mon", "stat") != {}, 30)

    def _start_mgr(self) -> None:
        data = self.place / "mgr"
        data.mkdir()
        rights = ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"]
        keyring = self.run("ceph", "auth", "get-or-create", "mgr.x", *rights)
        (data / "keyring").write_text(keyring)
        self._daemon("ceph-mgr", "-i", "x", "--mgr-data", str(data), "--keyring", f"{data}/keyring")

    def _start_osd(self) -> None:
        data, number = self.place / "osd", str(uuid.uuid4())
        data.mkdir()
        secret = self._tool("ceph-authtool", "--gen-print-key").strip()
        given = msgspec.json.encode({"cephx_secret": secret}).decode()
        osd = self.run("ceph", "osd", "new", number, "-i", "-", given=given).strip()
        keyring = str(data / "keyring")
        named = ["--name", f"osd.{osd}", "--add-key", secret]
        self._tool("ceph-authtool", "-C", keyring, *named)
        common = ["-i", osd, "--osd-data", str(data), "--keyring", keyring]
        self.run("ceph-osd", *common, "--mkfs", "--osd-uuid", number)
        self._daemon("ceph-osd", *common)

    def _daemon(self, program: str, *words: str) -> None:
        command = [*self.prefix, program, "-c", self._own, *words, "-f"]
        with (self.place / f"{program}.out").open("wb") as out:
            daemon = subprocess.Popen(command, stdout=out, stderr=out, cwd=self.place)
        self._daemons.append(daemon)

    def _tool(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def _told(self, *words: str) -> dict[str, object]:
        command = [*self.prefix, "ceph", "-c", self._own, "--connect-timeout", "2", *words]
        command += ["--format", "json"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return dict(msgspec.json.decode(done.stdout)) if done.returncode == 0 else {}


@contextmanager
def running_ceph(prefix: Sequence[str] = (), address: str = "127.0.0.1") -> Iterator[Ceph]:
    """Run a cluster; afterwards nothing of it is left."""
    lacking = [program for program in _NEEDED if shutil.which(program) is None]
    if lacking:
        pytest.skip(f"a real Ceph needs {', '.join(lacking)}")
    place = Path(tempfile.mkdtemp(prefix="cumulo-ceph-", dir="/var/tmp"))
    place.chmod(0o711)
    cluster = Ceph(place, prefix, address)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(place)

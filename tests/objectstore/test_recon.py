"""What monitoring asks device servers, in swift-recon's words, and where things lie."""

import contextlib
import hashlib
import http.client
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from cumulo.cli.ring import command as ring_command
from cumulo.db import Database
from cumulo.services.objectstore import reconcile, ring_files
from cumulo.services.objectstore.drivers.server import DeviceServer
from cumulo.services.objectstore.recon import served
from cumulo.services.objectstore.settings import ObjectStoreSettings
from tests.objectstore.service import ANN, Service
from tests.ports import free_port


class Machine:
    """A store whose devices a server lends, as on each machine of a cluster."""

    def __init__(self, db: Database, directory: Path) -> None:
        words: dict[str, Any] = {"part_power": 4, "policies": ("gold", "silver")}
        self.settings = ObjectStoreSettings(device_port=free_port(), **words)
        self.service = Service(db, directory, **words)
        self.server: DeviceServer = served(directory, self.settings, self.service.tools.cluster)
        self.server.start()

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        found = answer.status, dict(answer.headers), answer.read()
        connection.close()
        return found

    def told(self, path: str) -> Any:
        status, headers, body = self.ask(path)
        assert (status, headers["Content-Type"]) == (200, "application/json"), body
        return msgspec.json.decode(body)


@pytest.fixture
def machine(empty_db: Database, directory: Path) -> Iterator[Machine]:
    machine = Machine(empty_db, directory)
    yield machine
    machine.server.stop()
    machine.service.close()


def work(machine: Machine) -> None:
    ann = machine.service.user(ANN)
    ann.filled("box", "box/o")
    tools = machine.service.tools
    for act in (reconcile.update, reconcile.replicate, reconcile.audit, reconcile.expire):
        act(tools)
    reconcile.shard(tools)


def test_passes_tell_of_themselves(machine: Machine) -> None:
    nothing = machine.told("/recon/replication/object")
    assert set(nothing.values()) == {None}
    work(machine)
    for kind in ("account", "container", "object"):
        told = machine.told(f"/recon/replication/{kind}")
        assert told["replication_time"] >= 0, kind
        assert told["replication_stats"]["failure"] == 0
    audits = machine.told("/recon/auditor/object")["object_auditor_stats_ALL"]
    assert sorted(audits) == ["d1", "d2", "d3", "d4"]
    assert machine.told("/recon/sharding")["sharding_stats"]["success"] == 1
    assert machine.told("/recon/expirer/object")["expired_last_pass"] == 0
    assert machine.told("/recon/updater/object")["object_updater_sweep"] >= 0
    assert machine.told("/recon/driveaudit") == {"drive_audit_errors": None}


def test_a_moment_tells_of_itself(machine: Machine, directory: Path) -> None:
    machine.service.devices[0].note("1-a", b"")
    machine.service.devices[1].quarantine(0, "0" * 32)
    shutil.rmtree(directory / "d4")
    assert machine.told("/recon/async")["async_pending"] == 1
    assert machine.told("/recon/quarantined")["objects"] == 0
    assert machine.told("/recon/unmounted") == [{"device": "d4", "mounted": False}]
    usage = {one["device"]: one for one in machine.told("/recon/diskusage")}
    assert (usage["d4"]["mounted"], usage["d4"]["size"]) == (False, "")
    assert usage["d1"]["size"] == usage["d1"]["used"] + usage["d1"]["avail"] > 0
    assert machine.told("/recon/devices") == {str(directory): ["d1", "d2", "d3", "d4"]}
    assert machine.told("/recon/mem")["MemTotal"].endswith("kB")
    assert machine.told("/recon/load")["1m"] >= 0
    assert machine.told("/recon/sockstat")["tcp_in_use"] > 0
    assert machine.told("/recon/time") > 0
    assert {"device", "path"} == set(machine.told("/recon/mounted")[0])
    assert machine.told("/recon/version")["version"]


def test_what_is_no_check(machine: Machine) -> None:
    for path in ("/recon/", "/recon/other", "/recon/replication/x", "/", "/v1/AUTH_p1", "/recon"):
        assert machine.ask(path)[0] == 404, path
    status, headers, body = machine.ask("/", "OPTIONS")
    assert (status, body, headers["Server"].split("/")[0]) == (200, b"", "object-server")
    assert machine.ask("/recon/mem", "HEAD")[2] == b""
    for said in (b"POST /recon/mem HTTP/1.1\r\n\r\n", b"GET " + b"x" * 9000, b"GET \r\n\r\n"):
        assert b"200 OK" not in answered(machine.server.port, said)


def answered(port: int, said: bytes) -> bytes:
    """Return what a server answers; nothing where it hangs up."""
    with (
        contextlib.suppress(ConnectionError, OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(100)
    return b""


def test_where_things_lie(machine: Machine) -> None:
    ann = machine.service.user(ANN)
    ann.put("box", x_storage_policy="silver")
    place = machine.service.tools.cluster.place("object-1", "AUTH_p1", "box", "a/o\u00e9")
    wanted = [
        f"http://127.0.0.1:{machine.server.port}/{one.name}/{place.part}/AUTH_p1/box/a/o%C3%A9"
        for one in place.primaries
    ]
    for root in ("/endpoints", "/endpoints/v1", "/endpoints/v1.0"):
        assert machine.told(f"{root}/AUTH_p1/box/a/o%C3%A9") == wanted
    told = machine.told("/endpoints/v2/AUTH_p1/box/a/o%C3%A9")
    headers = {"X-Backend-Storage-Policy-Index": "1"}
    assert told == {"endpoints": wanted, "headers": headers}
    assert len(machine.told("/endpoints/AUTH_p1")) == 3
    assert machine.told("/endpoints/v2/AUTH_p1/box")["headers"] == {}
    for path in ("/endpoints/", "/endpoints/v2", "/endpoints/v9/AUTH_p1"):
        assert machine.ask(path)[0] == 400, path
    (machine.service.directory / "object-1.builder").unlink()
    assert machine.ask("/endpoints/AUTH_p1/box/o")[0] == 503


@pytest.fixture
def swift_dir(machine: Machine, directory: Path) -> Path:
    target = directory.parent / "swift"
    for kind in ("account", "container", "object", "object-1"):
        ring_files.write_for_swift(directory, machine.settings, kind, target)
    return target


def test_rings_that_swifts_tools_read(
    machine: Machine, swift_dir: Path, directory: Path, tmp_path: Path
) -> None:
    assert (swift_dir / "swift.conf").stat().st_mode & 0o77 == 0
    sums = machine.told("/recon/ringmd5") | machine.told("/recon/swiftconfmd5")
    names = {Path(path).name: told for path, told in sums.items()}
    assert names == {
        path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in swift_dir.iterdir()
    }
    state = directory.parent / "state"
    shutil.copytree(directory, state / "control" / "objects")
    words = ["--state", str(state), "object", "write_ring", str(tmp_path / "out")]
    assert CliRunner().invoke(ring_command, words).exit_code == 0
    assert (tmp_path / "out" / "object.ring.gz").read_bytes()[:2] == b"\x1f\x8b"


@pytest.mark.walk
@pytest.mark.skipif(not shutil.which("swift-recon"), reason="Swift's own swift-recon is not here")
def test_swift_recon_itself(machine: Machine, swift_dir: Path) -> None:
    work(machine)
    wanted = {
        "account": ["[1m_load_avg]"],
        "container": ["[sharding_time]", "[updater_last_sweep]"],
        "object": ["[ALL_audit_time_last_path]", "[expired_last_pass]", "1/1 hosts ok, 0 error"],
    }
    for kind, lines in wanted.items():
        words = ["swift-recon", kind, "-v", "--swiftdir", str(swift_dir), "-r", "-a", "-u", "-l"]
        words += ["-d", "-q", "--sockstat", "-T", "--driveaudit", "--swift-versions", "--auditor"]
        words += {
            "account": [],
            "container": ["--sharding", "--updater"],
            "object": ["--expirer", "--updater", "-R", "--validate-servers"],
        }[kind]
        told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in told.stderr + told.stdout, told
        assert "[replication_failure] low: 0, high: 0" in told.stdout, told.stdout
        assert "Disk usage: space used" in told.stdout, told.stdout
        for line in lines:
            assert line in told.stdout, (line, told.stdout)

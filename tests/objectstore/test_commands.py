"""`cumulo ring` and `cumulo recon`, and the store that follows what they say."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cumulo.cli.recon import command as recon_command
from cumulo.cli.ring import command as ring_command
from cumulo.cli.shards import command as shards_command
from cumulo.db import Database
from cumulo.services.objectstore import reconcile
from cumulo.services.objectstore.settings import StoragePolicy
from tests.objectstore.service import ANN, Service


@pytest.fixture
def state(directory: Path) -> Path:
    return directory.parent / "state"


def ring(state: Path, *words: str) -> Result:
    return CliRunner().invoke(ring_command, ["--state", str(state), *words])


def test_recon_tells_objects_from_fragments(state: Path, empty_db: Database) -> None:
    coded = StoragePolicy("coded", "erasure_coding", "isa_l_rs_vand", 2, 1)
    policies = ("gold", coded)
    service = Service(empty_db, state / "control" / "objects", policies=policies, devices=3)
    ann = service.user(ANN)
    ann.put("box", x_storage_policy="coded")
    ann.filled("plain", "plain/o", "box/o", "box/p")
    service.close()
    lines = CliRunner().invoke(recon_command, ["--state", str(state)]).output.splitlines()
    assert [line.split()[3:5] for line in lines[1:]] == [["1", "2"]] * 3


def test_rings_made_by_hand(state: Path, empty_db: Database) -> None:
    for kind in ("account", "container", "object"):
        assert ring(state, kind, "create", "4", "2", "1").exit_code == 0
        for number in (1, 2, 3):
            words = ("--region", "1", "--zone", str(number), "--device", f"sd{number}")
            assert ring(state, kind, "add", *words, "--weight", "100").exit_code == 0
        told = ring(state, kind, "rebalance")
        assert told.output.startswith("Reassigned 32 partitions.")
    assert ring(state, "object", "create", "4", "2", "1").exit_code != 0
    assert ring(state, "object", "add", "--device", "../x").exit_code != 0
    assert "3 devices" in ring(state, "object", "info").output
    service = Service(empty_db, state / "control" / "objects")
    ann = service.user(ANN)
    ann.filled("box", "box/o")
    assert len(list((state / "control" / "objects").glob("sd*/objects/*/*/*.data"))) == 2
    told = CliRunner().invoke(recon_command, ["--state", str(state)])
    assert told.output.count(" yes ") == 3
    service.close()
    assert ring(state, "object", "remove", "0").exit_code == 0
    assert ring(state, "object", "rebalance").exit_code == 0
    again = Service(empty_db, state / "control" / "objects")
    again.mend()
    held = list((state / "control" / "objects").glob("sd*/objects/*/*/*.data"))
    assert len([path for path in held if path.parts[-5] != "sd1"]) == 2
    assert again.user(ANN).get("box/o").body == b"box/o"
    again.close()


def shards(state: Path, *words: str) -> Result:
    return CliRunner().invoke(shards_command, ["--state", str(state), "AUTH_p1", *words])


def test_shards_made_by_hand(state: Path, empty_db: Database) -> None:
    assert "no object store" in shards(state, "box", "show").output
    service = Service(empty_db, state / "control" / "objects")
    ann = service.user(ANN)
    ann.filled("box", *(f"box/{number:02}" for number in range(10)))
    assert "no container" in shards(state, "absent", "show").output
    assert shards(state, "box", "find", "4").output.splitlines()[0].strip() == "'' - '03'"
    assert len(shards(state, "box", "show").output.splitlines()) == 1
    assert shards(state, "box", "find_and_replace", "4").exit_code == 0
    assert shards(state, "box", "find_and_replace", "4").exit_code == 1
    assert "found" in shards(state, "box", "show").output
    reconcile.shard(service.tools)
    lines = shards(state, "box", "show").output.splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [
        ["active", "4"],
        ["active", "4"],
        ["active", "2"],
    ]
    assert len(ann.names("box")) == 10
    service.close()

"""Volumes of servers that go to another host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Database
from cumulo.services.volume.settings import BackendSettings, VolumeSettings
from cumulo.settings import Settings
from tests.cloud import Emulated
from tests.compute.servers.test_volumes import Both, S


@pytest.fixture
def both(tmp_path: Path, reused: Database) -> Iterator[Both]:
    """A cloud of two hosts that reach all volumes."""
    cloud = Emulated(tmp_path, hosts=2, db=reused)
    yield Both(cloud)
    cloud.close()


@pytest.fixture
def apart(tmp_path: Path, reused: Database) -> Iterator[Both]:
    """A cloud of two hosts of which one has the files that volumes are."""
    backend = BackendSettings(name="file", directory=str(tmp_path / "volumes"))
    settings = Settings(volume=VolumeSettings(backends=(backend,)))
    cloud = Emulated(tmp_path, hosts=2, db=reused, settings=settings)
    yield Both(cloud)
    cloud.close()


def act(both: Both, server: str, **action: Any) -> Any:
    admin = both.cloud.client("compute", "root:p1:admin", "compute 2.93")
    answer = admin.post(f"{S}/{server}/action", action)
    assert answer.status == 202, answer.text
    both.cloud.work()
    return admin.get(f"{S}/{server}").json()["server"]


def reached_from(both: Both, volume: str) -> str:
    (attachment,) = both.storage.get(f"/v3/attachments?volume_id={volume}").json()["attachments"]
    admin = both.cloud.client("volume", "root:p1:admin", "volume 3.71")
    shown = admin.get(f"/v3/volumes/{volume}").json()["volume"]
    (told,) = shown["attachments"]
    assert attachment["status"] == "attached"
    return str(told["host_name"])


def test_where_a_volume_is_reached_from_follows_its_server(both: Both) -> None:
    server, volume = both.server(), both.volume()
    both.attach(server, volume)
    both.cloud.work()
    first = reached_from(both, volume)
    moved = act(both, server, migrate=None)
    assert reached_from(both, volume) == moved["OS-EXT-SRV-ATTR:host"] != first
    act(both, server, revertResize=None)
    assert reached_from(both, volume) == first
    live = {"host": None, "block_migration": "auto"}
    moved = act(both, server, **{"os-migrateLive": live})
    assert reached_from(both, volume) == moved["OS-EXT-SRV-ATTR:host"] != first
    both.agree()


def test_a_server_stays_where_its_files_are(apart: Both) -> None:
    volume = apart.volume()
    for _ in range(2):  # wherever the first would have gone
        disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0}
        disk |= {"uuid": apart.image, "volume_size": 1, "delete_on_termination": True}
        server = apart.server(imageRef="", block_device_mapping_v2=[disk])
        assert [name for name, node in apart.cloud.nodes.items() if server in node.guests()] == [
            "node1"
        ]
    apart.attach(server, volume)
    apart.cloud.work()
    seen = act(apart, server, migrate=None)
    assert seen["OS-EXT-SRV-ATTR:host"] == "node1"
    actions = apart.compute.get(f"{S}/{server}/os-instance-actions").json()["instanceActions"]
    assert (actions[0]["action"], actions[0]["message"]) == ("migrate", "Error")

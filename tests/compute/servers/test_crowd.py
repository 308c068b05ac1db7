"""Many who want servers at once, where there is room for half of them."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cumulo.services.compute.public import symptoms
from cumulo.work.runner import TOPIC
from tests.client import Client
from tests.cloud import Emulated

ROOM, WANTED = 100, 200
# Not of the quick suite: two hundred workflows take a while.
pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Emulated]:
    """A cloud of two hosts with room for fifty small servers each."""
    cloud = Emulated(tmp_path, hosts=2, memory_mib=ROOM // 2 * 512 + 512, vcpus=64, disk_gib=2000)
    yield cloud
    cloud.close()


def test_exactly_as_many_are_made_as_there_is_room_for(
    emulated: Emulated, ann: Client, root: Client, image: str
) -> None:
    limits = {"instances": -1, "cores": -1, "ram": -1}
    assert root.put("/v2.1/os-quota-sets/p1", {"quota_set": limits}).status == 200
    stop, workers = threading.Event(), emulated.cloud.workers()
    threads = [
        threading.Thread(target=worker.serve, args=(8, stop), daemon=True) for worker in workers
    ]
    for thread in threads:
        thread.start()
    spec = {"name": "one", "flavorRef": "1", "imageRef": image, "networks": "none"}

    def ask(_: int) -> int:
        client = emulated.client("compute", version="compute 2.37")
        return client.post("/v2.1/servers", {"server": spec}).status

    with ThreadPoolExecutor(16) as crowd:
        answers = Counter(crowd.map(ask, range(WANTED)))
    stop.set()
    emulated.cloud.bell.ring(TOPIC)
    for thread in threads:
        thread.join()
    emulated.work()
    assert answers == {202: WANTED}
    found = ann.get("/v2.1/servers/detail").json()["servers"]
    assert Counter(one["status"] for one in found) == {"ACTIVE": ROOM, "ERROR": WANTED - ROOM}
    for one in found:
        if one["status"] == "ERROR":
            assert one["fault"]["message"].startswith("No valid host was found. node1: Placement: ")
    assert [len(node.guests()) for node in emulated.nodes.values()] == [ROOM // 2, ROOM // 2]
    assert emulated.db.read(symptoms, mend=False) == []

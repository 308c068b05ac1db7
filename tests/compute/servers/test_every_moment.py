"""Whatever is being done with a server, and however far it has come: it can be deleted, or fails.

Each step of each workflow is cut short once and failed once; afterwards nothing may be stuck, and
when the server is deleted nothing may be left of it on any host, in the network or in the database.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cumulo.services.compute.public import WORKFLOWS, symptoms
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.compute.reconcile_guests import tidy_hosts
from cumulo.services.compute.workflows.attach_volume import ATTACH_VOLUME, DETACH_VOLUME
from cumulo.services.compute.workflows.cache_images import CACHE_IMAGES
from cumulo.services.compute.workflows.change_power import CHANGE_POWER
from cumulo.services.compute.workflows.confirm_resize import CONFIRM_RESIZE
from cumulo.services.compute.workflows.create_server import CREATE_SERVER
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER
from cumulo.services.compute.workflows.evacuate_server import EVACUATE_SERVER
from cumulo.services.compute.workflows.leave_host import LEAVE_HOST
from cumulo.services.compute.workflows.move_server import MOVE_SERVER
from cumulo.services.compute.workflows.offload_server import OFFLOAD_SERVER
from cumulo.services.compute.workflows.plug_interface import ATTACH_INTERFACE, DETACH_INTERFACE
from cumulo.services.compute.workflows.rebuild_server import REBUILD_SERVER
from cumulo.services.compute.workflows.rescue_server import RESCUE_SERVER, UNRESCUE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
from cumulo.services.compute.workflows.revert_resize import REVERT_RESIZE
from cumulo.services.compute.workflows.shelve_server import SHELVE_SERVER
from cumulo.services.compute.workflows.snapshot_server import SNAPSHOT_SERVER
from cumulo.services.compute.workflows.snapshot_volumes import SNAPSHOT_VOLUMES
from cumulo.services.compute.workflows.steer_move import STEER_MOVE
from cumulo.services.compute.workflows.unshelve_server import UNSHELVE_SERVER
from cumulo.services.network.reconcile import tell
from cumulo.work import Worker, Workflow, testing
from tests.audit import disagreements, unsettled
from tests.cloud import Emulated
from tests.compute.servers.conftest import DISK
from tests.compute.servers.mover import LARGE, Mover, mover_in

Deed: TypeAlias = Callable[[Mover], object]
pytestmark = [pytest.mark.walk, pytest.mark.timeout(180)]


def action(name: str, body: Any = None, version: str = "2.1") -> Deed:
    def ask(one: Mover) -> None:
        status = one.do(name, body, by=one.root.at(f"compute {version}"), work=False)
        assert status in (200, 202, 204), (name, status)

    return ask


def down(one: Mover) -> None:
    """Declare the server's host dead."""
    body = {"host": one.host, "binary": "nova-compute", "forced_down": True}
    at = one.root.at("compute 2.11")
    assert at.put("/v2.1/os-services/force-down", body).status == 200


def up(one: Mover) -> None:
    """Take back what `down` said of any host."""
    for host in one.cloud.names:
        body = {"host": host, "binary": "nova-compute", "forced_down": False}
        one.root.at("compute 2.11").put("/v2.1/os-services/force-down", body)


def attach(one: Mover) -> None:
    [port] = one.ann.get(f"/v2.1/servers/{one.id}/os-interface").json()["interfaceAttachments"]
    body = {"interfaceAttachment": {"net_id": port["net_id"]}}
    assert one.ann.post(f"/v2.1/servers/{one.id}/os-interface", body).status == 200


def detach(one: Mover) -> None:
    found = one.ann.get(f"/v2.1/servers/{one.id}/os-interface").json()["interfaceAttachments"]
    url = f"/v2.1/servers/{one.id}/os-interface/{found[-1]['port_id']}"
    assert one.ann.delete(url).status == 202


def rebuild(one: Mover) -> None:
    action("rebuild", {"imageRef": one.shown["image"]["id"]})(one)


RESIZE = action("resize", {"flavorRef": LARGE})
SHELVE, RESCUE = action("shelve"), action("rescue")
MOVE = action("os-migrateLive", {"host": None, "block_migration": "auto"}, "2.25")


def offload(one: Mover) -> None:
    """Shelve the server, which starts what takes it off its host."""
    SHELVE(one)
    Worker(one.cloud.db, [SHELVE_SERVER], one.tools).run_pending()


# workflow -> what is done before, and what starts it
DEEDS: dict[Workflow[Any, Any], tuple[list[Deed], Deed]] = {
    RESIZE_SERVER: ([], RESIZE),
    CONFIRM_RESIZE: ([RESIZE], action("confirmResize")),
    REVERT_RESIZE: ([RESIZE], action("revertResize")),
    MOVE_SERVER: ([], MOVE),
    EVACUATE_SERVER: ([down], action("evacuate", {}, "2.14")),
    SHELVE_SERVER: ([], SHELVE),
    OFFLOAD_SERVER: ([], offload),
    UNSHELVE_SERVER: ([SHELVE], action("unshelve")),
    SNAPSHOT_SERVER: ([], action("createImage", {"name": "copy"})),
    REBUILD_SERVER: ([], rebuild),
    RESCUE_SERVER: ([], RESCUE),
    UNRESCUE_SERVER: ([RESCUE], action("unrescue")),
    ATTACH_INTERFACE: ([], attach),
    DETACH_INTERFACE: ([attach], detach),
}
each = pytest.mark.parametrize("workflow", DEEDS, ids=lambda flow: flow.name.partition(".")[2])


class Bench:
    """One cloud for all of these tests, which leave nothing behind, with what servers need."""

    def __init__(self, state: Path) -> None:
        self.cloud = Emulated(state, hosts=2)
        images = self.cloud.client("image", "root:p1:admin")
        record = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
        self.image = images.post("/v2/images", record).json()["id"]
        kind = {"content-type": "application/octet-stream"}
        sent = images.put(f"/v2/images/{self.image}/file", body=DISK, headers=kind)
        assert sent.status == 204
        networks = self.cloud.client("network")
        made = networks.post("/v2.0/networks", {"network": {"name": "private"}}).json()
        self.network = made["network"]["id"]
        subnet = {"network_id": self.network, "cidr": "10.1.0.0/24", "ip_version": 4}
        assert networks.post("/v2.0/subnets", {"subnet": subnet}).status == 201
        # What is given back twice would not show where nothing is left to give back.
        update_hosts(self.cloud.cloud.compute)
        mover_in(self.cloud, self.image, self.network)

    def begun(self, workflow: Workflow[Any, Any]) -> Iterator[tuple[Mover, str]]:
        """Begin a workflow with a server for each of its steps; nobody has carried it on yet."""
        before, deed = DEEDS[workflow]
        for step in workflow.steps:
            update_hosts(self.cloud.cloud.compute)  # or they count as down after a minute
            one = mover_in(self.cloud, self.image, self.network)
            for earlier in before:
                earlier(one)
                self.cloud.work()
            deed(one)
            yield one, step.name
            up(one)
            delete(one)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("cloud"))
    yield bench
    bench.cloud.close()


def delete(one: Mover) -> None:
    """Delete a server, if it is not being deleted, and look whether anything is left of it."""
    if one.ann.get(f"/v2.1/servers/{one.id}").status == 200:
        assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204
    one.cloud.work()
    assert one.ann.get(f"/v2.1/servers/{one.id}").status == 404
    assert wrong(one.cloud) == []
    assert one.guests() == {}


def wrong(emulated: Emulated) -> list[str]:
    tidy_hosts(emulated.cloud.compute)
    tell(emulated.cloud.network)
    emulated.work()
    found = [one.what for one in emulated.db.read(symptoms, mend=False)]
    return found + disagreements(emulated.db, emulated.cloud.outside.nodes, emulated.driver)


def test_every_workflow_is_tried() -> None:
    elsewhere = {CREATE_SERVER, DELETE_SERVER, CHANGE_POWER, LEAVE_HOST}
    elsewhere |= {ATTACH_VOLUME, DETACH_VOLUME, SNAPSHOT_VOLUMES}  # where volumes are
    elsewhere |= {STEER_MOVE, CACHE_IMAGES}  # beside moves, and aggregates
    assert set(WORKFLOWS) == elsewhere | set(DEEDS)


@each
def test_a_server_can_be_deleted_wherever_a_worker_died(
    bench: Bench, workflow: Workflow[Any, Any]
) -> None:
    for one, step in bench.begun(workflow):
        testing.die_at(step, workflow, None, bench.cloud.db, one.tools)
        assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204


@each
def test_a_server_is_at_rest_wherever_a_workflow_failed(
    bench: Bench, workflow: Workflow[Any, Any]
) -> None:
    for one, step in bench.begun(workflow):
        testing.unwinds_from(step, workflow, None, bench.cloud.db, one.tools)
        bench.cloud.work()
        assert bench.cloud.db.read(unsettled) == [], step

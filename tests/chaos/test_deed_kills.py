"""Killed at every step of what is done with servers, a cloud ends it, one way or the other.

All moments are tried at once: a server for each stands still there, then everything is killed.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from cumulo.services.compute.workflows.attach_volume import ATTACH_VOLUME, DETACH_VOLUME
from cumulo.services.compute.workflows.change_power import CHANGE_POWER
from cumulo.services.compute.workflows.confirm_resize import CONFIRM_RESIZE
from cumulo.services.compute.workflows.offload_server import OFFLOAD_SERVER
from cumulo.services.compute.workflows.plug_interface import ATTACH_INTERFACE, DETACH_INTERFACE
from cumulo.services.compute.workflows.rebuild_server import REBUILD_SERVER
from cumulo.services.compute.workflows.rescue_server import RESCUE_SERVER, UNRESCUE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
from cumulo.services.compute.workflows.revert_resize import REVERT_RESIZE
from cumulo.services.compute.workflows.shelve_server import SHELVE_SERVER
from cumulo.services.compute.workflows.snapshot_server import SNAPSHOT_SERVER
from cumulo.services.compute.workflows.snapshot_volumes import SNAPSHOT_VOLUMES
from cumulo.services.compute.workflows.unshelve_server import UNSHELVE_SERVER
from cumulo.services.volume.workflows.move_attached import MOVE_ATTACHED
from cumulo.work import Workflow
from tests.chaos.inside import Speaker
from tests.chaos.machine import Look
from tests.chaos.test_kills import PATIENCE_S, Site, eventually, kill_all, nothing_left
from tests.chaos.test_kills import empty as empty
from tests.chaos.test_kills import site as site

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
Deed: TypeAlias = Callable[[Site, str], None]


def action(name: str, body: Any = None) -> Deed:
    def ask(site: Site, server_id: str) -> None:
        answer = site.speak("POST", "compute", f"/v2.1/servers/{server_id}/action", {name: body})
        assert answer.status in (200, 202, 204), (name, answer.text)

    return ask


def resize(site: Site, server_id: str) -> None:
    action("resize", {"flavorRef": larger(site.speak)})(site, server_id)


def rebuild(site: Site, server_id: str) -> None:
    action("rebuild", {"imageRef": site.image})(site, server_id)


def attach(site: Site, server_id: str) -> None:
    wanted = {"interfaceAttachment": {"net_id": site.network}}
    answer = site.speak("POST", "compute", f"/v2.1/servers/{server_id}/os-interface", wanted)
    assert answer.status == 200, answer.text


def attach_and_stop(site: Site, server_id: str) -> None:
    """Let there be two interfaces, and nobody in the guest who would have to let go of one."""
    attach(site, server_id)
    eventually(lambda: not site.speak.server(server_id)["OS-EXT-STS:task_state"], PATIENCE_S)
    action("os-stop")(site, server_id)


def detach(site: Site, server_id: str) -> None:
    place = f"/v2.1/servers/{server_id}/os-interface"
    found = site.speak("GET", "compute", place).json()["interfaceAttachments"]
    site.speak.delete("compute", f"{place}/{found[-1]['port_id']}")


def attach_volume(site: Site, server_id: str) -> None:
    """Let it have a new volume."""
    wanted: dict[str, Any] = {"volume": {"size": 1}}
    volume = f"{site.volumes}/{site.speak.make('volume', site.volumes, wanted)['id']}"
    await_volume(site, volume, "available")
    wanted = {"volumeAttachment": {"volumeId": volume.rpartition("/")[2]}}
    site.speak.make("compute", f"/v2.1/servers/{server_id}/os-volume_attachments", wanted)


def await_volume(site: Site, volume: str, status: str) -> None:
    def found() -> str:
        return str(site.speak("GET", "volume", volume).json()["volume"]["status"])

    eventually(lambda: found() == status, PATIENCE_S, tell=found)


def volume_of(site: Site, server_id: str) -> str:
    """Return the only volume of a server, once the server has it."""
    place = f"/v2.1/servers/{server_id}/os-volume_attachments"
    [one] = site.speak("GET", "compute", place).json()["volumeAttachments"]
    await_volume(site, f"{site.volumes}/{one['volumeId']}", "in-use")
    return str(one["volumeId"])


def attach_volume_and_stop(site: Site, server_id: str) -> None:
    """Let nobody be in the guest who would have to let go of the volume."""
    attach_volume(site, server_id)
    volume_of(site, server_id)
    action("os-stop")(site, server_id)


def detach_volume(site: Site, server_id: str) -> None:
    place = f"/v2.1/servers/{server_id}/os-volume_attachments"
    site.speak.delete("compute", f"{place}/{volume_of(site, server_id)}")


def move_volume(site: Site, server_id: str) -> None:
    volume = f"{site.volumes}/{volume_of(site, server_id)}"
    pools = site.speak("GET", "volume", f"{site.volumes[:-8]}/scheduler-stats/get_pools").json()
    here = site.speak("GET", "volume", volume).json()["volume"]["os-vol-host-attr:host"]
    [there] = [pool["name"] for pool in pools["pools"] if pool["name"] != here]
    wanted = {"os-migrate_volume": {"host": there, "lock_volume": False}}
    answer = site.speak("POST", "volume", f"{volume}/action", wanted)
    assert answer.status == 202, answer.text


SHELVE, RESCUE = action("shelve"), action("rescue")
# workflow -> what is done before and the status that has come then, and what starts it
DEEDS: dict[Workflow[Any, Any], tuple[Deed | None, str, Deed]] = {
    CHANGE_POWER: (None, "ACTIVE", action("os-stop")),
    RESIZE_SERVER: (None, "ACTIVE", resize),
    CONFIRM_RESIZE: (resize, "VERIFY_RESIZE", action("confirmResize")),
    REVERT_RESIZE: (resize, "VERIFY_RESIZE", action("revertResize")),
    REBUILD_SERVER: (None, "ACTIVE", rebuild),
    RESCUE_SERVER: (None, "ACTIVE", RESCUE),
    UNRESCUE_SERVER: (RESCUE, "RESCUE", action("unrescue")),
    SHELVE_SERVER: (None, "ACTIVE", SHELVE),
    OFFLOAD_SERVER: (None, "ACTIVE", SHELVE),
    UNSHELVE_SERVER: (SHELVE, "SHELVED_OFFLOADED", action("unshelve")),
    SNAPSHOT_SERVER: (None, "ACTIVE", action("createImage", {"name": "copy"})),
    ATTACH_INTERFACE: (None, "ACTIVE", attach),
    DETACH_INTERFACE: (attach_and_stop, "SHUTOFF", detach),
    ATTACH_VOLUME: (None, "ACTIVE", attach_volume),
    DETACH_VOLUME: (attach_volume_and_stop, "SHUTOFF", detach_volume),
    MOVE_ATTACHED: (attach_volume, "ACTIVE", move_volume),
    SNAPSHOT_VOLUMES: (None, "ACTIVE", action("createImage", {"name": "copy"})),
}
RESTS = {"ACTIVE", "SHUTOFF", "VERIFY_RESIZE", "RESCUE", "SHELVED", "SHELVED_OFFLOADED", "ERROR"}


def boot(site: Site, name: str, workflow: Workflow[Any, Any]) -> str:
    """Boot a server, from a volume where that is what the workflow is for."""
    if workflow is not SNAPSHOT_VOLUMES:
        return site.boot(name)
    disk = {"source_type": "image", "uuid": site.image, "destination_type": "volume"}
    disk |= {"boot_index": 0, "volume_size": 1, "delete_on_termination": True}
    return site.boot(name, imageRef="", block_device_mapping_v2=[disk])


def larger(speak: Speaker) -> str:
    """Return the flavor to become, made when it is first asked for."""
    if speak("GET", "compute", "/v2.1/flavors/larger").status == 404:
        flavor = {"name": "larger", "id": "larger", "ram": 72, "vcpus": 1, "disk": 1}
        speak.make("compute", "/v2.1/flavors", {"flavor": flavor})
    return "larger"


def moments() -> dict[str, Workflow[Any, Any]]:
    """Return where to die: behind each step, when it is done and nobody has noted it yet."""
    return {
        f"{workflow.name}:{step.name}:after": workflow
        for workflow in DEEDS
        for step in workflow.steps
    }


def test_everything_is_killed_at_every_step(site: Site, empty: Look) -> None:
    for path in (site.cloud.state / "control" / "parked").glob("*"):
        path.unlink()
    wanted = moments()
    ids = {name: boot(site, name, workflow) for name, workflow in wanted.items()}
    await_all(site, dict.fromkeys(wanted, "ACTIVE"))
    for name, workflow in wanted.items():
        before, _, _ = DEEDS[workflow]
        if before is not None:
            before(site, ids[name])
    await_all(site, {name: DEEDS[workflow][1] for name, workflow in wanted.items()})
    for name, workflow in wanted.items():
        DEEDS[workflow][2](site, ids[name])
    eventually(
        lambda: site.parked() >= wanted.keys(), PATIENCE_S, tell=lambda: missing(site, wanted)
    )

    kill_all(site.cloud)
    site.cloud.up()
    eventually(site.is_at_rest, PATIENCE_S, tell=site.servers)
    for server in site.servers().values():
        assert server["status"] in RESTS, server
        assert server["status"] != "ERROR" or server["fault"]["message"], server
    eventually(lambda: doctor(site) == [], PATIENCE_S, tell=lambda: doctor(site))
    for server in site.servers().values():
        site.delete(server["id"])
    eventually(lambda: not site.servers(), PATIENCE_S, tell=site.servers)
    for image in site.speak("GET", "image", "/v2/images?name=copy").json()["images"]:
        site.speak.delete("image", f"/v2/images/{image['id']}")
    for kind in (f"{site.volumes[:-7]}snapshots", site.volumes):
        delete_all(site, kind)
    site.speak.delete("compute", "/v2.1/flavors/larger")
    nothing_left(site, empty)
    assert doctor(site) == []


def delete_all(site: Site, kind: str) -> None:
    def found() -> list[dict[str, Any]]:
        (listed,) = site.speak("GET", "volume", f"{kind}/detail").json().values()
        return list(listed)

    for one in found():
        assert one["status"] in ("available", "deleting"), one
        site.speak.delete("volume", f"{kind}/{one['id']}")
    eventually(lambda: not found(), PATIENCE_S, tell=found)


def await_all(site: Site, statuses: dict[str, str]) -> None:
    def others() -> dict[str, str]:
        return {
            name: server["status"]
            for name, server in site.servers().items()
            if server["status"] != statuses[name] or server["OS-EXT-STS:task_state"]
        }

    eventually(lambda: not others(), PATIENCE_S, tell=others)


def missing(site: Site, wanted: dict[str, Workflow[Any, Any]]) -> set[str]:
    return wanted.keys() - site.parked()


def doctor(site: Site) -> list[str]:
    """Return what the doctor finds, who mends nothing and has settings of tests to complain of."""
    done = site.cloud.cumulo("doctor", "--dry-run")
    told = done.stdout.splitlines()
    assert told, done.stderr
    return [line for line in told if line not in ("Nothing is wrong.", "1 to look at.")]

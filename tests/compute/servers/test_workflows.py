"""Every step of every workflow done twice, cut short, and failed: nothing is stuck or left."""

from collections.abc import Callable
from typing import Any, TypeAlias, get_args

import pytest

from cumulo.services.compute.guests import adopt_power
from cumulo.services.compute.public import WORKFLOWS
from cumulo.services.compute.reconcile_guests import tidy_hosts
from cumulo.services.compute.store.servers import server_get
from cumulo.services.compute.workflows.attach_volume import ATTACH_VOLUME, DETACH_VOLUME
from cumulo.services.compute.workflows.cache_images import CACHE_IMAGES
from cumulo.services.compute.workflows.change_power import CHANGE_POWER, Verb
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
from cumulo.work import Workflow, testing
from tests.audit import disagreements
from tests.client import Client
from tests.cloud import Emulated

Ask: TypeAlias = Callable[..., str]

# verb -> what to do first, and how the verb is asked for
ACTIONS: dict[Verb, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "stop": ([], {"os-stop": None}),
    "start": ([{"os-stop": None}], {"os-start": None}),
    "pause": ([], {"pause": None}),
    "unpause": ([{"pause": None}], {"unpause": None}),
    "suspend": ([], {"suspend": None}),
    "resume": ([{"suspend": None}], {"resume": None}),
    "reboot": ([], {"reboot": {"type": "SOFT"}}),
    "reboot hard": ([{"os-stop": None}], {"reboot": {"type": "HARD"}}),
}
BEFORE = {"start": "SHUTOFF", "unpause": "PAUSED", "resume": "SUSPENDED", "reboot hard": "SHUTOFF"}
AFTER = {"stop": "SHUTOFF", "pause": "PAUSED", "suspend": "SUSPENDED"}
BACK = {"SHUTOFF": {"os-start": None}, "PAUSED": {"unpause": None}, "SUSPENDED": {"resume": None}}

# In test_moves.py, test_images_of_servers.py and test_interfaces.py.
TRIED_WHERE_THEY_ARE_TOLD_OF = {
    *(RESIZE_SERVER, CONFIRM_RESIZE, REVERT_RESIZE, MOVE_SERVER, LEAVE_HOST, EVACUATE_SERVER),
    *(SNAPSHOT_SERVER, SHELVE_SERVER, OFFLOAD_SERVER, UNSHELVE_SERVER, REBUILD_SERVER),
    *(RESCUE_SERVER, UNRESCUE_SERVER, ATTACH_INTERFACE, DETACH_INTERFACE),
    *(ATTACH_VOLUME, DETACH_VOLUME, SNAPSHOT_VOLUMES, STEER_MOVE, CACHE_IMAGES),
}

verbs = pytest.mark.parametrize("verb", ACTIONS)
pytestmark = pytest.mark.timeout(120)


def moments(workflow: Workflow[Any, Any]) -> list[tuple[str, bool]]:
    """Return each step twice: the moment before it and the one after."""
    return [(step.name, before) for step in workflow.steps for before in (True, False)]


@pytest.fixture
def ask(emulated: Emulated, ann: Client, image: str, network: str) -> Ask:
    """Asks for a server with all there is to have, and does not wait for it."""
    group = {"name": "g", "policies": ["affinity"]}
    made = ann.post("/v2.1/os-server-groups", {"server_group": group}).json()["server_group"]

    def ask_one() -> str:
        spec: dict[str, Any] = {"name": "web", "flavorRef": "1", "imageRef": image}
        spec |= {"networks": [{"uuid": network}], "config_drive": True, "metadata": {"role": "web"}}
        hints = {"group": made["id"]}
        answer = ann.post("/v2.1/servers", {"server": spec, "os:scheduler_hints": hints})
        assert answer.status == 202, answer.text
        return str(answer.json()["server"]["id"])

    return ask_one


@pytest.fixture
def boot(emulated: Emulated, ask: Ask) -> Ask:
    """Makes a server that runs."""

    def boot_one() -> str:
        server_id = ask()
        emulated.work()
        return server_id

    return boot_one


def status(ann: Client, server_id: str) -> str:
    answer = ann.get(f"/v2.1/servers/{server_id}")
    return str(answer.json()["server"]["status"]) if answer.status == 200 else "gone"


def wrong(emulated: Emulated) -> list[str]:
    """Let the reconcilers run, then compare everything with everything."""
    tidy_hosts(emulated.cloud.compute)
    tell(emulated.cloud.network)
    return disagreements(emulated.db, emulated.cloud.outside.nodes, emulated.driver)


def delete(emulated: Emulated, ann: Client, server_id: str) -> None:
    """Delete a server to its end, and look whether anything is left of it."""
    assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
    emulated.work()
    assert status(ann, server_id) == "gone"
    assert emulated.nodes["node1"].guests() == {}
    assert wrong(emulated) == []


def asked_for(emulated: Emulated, ann: Client, server_id: str, verb: Verb) -> None:
    """Bring a server to where the verb is allowed, and ask for it."""
    first, action = ACTIONS[verb]
    back = [BACK[found]] if (found := status(ann, server_id)) in BACK else []
    for each in [*back, *first]:
        assert ann.post(f"/v2.1/servers/{server_id}/action", each).status == 202
        emulated.work()
    assert ann.post(f"/v2.1/servers/{server_id}/action", action).status == 202


def test_every_workflow_is_tried_here() -> None:
    here = {CREATE_SERVER, DELETE_SERVER, CHANGE_POWER}
    assert set(WORKFLOWS) == here | TRIED_WHERE_THEY_ARE_TOLD_OF
    in_test_soft_deletion = {"softDelete", "restore"}
    assert set(ACTIONS) == set(get_args(Verb)) - in_test_soft_deletion


def test_every_step_of_creation_and_deletion_may_repeat(
    emulated: Emulated, ann: Client, ask: Ask
) -> None:
    server_id, tools = ask(), emulated.cloud.compute
    testing.steps_may_repeat(CREATE_SERVER, None, emulated.db, tools)
    assert status(ann, server_id) == "ACTIVE"
    assert wrong(emulated) == []
    assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
    testing.steps_may_repeat(DELETE_SERVER, None, emulated.db, tools)
    assert status(ann, server_id) == "gone"
    assert wrong(emulated) == []


def test_creation_is_carried_on_by_another_worker(
    emulated: Emulated, ann: Client, ask: Ask
) -> None:
    for step, before in moments(CREATE_SERVER):
        server_id, tools = ask(), emulated.cloud.compute
        testing.crash_at(step, CREATE_SERVER, None, emulated.db, tools, before=before)
        assert (status(ann, server_id), wrong(emulated)) == ("ACTIVE", []), (step, before)
        delete(emulated, ann, server_id)


def test_creation_that_fails_ends_in_error_and_holds_nothing(
    emulated: Emulated, ann: Client, ask: Ask
) -> None:
    for step, before in moments(CREATE_SERVER):
        server_id, tools = ask(), emulated.cloud.compute
        testing.unwinds_from(step, CREATE_SERVER, None, emulated.db, tools, before=before)
        assert emulated.nodes["node1"].guests() == {}, (step, before)
        assert (status(ann, server_id), wrong(emulated)) == ("ERROR", []), (step, before)
        fault = ann.get(f"/v2.1/servers/{server_id}").json()["server"]["fault"]
        assert fault["message"] == step
        delete(emulated, ann, server_id)


def test_a_server_whose_creation_was_cut_short_can_be_deleted(
    emulated: Emulated, ann: Client, ask: Ask
) -> None:
    for step, before in moments(CREATE_SERVER):
        server_id, tools = ask(), emulated.cloud.compute
        testing.die_at(step, CREATE_SERVER, None, emulated.db, tools, before=before)
        delete(emulated, ann, server_id)


def test_deletion_during_creation_never_looks_like_a_failure(
    emulated: Emulated, ann: Client, ask: Ask
) -> None:
    for name in [step.name for step in CREATE_SERVER.steps]:
        server_id = ask()
        seen: list[str] = []

        def note(server_id: str = server_id, seen: list[str] = seen) -> None:
            seen.append(status(ann, server_id))

        def cancel(server_id: str = server_id) -> None:
            assert ann.delete(f"/v2.1/servers/{server_id}").status == 204

        testing.interrupt(name, CREATE_SERVER, emulated.db, emulated.cloud.compute, cancel, note)
        assert set(seen) == {"BUILD"}, name
        emulated.work()
        assert (status(ann, server_id), wrong(emulated)) == ("gone", []), name


def test_deletion_is_carried_on_by_another_worker(
    emulated: Emulated, ann: Client, boot: Ask
) -> None:
    for step, before in moments(DELETE_SERVER):
        server_id, tools = boot(), emulated.cloud.compute
        assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
        testing.crash_at(step, DELETE_SERVER, None, emulated.db, tools, before=before)
        assert (status(ann, server_id), wrong(emulated)) == ("gone", []), (step, before)


def test_deletion_that_fails_says_so_and_may_be_asked_for_again(
    emulated: Emulated, ann: Client, boot: Ask
) -> None:
    *earlier, last = moments(DELETE_SERVER)
    for step, before in earlier:
        server_id, tools = boot(), emulated.cloud.compute
        assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
        testing.unwinds_from(step, DELETE_SERVER, None, emulated.db, tools, before=before)
        shown = ann.get(f"/v2.1/servers/{server_id}").json()["server"]
        assert (shown["status"], shown["fault"]["message"]) == ("ERROR", step)
        assert shown["OS-EXT-STS:task_state"] is None
        delete(emulated, ann, server_id)
    server_id, tools = boot(), emulated.cloud.compute
    assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
    testing.unwinds_from(last[0], DELETE_SERVER, None, emulated.db, tools, before=last[1])
    assert (status(ann, server_id), wrong(emulated)) == ("gone", [])


@verbs
def test_a_power_change_cut_short_or_failed_leaves_a_server_that_is_what_it_is_called(
    emulated: Emulated, ann: Client, boot: Ask, verb: Verb
) -> None:
    server_id, tools, end = boot(), emulated.cloud.compute, AFTER.get(verb, "ACTIVE")
    asked_for(emulated, ann, server_id, verb)
    testing.steps_may_repeat(CHANGE_POWER, None, emulated.db, tools)
    assert (status(ann, server_id), wrong(emulated)) == (end, [])
    for step, before in moments(CHANGE_POWER):
        asked_for(emulated, ann, server_id, verb)
        testing.crash_at(step, CHANGE_POWER, None, emulated.db, tools, before=before)
        assert (status(ann, server_id), wrong(emulated)) == (end, []), (step, before)
    for step, before in moments(CHANGE_POWER):
        asked_for(emulated, ann, server_id, verb)
        testing.unwinds_from(step, CHANGE_POWER, None, emulated.db, tools, before=before)
        assert wrong(emulated) == [], (step, before)
        assert status(ann, server_id) in (BEFORE.get(verb, "ACTIVE"), end)
        told = ann.get(f"/v2.1/servers/{server_id}/os-instance-actions").json()["instanceActions"]
        assert told[0]["message"] == "Error"


def test_nobody_waits_for_ever_for_a_host_that_is_down(
    emulated: Emulated, ann: Client, root: Client, ask: Ask, boot: Ask
) -> None:
    node, running = emulated.nodes["node1"], boot()
    assert ann.post(f"/v2.1/servers/{running}/action", {"os-stop": None}).status == 202
    coming = ask()
    node.script.fail("*", times=None, moment="after")
    emulated.work()
    assert (status(ann, running), status(ann, coming)) == ("ACTIVE", "BUILD")
    down = {"host": "node1", "binary": "nova-compute", "forced_down": True}
    answer = root.at("compute 2.11").put("/v2.1/os-services/force-down", down)
    assert answer.status == 200, answer.text
    emulated.db.write(testing.end_leases)
    emulated.work()
    assert (status(ann, running), status(ann, coming)) == ("ACTIVE", "ERROR")
    fault = ann.get(f"/v2.1/servers/{coming}").json()["server"]["fault"]["message"]
    assert "node1 is down" in fault
    for server_id in (running, coming):
        assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
    emulated.work()
    assert [status(ann, one) for one in (running, coming)] == ["gone", "gone"]
    node.script.clear()
    assert wrong(emulated) == []


def test_a_delete_succeeds_in_the_end_whatever_the_host_says(
    emulated: Emulated, ann: Client, boot: Ask
) -> None:
    server_id = boot()
    emulated.nodes["node1"].script.fail("remove_guest", times=3, error="host_error")
    assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
    for _ in range(3):
        emulated.work()
        assert status(ann, server_id) == "ACTIVE"
        emulated.db.write(testing.end_leases)
    emulated.work()
    assert (status(ann, server_id), wrong(emulated)) == ("gone", [])


def test_a_server_whose_host_lost_its_guest_is_in_error_until_it_is_made_again(
    emulated: Emulated, ann: Client, boot: Ask
) -> None:
    server_id = boot()
    emulated.nodes["node1"].remove_guest(server_id)
    assert wrong(emulated) == []
    shown = ann.get(f"/v2.1/servers/{server_id}").json()["server"]
    assert (shown["status"], "no longer" in shown["fault"]["message"]) == ("ERROR", True)
    again = {"reboot": {"type": "HARD"}}
    assert ann.post(f"/v2.1/servers/{server_id}/action", again).status == 202
    emulated.work()
    assert (status(ann, server_id), wrong(emulated)) == ("ACTIVE", [])


def test_what_was_seen_of_a_guest_before_its_server_changed_counts_for_nothing(
    emulated: Emulated, ann: Client, boot: Ask
) -> None:
    server_id = boot()
    changed_at = emulated.db.read(server_get, server_id).updated_at
    assert emulated.db.write(adopt_power, server_id, "stopped", changed_at) is None
    assert status(ann, server_id) == "ACTIVE"

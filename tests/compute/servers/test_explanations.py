"""Why a server is where it is, or nowhere; and where one would go."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Tx
from cumulo.kit.clock import CLOCK, now
from cumulo.kit.errors import Conflict
from cumulo.services.compute.reconcile import forget_decisions
from cumulo.services.placement import allocations
from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot

PREVIEW = "/v2.1/explain/scheduling"


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Emulated]:
    """A cloud of three small hosts."""
    cloud = Emulated(tmp_path, hosts=3, memory_mib=2048 + 512, vcpus=2)
    yield cloud
    cloud.close()


def explained(root: Client, server_id: str) -> dict[str, Any]:
    found: dict[str, Any] = root.get(f"/v2.1/explain/servers/{server_id}").json()["explanation"]
    return found


def disable(root: Client, host: str) -> None:
    body = {"host": host, "binary": "nova-compute", "disabled_reason": "new fan"}
    assert root.put("/v2.1/os-services/disable-log-reason", body).status == 200


def test_a_choice_is_kept_with_every_host(root: Client, boot: Boot) -> None:
    disable(root, "node2")
    server = boot()
    told = explained(root, server["id"])
    decision = told["decisions"][0]
    assert (told["state"], decision["host"], decision["would_fit"]) == ("active", told["host"], [])
    assert decision["requested"] == {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
    first, second, last = decision["hosts"]
    assert first["host"] == told["host"]
    assert first["fits"]
    assert second["fits"]
    assert first["free"]["MEMORY_MB"] == 2048
    assert last["reasons"] == [
        {
            "filter": "ComputeFilter",
            "reason": "disabled (new fan)",
            "remedy": "enable its service",
        }
    ]


def test_a_refusal_tells_of_every_filter_and_of_what_would_help(
    root: Client, ann: Client, emulated: Emulated, boot: Boot
) -> None:
    disable(root, "node3")
    server = boot(flavorRef="3")  # of 4 GiB
    told = explained(root, server["id"])
    assert (told["state"], told["host"]) == ("error", None)
    decision = told["decisions"][0]
    assert decision["host"] is None
    reasons = {
        one["host"]: [each["filter"] for each in one["reasons"]] for one in decision["hosts"]
    }
    assert reasons == {
        "node1": ["Placement"],
        "node2": ["Placement"],
        "node3": ["ComputeFilter", "Placement"],
    }
    assert "MEMORY_MB: requested 4096, free 2048" in decision["hosts"][0]["reasons"][0]["reason"]
    assert decision["would_fit"][0] == (
        "node1: free 2048 MEMORY_MB there, or ask for a flavor of at most 2048 MEMORY_MB"
    )
    assert decision["would_fit"][2].startswith("node3: enable its service; free")
    fault = ann.get(f"/v2.1/servers/{server['id']}").json()["server"]["fault"]["message"]
    assert fault.startswith("No valid host was found. node1: Placement: MEMORY_MB: requested 4096")
    own = emulated.client("compute", "ann:p1:member")
    assert own.get(f"/v2.1/explain/servers/{server['id']}").status == 403


def test_room_that_others_took_under_way_is_not_held_in_part(
    root: Client, emulated: Emulated, boot: Boot, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = allocations._take, list[str]()

    def beaten(tx: Tx, provider_id: str, resource_class: str, change: Any) -> None:
        taken.append(provider_id)
        if len(taken) == 2:
            raise Conflict("others were quicker")
        take(tx, provider_id, resource_class, change)

    monkeypatch.setattr(allocations, "_take", beaten)
    told = explained(root, boot()["id"])
    lost, *others = (one for one in told["decisions"][0]["hosts"] if one["host"] != told["host"])
    assert (told["state"], len(others)) == ("active", 1)
    assert "others were quicker" in lost["reasons"][0]["reason"] + str(others)
    place = emulated.client("placement", "root:p0:admin")
    used = place.get(f"/resource_providers/{taken[0]}/usages").json()["usages"]
    assert set(used.values()) == {0}


@pytest.mark.parametrize("action", ["resize", "migrate", "os-migrateLive", "unshelve"])
def test_a_move_that_no_host_took_is_explained(
    root: Client, ann: Client, emulated: Emulated, boot: Boot, action: str
) -> None:
    server_id = boot()["id"]
    if action == "unshelve":
        assert ann.post(f"/v2.1/servers/{server_id}/action", {"shelve": None}).status == 202
        emulated.work()
    for host in ("node1", "node2", "node3"):
        disable(root, host)
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}.get(action)
    body = {"flavorRef": "2"} if action == "resize" else body
    asked = root.at("compute 2.25").post(f"/v2.1/servers/{server_id}/action", {action: body})
    assert asked.status == 202, asked.text
    emulated.work()
    first, *earlier = explained(root, server_id)["decisions"]
    assert (first["host"], len(earlier)) == (None, 1)
    filters = {each["filter"] for one in first["hosts"] for each in one["reasons"]}
    assert "ComputeFilter" in filters
    assert first["would_fit"]


def test_decisions_are_forgotten_in_the_end(root: Client, emulated: Emulated, boot: Boot) -> None:
    server = boot()
    forget_decisions(emulated.cloud.compute)
    assert len(explained(root, server["id"])["decisions"]) == 1
    with CLOCK.held(now() + timedelta(days=31)):
        forget_decisions(emulated.cloud.compute)
    assert explained(root, server["id"])["decisions"] == []


def test_a_preview_says_where_one_would_go_and_takes_nothing(
    root: Client, image: str, emulated: Emulated, boot: Boot
) -> None:
    def preview(**wish: Any) -> dict[str, Any]:
        body = {"server": {"flavorRef": "1", "imageRef": image, **wish}}
        found: dict[str, Any] = root.post(PREVIEW, body).json()["preview"]
        return found

    empty = preview()
    assert (empty["host"], empty["room_for"]) == ("node1", 12)
    there = boot()
    apart = preview(scheduler_hints={"different_host": there["id"]})
    beside = preview(scheduler_hints={"same_host": [there["id"]]})
    assert apart["host"] != beside["host"]
    assert preview()["room_for"] == 11
    assert preview(host="node3")["host"] == "node3"
    elsewhere = preview(availability_zone="mars")
    assert (elsewhere["host"], elsewhere["room_for"]) == (None, 0)
    assert elsewhere["would_fit"][0] == "node1: ask for zone nova, or for none"
    large = preview(flavorRef="3")
    assert large["hosts"][0]["reasons"][0]["filter"] == "Placement"
    assert all(len(node.guests()) <= 1 for node in emulated.nodes.values())


def test_a_preview_is_refused_where_it_makes_no_sense(root: Client, ann: Client) -> None:
    assert root.post(PREVIEW, {"server": {"flavorRef": "nothing"}}).status == 400
    assert root.post(PREVIEW, {"server": {"flavorRef": "1", "count": 3}}).status == 400
    wrong = {"flavorRef": "1", "scheduler_hints": {"group": "nothing"}}
    assert root.post(PREVIEW, {"server": wrong}).status == 404
    assert ann.post(PREVIEW, {"server": {"flavorRef": "1"}}).status == 403

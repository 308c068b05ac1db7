"""What attackers try with volumes; each test fails when its defence is taken out."""

import threading
from typing import Any

from cumulo.kit.ids import new_id
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.drivers.fake import FakeDriver
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

V = "/v3/volumes"


def test_creates_at_once_do_not_pass_the_quota(ann: Client, root: Client) -> None:
    """OSSA-2015-020: each counted before any other was written."""
    root.put("/v3/os-quota-sets/p1", {"quota_set": {"volumes": 3, "gigabytes": 100}})
    statuses: list[int] = []

    def create() -> None:
        statuses.append(ann.post(V, {"volume": {"size": 1}}).status)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202] * 3 + [413] * 5
    assert len(ann.get(V).json()["volumes"]) == 3


def test_what_is_counted_is_given_back_once(
    emulated: Emulated, made: Made, ann: Client, root: Client
) -> None:
    volume_id = made.volume(size=4)
    statuses = [ann.delete(f"{V}/{volume_id}").status for _ in range(3)]
    assert statuses == [202, 400, 400]
    root.post(f"{V}/{volume_id}/action", {"os-force_delete": {}})
    emulated.work()
    used = ann.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
    assert used["gigabytes"]["in_use"] == used["volumes"]["in_use"] == 0


def test_the_next_owner_of_the_room_reads_nothing(
    emulated: Emulated, made: Made, ann: Client, driver: FakeDriver
) -> None:
    """OSSA-2012-020, 2013-021: blocks that were not zeroed."""
    first = made.volume()
    driver.overwrite(first, [(0, b"their secret")])
    ann.delete(f"{V}/{first}")
    emulated.work()
    second = made.volume()
    assert not any(b"".join(driver.read(Source(volume_id=second), 0, 1 << 20)))


def test_a_failed_delete_blocks_nothing(
    emulated: Emulated, made: Made, ann: Client, driver: FakeDriver
) -> None:
    """OSSA-2015-013, 2016-011: what is half deleted is deleted by the next request."""
    from cumulo.services.volume.drivers.base import BackendError

    volume_id = made.volume(name="report")
    driver.fails["delete"] = BackendError("not now")
    ann.delete(f"{V}/{volume_id}")
    emulated.work()
    made.volume(name="report")
    del driver.fails["delete"]
    root = ann.as_("root:p0:admin")
    assert root.post(f"{V}/{volume_id}/action", {"os-force_delete": {}}).status == 202
    emulated.work()
    assert len(driver.present()) == 1


def test_identities_come_from_tokens_only(made: Made, ann: Client, ben: Client) -> None:
    """OSSA-2026-001 and CVE-2026-42999: neither headers nor bodies say who asks."""
    volume_id = made.volume()
    forged = {"X-Project-Id": "p1", "X-Roles": "admin", "X-User-Id": "ann"}
    assert ben.get(f"{V}/{volume_id}", headers=forged).status == 404
    assert ben.get(f"{V}/{volume_id}?project_id=p1&all_tenants=1").status == 404
    listed = ben.get(f"{V}/detail?project_id=p1&all_tenants=1").json()["volumes"]
    assert listed == []
    spec: dict[str, Any] = {"size": 1, "project_id": "p1"}
    assert ben.at("volume 3.0").post(V, {"volume": spec}).status == 202
    assert len(ann.get(V).json()["volumes"]) == 1


def test_another_projects_ids_lead_nowhere(made: Made, ann: Client, ben: Client) -> None:
    volume_id = made.volume()
    snapshot_id = made.snapshot(volume_id)
    backup = ann.post("/v3/backups", {"backup": {"volume_id": volume_id}}).json()["backup"]["id"]
    offer = made.volume()
    transfer = ann.post("/v3/volume-transfers", {"transfer": {"volume_id": offer}})
    transfer_id = transfer.json()["transfer"]["id"]
    answers = [
        ben.post(V, {"volume": {"snapshot_id": snapshot_id}}),
        ben.post(V, {"volume": {"backup_id": backup}}),
        ben.post("/v3/backups", {"backup": {"volume_id": volume_id}}),
        ben.post(f"/v3/backups/{backup}/restore", {"restore": {}}),
        ben.get(f"/v3/volume-transfers/{transfer_id}"),
        ben.delete(f"/v3/volume-transfers/{transfer_id}"),
        ben.post("/v3/volume-transfers", {"transfer": {"volume_id": volume_id}}),
        ben.delete(f"/v3/snapshots/{snapshot_id}"),
        ben.post(f"{V}/{volume_id}/action", {"os-retype": {"new_type": "__DEFAULT__"}}),
        ben.post(f"{V}/{volume_id}/action", {"os-volume_upload_image": {"image_name": "x"}}),
    ]
    assert [one.status for one in answers] == [404] * len(answers)


def test_a_transfer_needs_its_key(made: Made, ann: Client, ben: Client) -> None:
    volume_id = made.volume()
    offer = ann.post("/v3/volume-transfers", {"transfer": {"volume_id": volume_id}}).json()
    where = f"/v3/volume-transfers/{offer['transfer']['id']}"
    assert "auth_key" not in ann.get(where).json()["transfer"]
    for key in (new_id(), "", offer["transfer"]["auth_key"][:-1]):
        refused = ben.post(f"{where}/accept", {"accept": {"auth_key": key}})
        assert refused.status == 400
    right = {"accept": {"auth_key": offer["transfer"]["auth_key"]}}
    assert ben.post(f"{where}/accept", right).status == 202
    assert ben.post(f"{where}/accept", right).status == 404
    assert ann.get(f"{V}/{volume_id}").status == 404
    assert ben.get(f"{V}/{volume_id}").json()["volume"]["status"] == "available"
    used = {
        who.token.split(":")[1]: who.get(f"/v3/os-quota-sets/{who.token.split(':')[1]}?usage=True")
        for who in (ann, ben)
        if who.token
    }
    counted = {p: a.json()["quota_set"]["volumes"]["in_use"] for p, a in used.items()}
    assert counted == {"p1": 0, "p2": 1}

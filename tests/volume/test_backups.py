"""Backups over HTTP: full, incremental, restored, carried to another cloud."""

from typing import Any

import pytest

from cumulo.kit import clock
from cumulo.services.volume.drivers.base import BackendError, Source
from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.workflows.create_backup import CREATE_BACKUP
from cumulo.work import testing
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

B, V = "/v3/backups", "/v3/volumes"
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _in_a_hurry(driver: FakeDriver) -> None:
    driver.reads_gib = 0.05


def made_backup(emulated: Emulated, client: Client, volume_id: str, **more: Any) -> str:
    answer = client.post(B, {"backup": {"volume_id": volume_id, **more}})
    assert answer.status == 202, answer.text
    emulated.work()
    return str(answer.json()["backup"]["id"])


def shown(client: Client, backup_id: str) -> Any:
    return client.get(f"{B}/{backup_id}").json()["backup"]


def read(driver: FakeDriver, volume_id: str, offset: int, length: int) -> bytes:
    return b"".join(driver.read(Source(volume_id=volume_id), offset, length))


def test_full_incremental_and_back(
    emulated: Emulated, made: Made, ann: Client, ben: Client, driver: FakeDriver
) -> None:
    volume_id = made.volume(metadata={"of": "ann"})
    refused = ann.post(B, {"backup": {"volume_id": volume_id, "incremental": True}})
    assert refused.status == 400
    driver.overwrite(volume_id, [(0, b"one"), (9 * MIB, b"two")])
    full = made_backup(emulated, ann, volume_id, name="full", metadata={"a": "b"})
    found = shown(ann, full)
    assert (found["status"], found["object_count"], found["is_incremental"]) == (
        "available",
        2,
        False,
    )
    assert found["metadata"] == {"a": "b"}
    assert ben.get(f"{B}/{full}").status == 404
    driver.overwrite(volume_id, [(9 * MIB, b"TWO"), (20 * MIB, b"three")])
    second = made_backup(emulated, ann, volume_id, incremental=True)
    assert shown(ann, second)["object_count"] == 2  # what did not change is kept once
    assert shown(ann, full)["has_dependent_backups"] is True
    assert ann.delete(f"{B}/{full}").status == 400
    driver.overwrite(volume_id, [(0, b"lost"), (30 * MIB, b"also lost")])
    assert ann.post(f"{B}/{second}/restore", {"restore": {"volume_id": volume_id}}).status == 202
    assert ann.get(f"{V}/{volume_id}").json()["volume"]["status"] == "restoring-backup"
    emulated.work()
    assert read(driver, volume_id, 0, 4) == b"one\0"
    assert read(driver, volume_id, 9 * MIB, 3) == b"TWO"
    assert read(driver, volume_id, 20 * MIB, 5) == b"three"
    assert not any(read(driver, volume_id, 30 * MIB, 9))
    restored = ann.post(f"{B}/{full}/restore", {"restore": {"name": "again"}}).json()["restore"]
    assert restored["volume_name"] == "again"
    emulated.work()
    assert ann.get(f"{V}/{restored['volume_id']}/metadata").json()["metadata"] == {"of": "ann"}
    assert read(driver, restored["volume_id"], 9 * MIB, 3) == b"two"
    for backup_id in (second, full):
        assert ann.delete(f"{B}/{backup_id}").status == 202
        emulated.work()
        assert ann.get(f"{B}/{backup_id}").status == 404
    assert emulated.cloud.volume.backups.present() == []
    used = ann.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
    assert used["backups"]["in_use"] == used["backup_gigabytes"]["in_use"] == 0


def test_of_a_snapshot_and_of_a_volume_in_use(
    emulated: Emulated, made: Made, ann: Client, driver: FakeDriver
) -> None:
    volume_id = made.volume()
    driver.overwrite(volume_id, [(0, b"then")])
    snapshot_id = made.snapshot(volume_id)
    driver.overwrite(volume_id, [(0, b"now.")])
    backup_id = made_backup(emulated, ann, volume_id, snapshot_id=snapshot_id)
    assert ann.get(f"/v3/snapshots/{snapshot_id}").json()["snapshot"]["status"] == "available"
    volume = ann.post(V, {"volume": {"backup_id": backup_id}}).json()["volume"]
    emulated.work()
    assert read(driver, volume["id"], 0, 4) == b"then"
    attach = {"os-attach": {"mountpoint": "/dev/vdc", "host_name": "elsewhere"}}
    ann.post(f"{V}/{volume_id}/action", attach)
    assert ann.post(B, {"backup": {"volume_id": volume_id}}).status == 400
    forced = ann.post(B, {"backup": {"volume_id": volume_id, "force": True}}).json()["backup"]
    testing.steps_may_repeat(CREATE_BACKUP, None, emulated.db, emulated.cloud.volume)
    assert shown(ann, forced["id"])["status"] == "available"
    assert {one.snapshot_id for one in driver.present()} == {None, snapshot_id}
    assert ann.get(f"{V}/{volume_id}").json()["volume"]["status"] == "in-use"


def test_a_damaged_backup_is_not_taken_for_a_good_one(
    emulated: Emulated, made: Made, ann: Client, driver: FakeDriver
) -> None:
    volume_id = made.volume()
    driver.overwrite(volume_id, [(0, b"good")])
    backup_id = made_backup(emulated, ann, volume_id)
    emulated.cloud.volume.backups.put(backup_id, "0", b"not what it was")
    into = {"restore": {"volume_id": volume_id}}
    assert ann.post(f"{B}/{backup_id}/restore", into).status == 202
    emulated.work()
    assert ann.get(f"{V}/{volume_id}").json()["volume"]["status"] == "error_restoring"
    assert shown(ann, backup_id)["status"] == "available"


def test_records_carry_backups_to_another_cloud(
    emulated: Emulated, made: Made, ann: Client, root: Client
) -> None:
    backup_id = made_backup(emulated, ann, made.volume())
    assert ann.get(f"{B}/{backup_id}/export_record").status == 403
    told = root.get(f"{B}/{backup_id}/export_record").json()
    assert root.post(f"{B}/import_record", told).status == 400  # it is here
    for wrong in ("not base64!", "bm90IGpzb24="):
        record = {"backup-record": {**told["backup-record"], "backup_url": wrong}}
        assert root.post(f"{B}/import_record", record).status == 400
    record = {"backup-record": {**told["backup-record"], "backup_service": "http://169.254.1.1"}}
    assert root.post(f"{B}/import_record", record).status == 400


def test_a_store_that_fails_says_why_and_what_is_half_is_removed(
    emulated: Emulated, made: Made, ann: Client, driver: FakeDriver
) -> None:
    volume_id = made.volume()
    driver.fails["read"] = BackendError("unreadable")
    backup_id = made_backup(emulated, ann, volume_id)
    found = shown(ann, backup_id)
    assert (found["status"], found["fail_reason"]) == ("error", "unreadable")
    assert ann.get(f"{V}/{volume_id}").json()["volume"]["status"] == "available"
    store = emulated.cloud.volume.backups
    store.put("00000000-0000-4000-8000-000000000001", "0", b"half")
    with clock.CLOCK.held() as held:
        held.move(2000)
        emulated.tick()
    assert store.present() == []


def test_a_backup_of_a_volume_that_goes_meanwhile_is_in_error(
    emulated: Emulated, made: Made, ann: Client, root: Client
) -> None:
    volume_id = made.volume()
    begun = ann.post(B, {"backup": {"volume_id": volume_id}}).json()["backup"]["id"]
    root.post(f"{V}/{volume_id}/action", {"os-force_delete": {}})
    emulated.work()
    assert ann.get(f"{V}/{volume_id}").status == 404
    assert shown(ann, begun)["status"] == "error"
    assert ann.delete(f"{B}/{begun}").status == 202
    emulated.work()
    assert ann.get(f"{B}/{begun}").status == 404


def test_a_backup_is_who_made_its(
    emulated: Emulated, made: Made, ann: Client, root: Client
) -> None:
    """Each project builds on its own: an administrator's copy is not the owner's."""
    volume_id = made.volume()
    other = root.as_("root:p9:admin")
    admins = made_backup(emulated, other, volume_id)
    refused = ann.post(B, {"backup": {"volume_id": volume_id, "incremental": True}})
    assert refused.status == 400
    assert ann.get(f"{B}/{admins}").status == 404
    anns = made_backup(emulated, ann, volume_id)
    made_backup(emulated, other, volume_id, incremental=True)
    assert shown(ann, anns)["has_dependent_backups"] is False
    assert shown(other, admins)["has_dependent_backups"] is True
    used = root.get("/v3/os-quota-sets/p9?usage=True").json()["quota_set"]
    assert used["backups"]["in_use"] == 2


def test_what_can_be_booted_from_stays_so(emulated: Emulated, made: Made, ann: Client) -> None:
    volume_id = made.volume()
    action = f"{V}/{volume_id}/action"
    ann.post(action, {"os-set_bootable": {"bootable": True}})
    ann.post(action, {"os-set_image_metadata": {"metadata": {"os_distro": "cirros"}}})
    backup = made_backup(emulated, ann, volume_id)
    told = ann.post(f"{B}/{backup}/restore", {"restore": {}}).json()["restore"]
    emulated.work()
    restored = ann.get(f"{V}/{told['volume_id']}").json()["volume"]
    assert (restored["bootable"], restored["status"]) == ("true", "available")
    assert restored["volume_image_metadata"] == {"os_distro": "cirros"}

"""Encrypted volumes: their types, their keys, and who may have what of them."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from cumulo.kit import clock
from cumulo.services.volume import keys
from cumulo.services.volume.reconcile import forget_keys
from cumulo.services.volume.secrets import secrets_of
from cumulo.services.volume.store import keys as key_store
from cumulo.services.volume.store import tables
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

LUKS = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256}
V = "/v3/volumes"


@pytest.fixture
def sealed(root: Client) -> str:
    """A type whose volumes are encrypted."""
    kind = root.post("/v3/types", {"volume_type": {"name": "sealed"}}).json()["volume_type"]["id"]
    wanted = {"encryption": {**LUKS, "control_location": "front-end"}}
    assert root.post(f"/v3/types/{kind}/encryption", wanted).status == 200
    return str(kind)


def key_ids(emulated: Emulated) -> set[str]:
    return emulated.db.read(lambda tx: set(tx.scalars(sa.select(tables.key.c.id))))


def shown(ann: Client, volume_id: str) -> Any:
    return ann.get(f"{V}/{volume_id}").json()["volume"]


def test_types_say_how_their_volumes_are_encrypted(root: Client, ann: Client, made: Made) -> None:
    kind = root.post("/v3/types", {"volume_type": {"name": "t"}}).json()["volume_type"]["id"]
    path = f"/v3/types/{kind}/encryption"
    assert root.get(path).json() == {}
    assert ann.get(path).status == 403
    created = root.post(path, {"encryption": LUKS})
    told = created.json()["encryption"]
    assert told == {**LUKS, "volume_type_id": kind, "control_location": "front-end"} | {
        "encryption_id": told["encryption_id"]
    }
    assert root.post(path, {"encryption": LUKS}).status == 409
    assert root.get(f"{path}/cipher").json() == {"cipher": "aes-xts-plain64"}
    assert root.get(f"{path}/nothing").status == 404
    one = f"{path}/{told['encryption_id']}"
    changed = root.put(one, {"encryption": {"key_size": 128}})
    assert changed.json() == {"encryption": {"key_size": 128}}
    assert root.get(path).json()["key_size"] == 128
    made.volume(volume_type="t")
    for answer in (
        root.put(one, {"encryption": {"key_size": 256}}),
        root.delete(one),
    ):
        assert answer.status == 400
        assert "in use" in answer.text


def test_an_encryption_need_not_be_named_by_its_id(root: Client) -> None:
    kind = root.post("/v3/types", {"volume_type": {"name": "t"}}).json()["volume_type"]["id"]
    path = f"/v3/types/{kind}/encryption"
    root.post(path, {"encryption": LUKS})
    assert root.put(f"{path}/provider", {"encryption": {"key_size": 128}}).status == 200
    assert root.get(path).json()["key_size"] == 128
    assert root.delete(f"{path}/provider").status == 202
    assert root.get(path).json() == {}
    assert root.put(f"{path}/provider", {"encryption": {}}).status == 404


@pytest.mark.parametrize(
    "change",
    [{"provider": "unknown"}, {"cipher": "rot13"}, {"control_location": "back-end"}],
    ids=lambda change: next(iter(change)),
)
def test_what_no_host_can_open_is_refused_when_a_volume_is_wanted(
    root: Client, ann: Client, change: dict[str, str]
) -> None:
    kind = root.post("/v3/types", {"volume_type": {"name": "t"}}).json()["volume_type"]["id"]
    root.post(f"/v3/types/{kind}/encryption", {"encryption": {**LUKS, **change}})
    answer = ann.post(V, {"volume": {"size": 1, "volume_type": "t"}})
    assert answer.status == 400
    assert "Invalid volume type" in answer.text


def test_every_volume_has_a_key_of_its_own_which_goes_with_it(
    emulated: Emulated, ann: Client, sealed: str, made: Made
) -> None:
    first = made.volume(volume_type="sealed")
    clone = made.volume(source_volid=first)
    assert shown(ann, first)["encrypted"]
    ids = {shown(ann, one)["encryption_key_id"] for one in (first, clone)}
    assert ids == key_ids(emulated)
    assert len(ids) == 2
    told = ann.get(f"{V}/{first}/encryption").json()
    assert (told["provider"], told["key_size"]) == ("luks", 256)
    tools = emulated.cloud.volume
    opened = {emulated.db.read(keys.passphrase_of, tools.safe, one) for one in ids}
    assert len(opened) == 1  # what a copy holds was encrypted before it was copied
    for one in (first, clone):
        ann.delete(f"{V}/{one}")
    emulated.work()
    assert key_ids(emulated) == set()
    open_volume = made.volume()
    assert ann.get(f"{V}/{open_volume}/encryption").json() == {"encryption_key_id": None}


def test_who_has_the_database_has_no_key(emulated: Emulated, sealed: str, made: Made) -> None:
    volume_id = made.volume(volume_type="sealed")
    tools = emulated.cloud.volume
    (key_id,) = key_ids(emulated)
    passphrase = emulated.db.read(keys.passphrase_of, tools.safe, key_id)
    assert len(passphrase) == 64
    row = emulated.db.read(lambda tx: tx.execute(sa.select(tables.key)).one())
    assert passphrase not in str(row)
    (path,) = emulated.cloud.state.glob("volume-keys*")
    assert path.stat().st_mode & 0o777 == 0o600
    assert secrets_of(tools, volume_id) == {}  # a volume in memory is encrypted by nobody


def test_what_is_encrypted_stays_so(ann: Client, root: Client, sealed: str, made: Made) -> None:
    secret, plain = made.volume(volume_type="sealed"), made.volume()
    snapshot = made.snapshot(secret)
    default = shown(ann, plain)["volume_type"]
    for spec in (
        {"source_volid": secret, "volume_type": default},
        {"snapshot_id": snapshot, "volume_type": default},
        {"source_volid": plain, "volume_type": "sealed"},
    ):
        answer = ann.post(V, {"volume": {"size": 1, **spec}})
        assert (answer.status, "encrypted" in answer.text) == (400, True), spec


def test_backups_keep_a_key_and_give_it_back(
    emulated: Emulated, ann: Client, sealed: str, made: Made
) -> None:
    emulated.cloud.volume.places["node1@fake"].driver.reads_gib = 0.005  # type: ignore[attr-defined]
    secret, plain = made.volume(volume_type="sealed"), made.volume()
    backup = ann.post("/v3/backups", {"backup": {"volume_id": secret}}).json()["backup"]["id"]
    emulated.work()
    told = ann.get(f"/v3/backups/{backup}").json()["backup"]
    assert told["encryption_key_id"] in key_ids(emulated)
    path = f"/v3/backups/{backup}/restore"
    assert ann.post(path, {"restore": {"volume_id": plain}}).status == 400
    ann.delete(f"{V}/{secret}")
    emulated.work()
    other = made.volume(volume_type="sealed")
    assert ann.post(path, {"restore": {"volume_id": other}}).status == 202
    emulated.work()
    safe = emulated.cloud.volume.safe
    opens = [
        emulated.db.read(keys.passphrase_of, safe, key_id)
        for key_id in (told["encryption_key_id"], shown(ann, other)["encryption_key_id"])
    ]
    assert opens[0] == opens[1]
    assert len(key_ids(emulated)) == 2


def test_images_of_encrypted_volumes(
    emulated: Emulated, ann: Client, ben: Client, sealed: str, made: Made
) -> None:
    emulated.cloud.volume.places["node1@fake"].driver.reads_gib = 0.005  # type: ignore[attr-defined]
    secret = made.volume(volume_type="sealed")
    upload = {"image_name": "i", "disk_format": "qcow2"}
    answer = ann.post(f"{V}/{secret}/action", {"os-volume_upload_image": upload})
    assert answer.status == 400
    upload["disk_format"] = "raw"
    answer = ann.post(f"{V}/{secret}/action", {"os-volume_upload_image": upload})
    image_id = answer.json()["os-volume_upload_image"]["image_id"]
    emulated.work()
    images = emulated.client("image")
    image = images.get(f"/v2/images/{image_id}").json()
    assert image["status"] == "active"
    key_id = image["cinder_encryption_key_id"]
    assert ann.post(V, {"volume": {"size": 1, "imageRef": image_id}}).status == 400
    again = made.volume(imageRef=image_id, volume_type="sealed")
    safe = emulated.cloud.volume.safe
    copied = shown(ann, again)["encryption_key_id"]
    assert emulated.db.read(keys.passphrase_of, safe, copied) == emulated.db.read(
        keys.passphrase_of, safe, key_id
    )
    assert "cinder_encryption_key_id" not in shown(ann, again)["volume_image_metadata"]
    server = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": image_id}
    compute = emulated.client("compute", version="compute 2.93")
    refused = compute.post("/v2.1/servers", {"server": server})
    assert (refused.status, "encrypted" in refused.text) == (400, True)
    # ATTACKS 9: another project's image cannot name a key that is not its own.
    theirs = emulated.client("image", "ben:p2:member")
    spec = {"name": "n", "disk_format": "raw", "container_format": "bare"}
    stolen = theirs.post("/v2/images", {**spec, "cinder_encryption_key_id": key_id}).json()["id"]
    kind = {"content-type": "application/octet-stream"}
    theirs.put(f"/v2/images/{stolen}/file", body=b"x", headers=kind)
    wanted = {"volume": {"size": 1, "imageRef": stolen, "volume_type": "sealed"}}
    assert ben.post(V, wanted).status == 400


def test_keys_of_images_that_are_gone_are_forgotten(
    emulated: Emulated, ann: Client, sealed: str, made: Made
) -> None:
    emulated.cloud.volume.places["node1@fake"].driver.reads_gib = 0.005  # type: ignore[attr-defined]
    secret = made.volume(volume_type="sealed")
    upload = {"os-volume_upload_image": {"image_name": "i"}}
    answer = ann.post(f"{V}/{secret}/action", upload)
    image_id = answer.json()["os-volume_upload_image"]["image_id"]
    emulated.work()
    with clock.CLOCK.held(clock.now() + timedelta(hours=1)):
        forget_keys(emulated.cloud.volume)
        assert len(key_ids(emulated)) == 2
        emulated.client("image").delete(f"/v2/images/{image_id}")
        emulated.work()
        forget_keys(emulated.cloud.volume)
    assert key_ids(emulated) == {shown(ann, secret)["encryption_key_id"]}


def test_who_takes_over_an_encrypted_volume_has_a_key_of_its_own(
    emulated: Emulated, made: Made, ann: Client, ben: Client, sealed: str
) -> None:
    volume_id = made.volume(volume_type=sealed)
    before = shown(ann, volume_id)["encryption_key_id"]
    offer = {"transfer": {"volume_id": volume_id}}
    assert ann.at("volume 3.69").post("/v3/volume-transfers", offer).status == 400
    told = ann.post("/v3/volume-transfers", offer).json()["transfer"]
    accept = {"accept": {"auth_key": told["auth_key"]}}
    assert ben.post(f"/v3/volume-transfers/{told['id']}/accept", accept).status == 202
    after = shown(ben, volume_id)["encryption_key_id"]
    assert key_ids(emulated) == {after} != {before}
    assert secrets_of(emulated.cloud.volume, volume_id) == {}  # nobody encrypts here
    key = emulated.db.read(keys.owner_of, after)
    assert key == "p2"


def test_an_encrypted_volume_that_is_offered_no_more_has_another_key(
    emulated: Emulated, made: Made, ann: Client, sealed: str
) -> None:
    volume_id = made.volume(volume_type=sealed)
    before = shown(ann, volume_id)["encryption_key_id"]
    key_before = emulated.db.read(key_store.key_find, before)
    offer = {"transfer": {"volume_id": volume_id}}
    told = ann.post("/v3/volume-transfers", offer).json()["transfer"]
    assert ann.delete(f"/v3/volume-transfers/{told['id']}").status == 202
    after = shown(ann, volume_id)["encryption_key_id"]
    assert key_ids(emulated) == {after} != {before}
    key_after = emulated.db.read(key_store.key_find, after)
    assert key_before is not None
    assert key_after is not None
    assert (key_after.project_id, key_after.sealed) == ("p1", key_before.sealed)


def test_an_offer_of_a_volume_that_was_reset_takes_no_key_away(
    emulated: Emulated, made: Made, ann: Client, root: Client, sealed: str
) -> None:
    volume_id = made.volume(volume_type=sealed)
    before = shown(ann, volume_id)["encryption_key_id"]
    offer = {"transfer": {"volume_id": volume_id}}
    told = ann.post("/v3/volume-transfers", offer).json()["transfer"]
    reset = {"os-reset_status": {"status": "error"}}
    assert root.post(f"{V}/{volume_id}/action", reset).status == 202
    assert ann.delete(f"/v3/volume-transfers/{told['id']}").status == 202
    assert shown(ann, volume_id)["encryption_key_id"] == before
    assert before in key_ids(emulated)


def test_a_retype_to_what_is_encrypted_alike_keeps_the_key(
    emulated: Emulated, made: Made, root: Client, ann: Client, sealed: str
) -> None:
    kind = root.post("/v3/types", {"volume_type": {"name": "same"}}).json()["volume_type"]["id"]
    wanted = {"encryption": {**LUKS, "control_location": "front-end"}}
    assert root.post(f"/v3/types/{kind}/encryption", wanted).status == 200
    volume_id = made.volume(volume_type=sealed)
    before = shown(ann, volume_id)["encryption_key_id"]
    assert ann.post(f"{V}/{volume_id}/action", {"os-retype": {"new_type": "same"}}).status == 202
    emulated.work()
    found = shown(ann, volume_id)
    assert (found["volume_type"], found["encryption_key_id"]) == ("same", before)

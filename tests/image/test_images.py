"""Image records: create, show, update, delete, tag, switch off."""

import pytest

from cumulo.kit.ids import new_id
from tests.client import Client
from tests.image.service import (
    OLD_PATCH,
    PATCH,
    Service,
    active,
    create,
    patch,
    show,
)


def test_an_image_is_created_with_defaults_and_properties(ann: Client) -> None:
    answer = ann.post("/v2/images", {"name": "cirros", "os_distro": "cirros", "tags": ["b", "a"]})
    assert answer.status == 201
    image = answer.json()
    path = f"/v2/images/{image['id']}"
    assert answer.headers["location"] == f"http://cloud{path}"
    assert answer.headers["openstack-image-store-ids"] == "file"
    assert image == show(ann, image["id"])
    assert image.pop("created_at") == image.pop("updated_at")
    assert image == {
        "id": image["id"],
        "name": "cirros",
        "status": "queued",
        "visibility": "shared",
        "owner": "p1",
        "disk_format": None,
        "container_format": None,
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "min_disk": 0,
        "min_ram": 0,
        "protected": False,
        "os_hidden": False,
        "tags": ["a", "b"],
        "os_distro": "cirros",
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }


@pytest.mark.parametrize(
    ("field", "value", "status", "says"),
    [
        ("name", 5, 400, "5 is not of type 'string'"),
        ("name", "x" * 256, 400, "too long"),
        ("disk_format", "exe", 400, "'exe' is not one of"),
        ("container_format", "zip", 400, "'zip' is not one of"),
        ("visibility", "secret", 400, "'secret' is not one of"),
        ("min_disk", "1", 400, "'1' is not of type 'integer'"),
        ("min_disk", True, 400, "True is not of type 'integer'"),
        ("min_ram", -1, 400, "Cannot be a negative value"),
        ("min_ram", 2**40, 400, "min_ram"),
        ("protected", "yes", 400, "'yes' is not of type 'boolean'"),
        ("tags", "a", 400, "'a' is not of type 'array'"),
        ("tags", ["x" * 256], 400, "too long"),
        ("id", "../../etc/passwd", 400, "does not match"),
        ("note", 5, 400, "field 'note'"),
        ("note", "a\0b", 400, "NUL"),
        ("x" * 256, "a", 400, "255 characters"),
        ("", "a", 400, "must have a name"),
        ("status", "active", 403, "'status' is read-only"),
        ("checksum", "0", 403, "'checksum' is read-only"),
        ("size", 1, 403, "'size' is read-only"),
        ("self", "/", 403, "'self' is read-only"),
        ("deleted", True, 403, "'deleted' is reserved"),
        ("os_glance_import_task", "x", 403, "reserved"),
        ("locations", [], 403, "reserved"),
        ("visibility", "public", 403, "publicize_image"),
        ("owner", "p2", 403, "not permitted to create images owned by 'p2'"),
    ],
)
def test_a_wrong_field_is_named(
    ann: Client, field: str, value: object, status: int, says: str
) -> None:
    answer = ann.post("/v2/images", {field: value}, headers={"Accept": "application/json"})
    assert answer.status == status
    assert says in answer.json()["message"]
    assert ann.get("/v2/images").json()["images"] == []


def test_errors_are_pages_unless_json_is_asked_for(ann: Client) -> None:
    answer = ann.get("/v2/images/missing")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>404 Not Found</h1>" in answer.text
    told = ann.get("/v2/images/missing", headers={"Accept": "application/json"}).json()
    assert told == {
        "message": "No image found with ID missing",
        "code": "404 Not Found",
        "title": "Not Found",
    }


def test_an_image_without_an_id_is_none(ann: Client) -> None:
    assert ann.get("/v2/images/").status == ann.delete("/v2/images/").status == 404


def test_a_client_may_choose_the_id_once_even_after_deletion(ann: Client, ben: Client) -> None:
    chosen = new_id()
    create(ann, id=chosen)
    again = {"id": chosen}
    assert ben.post("/v2/images", again).status == 409
    ann.delete(f"/v2/images/{chosen}")
    assert ben.post("/v2/images", again).status == 409


def test_a_patch_adds_replaces_and_removes(ann: Client) -> None:
    image_id = create(ann, kernel="5")
    answer = patch(
        ann,
        image_id,
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "add", "path": "/a~1b~0c", "value": "x"},
        {"op": "replace", "path": "/kernel", "value": "6"},
        {"op": "replace", "path": "/tags", "value": ["t", "t", "s"]},
        {"op": "add", "path": "/min_ram", "value": 512},
    )
    assert answer.status == 200
    image = answer.json()
    assert image == show(ann, image_id)
    assert (image["name"], image["a/b~c"], image["kernel"]) == ("new", "x", "6")
    assert (image["tags"], image["min_ram"]) == (["s", "t"], 512)

    assert patch(ann, image_id, {"op": "remove", "path": "/kernel"}).status == 200
    assert "kernel" not in show(ann, image_id)


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"op": "replace", "path": "/none", "value": "x"}, 409, "Property none does not exist"),
        ({"op": "remove", "path": "/none"}, 409, "Property none does not exist"),
        ({"op": "remove", "path": "/name"}, 403, "Property name may not be removed"),
        ({"op": "replace", "path": "/id", "value": new_id()}, 403, "'id' is read-only"),
        ({"op": "replace", "path": "/status", "value": "active"}, 403, "read-only"),
        ({"op": "add", "path": "/os_glance_x", "value": "1"}, 403, "reserved"),
        ({"op": "add", "path": "/locations/-", "value": {}}, 403, "locations"),
        ({"op": "replace", "path": "/owner", "value": "p1"}, 403, "non admin"),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403, "publicize_image"),
        ({"op": "replace", "path": "/min_disk", "value": -1}, 400, "negative"),
        ({"op": "replace", "path": "/name", "value": 5}, 400, "not of type"),
        ({"op": "replace", "path": "/name"}, 400, "requires a member named"),
        ({"op": "replace", "value": "x"}, 400, "Unable to find 'path'"),
        ({"path": "/name", "value": "x"}, 400, "Unable to find `op`"),
        ({"op": "copy", "path": "/name"}, 400, "Invalid operation: `copy`"),
        ({"op": "add", "path": "name", "value": "x"}, 400, 'does not start with "/"'),
        ({"op": "add", "path": "/a//b", "value": "x"}, 400, "adjacent"),
        ({"op": "add", "path": "/a/", "value": "x"}, 400, 'end with "/"'),
        ({"op": "add", "path": "/a~2", "value": "x"}, 400, "escape sequence"),
        ({"op": "add", "path": "/a/b", "value": "x"}, 400, "Invalid JSON pointer"),
        ("remove", 400, "must be JSON objects"),
    ],
)
def test_a_wrong_change_is_refused_and_nothing_changes(
    ann: Client, change: object, status: int, says: str
) -> None:
    image_id = create(ann)
    before = show(ann, image_id)
    good = {"op": "replace", "path": "/name", "value": "other"}
    headers = {**PATCH, "Accept": "application/json"}
    answer = ann.patch(f"/v2/images/{image_id}", [good, change], headers=headers)
    assert answer.status == status
    assert says in answer.json()["message"]
    assert show(ann, image_id) == before


def test_the_old_dialect_of_patches_refuses_to_add_what_is_there(ann: Client) -> None:
    image_id = create(ann, a="1")
    url = f"/v2/images/{image_id}"
    assert ann.patch(url, [{"add": "/b", "value": "2"}], headers=OLD_PATCH).json()["b"] == "2"
    assert ann.patch(url, [{"add": "/a", "value": "2"}], headers=OLD_PATCH).status == 409
    assert ann.patch(url, [{"add": "/name", "value": "2"}], headers=OLD_PATCH).status == 409
    both = [{"add": "/c", "replace": "/a", "value": "2"}]
    assert ann.patch(url, both, headers=OLD_PATCH).status == 400


def test_a_patch_of_another_kind_is_not_read(ann: Client) -> None:
    image_id = create(ann)
    answer = ann.patch(f"/v2/images/{image_id}", [])
    assert answer.status == 415
    assert "openstack-images-v2.1-json-patch" in answer.text
    assert ann.patch(f"/v2/images/{image_id}", {}, headers=PATCH).status == 400


def test_formats_are_fixed_once_there_is_data(ann: Client) -> None:
    image_id = active(ann)
    change = {"op": "replace", "path": "/disk_format", "value": "qcow2"}
    answer = patch(ann, image_id, change)
    assert answer.status == 403
    assert "can be only replaced for a queued image" in answer.text


def test_only_administrators_publish(ann: Client, ben: Client, root: Client) -> None:
    image_id = create(ann)
    public = {"op": "replace", "path": "/visibility", "value": "public"}
    assert patch(root, image_id, public).status == 200
    assert show(ben, image_id)["visibility"] == "public"
    assert patch(root, image_id, {"op": "replace", "path": "/owner", "value": "p2"}).status == 200
    assert patch(ann, image_id, {"op": "add", "path": "/x", "value": "1"}).status == 403
    assert patch(ben, image_id, {"op": "add", "path": "/x", "value": "1"}).status == 200


def test_tags_come_and_go_one_by_one(ann: Client) -> None:
    image_id = create(ann)
    url = f"/v2/images/{image_id}/tags"
    assert ann.put(f"{url}/blue").status == 204
    assert ann.put(f"{url}/blue").status == 204
    assert show(ann, image_id)["tags"] == ["blue"]
    assert ann.put(f"{url}/{'x' * 256}").status == 400
    assert ann.delete(f"{url}/blue").status == 204
    assert ann.delete(f"{url}/blue").status == 404
    assert show(ann, image_id)["tags"] == []


def test_a_protected_image_cannot_be_deleted(ann: Client) -> None:
    image_id = create(ann, protected=True)
    answer = ann.delete(f"/v2/images/{image_id}")
    assert answer.status == 403
    assert f"Image {image_id} is protected and cannot be deleted." in answer.text
    patch(ann, image_id, {"op": "replace", "path": "/protected", "value": False})
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    assert ann.get(f"/v2/images/{image_id}").status == 404
    assert ann.delete(f"/v2/images/{image_id}").status == 404


def test_a_deactivated_image_cannot_be_read(ann: Client, root: Client) -> None:
    image_id = active(ann)
    url = f"/v2/images/{image_id}"
    assert ann.post(f"{url}/actions/deactivate").status == 204
    assert ann.post(f"{url}/actions/deactivate").status == 204
    assert show(ann, image_id)["status"] == "deactivated"
    assert ann.get(f"{url}/file").status == 403
    assert root.get(f"{url}/file").status == 200
    assert ann.post(f"{url}/actions/reactivate").status == 204
    assert ann.get(f"{url}/file").status == 200

    queued = create(ann)
    answer = ann.post(f"/v2/images/{queued}/actions/deactivate")
    assert answer.status == 403
    assert "Not allowed to deactivate image in status" in answer.text


def test_properties_and_tags_are_counted(service: Service) -> None:
    ann = service.limited(image_property_quota=2, image_tag_quota=1).client("ann:p1:member")
    assert ann.post("/v2/images", {"a": "1", "b": "2", "c": "3"}).status == 413
    image_id = create(ann, a="1", b="2", tags=["x"])
    assert patch(ann, image_id, {"op": "add", "path": "/c", "value": "3"}).status == 413
    assert ann.put(f"/v2/images/{image_id}/tags/y").status == 413
    assert ann.put(f"/v2/images/{image_id}/tags/x").status == 204


def test_images_are_counted_by_project(service: Service) -> None:
    limited = service.limited(image_count_total=1)
    ann, ben = limited.client("ann:p1:member"), limited.client("ben:p2:member")
    first = create(ann)
    refused = ann.post("/v2/images", {"name": "more"})
    assert refused.status == 413
    assert "already used 1 of 1 image_count_total" in refused.text
    create(ben)
    ann.delete(f"/v2/images/{first}")
    create(ann)


def test_what_is_offered_can_be_asked(ann: Client, service: Service) -> None:
    stranger = service.client(None)
    choices = stranger.get("/")
    assert (choices.status, stranger.get("/versions").status) == (300, 200)
    newest = choices.json()["versions"][0]
    assert newest["links"] == [{"rel": "self", "href": "http://cloud/v2/"}]
    assert newest["status"] == "CURRENT"
    assert stranger.get("/v2/images").status == 401
    methods = ann.get("/v2/info/import").json()["import-methods"]["value"]
    assert methods == ["glance-direct", "web-download"]
    assert ann.get("/v2/info/stores").json() == {"stores": [{"id": "file", "default": "true"}]}
    assert ann.get("/v2/info/stores/detail").status == 403
    image_id = create(ann)
    asked = {"method": {"name": "web-download", "uri": "http://169.254.169.254/"}}
    assert ann.post(f"/v2/images/{image_id}/import", asked).status == 400
    active(ann, b"x" * (1 << 20))
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert usage["image_size_total"] == {"usage": 1, "limit": -1}
    assert usage["image_count_total"]["usage"] == 2


def test_schemas_name_every_field(ann: Client) -> None:
    fields = set(show(ann, active(ann)))
    described = ann.get("/v2/schemas/image").json()
    assert fields <= set(described["properties"])
    assert ann.get("/v2/schemas/images").json()["properties"]["images"]["items"] == described
    member = ann.get("/v2/schemas/member").json()
    members = ann.get("/v2/schemas/members").json()
    assert members["properties"]["members"]["items"] == member

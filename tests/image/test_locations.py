"""Where data of images lies, and what is off by default: caches, data elsewhere, signatures."""

import pytest

from tests.client import Client
from tests.image.service import Service, active, create, show


def test_other_services_are_told_where_data_lies(service: Service, ann: Client) -> None:
    image_id = active(ann)
    path = f"/v2/images/{image_id}/locations"
    assert ann.get(path).status == 403
    nova = service.client("nova:p1:service,reader")
    (told,) = nova.get(path).json()
    assert told["metadata"] == {"store": "file"}
    assert told["url"].startswith("file:///")
    assert told["url"].endswith(image_id)
    assert nova.get(f"/v2/images/{create(ann)}/locations").json() == []


def test_without_a_store_for_it_data_is_not_read_from_elsewhere(
    service: Service, ann: Client, ben: Client
) -> None:
    """OSSA-2015-002: a location named a file of the host."""
    queued = create(ann)
    path, wanted = f"/v2/images/{queued}/locations", {"url": "http://192.0.2.1/disk"}
    answer = ann.post(path, wanted)
    assert (answer.status, "http store must be enabled" in answer.text) == (403, True)
    cinder = service.client("cinder:p1:service,reader")
    answer = cinder.post(path, {"url": "file:///etc/passwd"})
    assert (answer.status, "Invalid location" in answer.text) == (400, True)
    assert ben.post(path, wanted).status == 404
    assert ann.post(f"/v2/images/{active(ann)}/locations", wanted).status == 409
    assert show(ann, queued)["status"] == "queued"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/clean"),
        ("POST", "/prune"),
        ("GET", "/nodes/{0}"),
        ("PUT", "/{0}"),
        ("DELETE", "/{0}"),
    ],
)
def test_without_a_second_store_there_is_no_cache(
    ann: Client, root: Client, method: str, path: str
) -> None:
    where = f"/v2/cache{path.format(create(ann))}"
    assert ann.request(method, where).status == 403
    answer = root.request(method, where)
    assert answer.status == 404
    assert "Caching via API is not supported" in answer.text


def test_what_is_signed_cannot_be_verified_without_a_key_manager(ann: Client) -> None:
    signed = {
        "img_signature": "c2lnbmVk",
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": "RSA-PSS",
        "img_signature_certificate_uuid": "0b5d2c72-12cc-4ba6-a8d7-3ff5cc1d8cb8",
    }
    image_id = create(ann, disk_format="raw", container_format="bare", **signed)
    kind = {"content-type": "application/octet-stream"}
    answer = ann.put(f"/v2/images/{image_id}/file", body=b"disk", headers=kind)
    assert answer.status == 400
    assert "Signature verification for the image failed" in answer.text
    assert show(ann, image_id)["status"] == "queued"
    half = {name: value for name, value in signed.items() if name != "img_signature"}
    other = create(ann, disk_format="raw", container_format="bare", **half)
    assert ann.put(f"/v2/images/{other}/file", body=b"disk", headers=kind).status == 204

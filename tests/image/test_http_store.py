"""Images whose data stays where a URL leads: read once before they are active, verified after."""

import dataclasses
import hashlib

import pytest

from cumulo.kit.errors import Forbidden
from cumulo.kit.outbound import CannotFetch
from cumulo.services.image import public
from cumulo.services.image.assembly import more_stores
from cumulo.services.image.errors import InvalidImageData
from cumulo.services.image.limits import ImageLimits, StoreSettings
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows.add_location import ADD_LOCATION
from cumulo.work import testing
from tests.client import Answer, Client
from tests.image import malice
from tests.image.fetched import CONTENT, IN_VAIN, REFUSED, website
from tests.image.service import MIB, Service, create, show, upload
from tests.image.test_web_download import only_task, used
from tests.websites import Website, page, redirect

URL = "http://site/disk?key=SECRET"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site() -> Website:
    return website()


@pytest.fixture
def service(tools: ImageTools, site: Website) -> Service:
    stores = {"web": StoreSettings(kind="http", weight=5)}
    limits = ImageLimits(image_size_cap=8 * MIB, virtual_size_cap=1024 * MIB, stores=stores)
    outbound = site.outbound()
    more = more_stores(limits, lambda: pytest.fail("not asked"), outbound, tools.db)
    changed = {"image_limits": limits, "outbound": outbound, "more_stores": more}
    return Service(dataclasses.replace(tools, **changed))  # type: ignore[arg-type]


def add(client: Client, image_id: str, url: str = URL, **known: str) -> Answer:
    body = {"url": url, "validation_data": known}
    return client.post(f"/v2/images/{image_id}/locations", body)


def added(service: Service, client: Client, **known: str) -> str:
    image_id = create(client)
    answer = add(client, image_id, **known)
    assert answer.status == 202, answer.text
    service.work()
    assert show(client, image_id)["status"] == "active"
    return image_id


def read(client: Client, image_id: str, **headers: str) -> Answer:
    return client.get(f"/v2/images/{image_id}/file", headers=headers)


def test_an_image_is_read_from_where_it_stays(service: Service, ann: Client) -> None:
    image_id = create(ann)
    assert add(ann, image_id).status == 202
    assert show(ann, image_id)["status"] == "importing"
    assert add(ann, image_id).status == 409
    service.work()
    shown = show(ann, image_id)
    assert (shown["status"], shown["size"], shown["stores"]) == ("active", len(CONTENT), "web")
    assert shown["os_hash_algo"] == "sha512"
    assert shown["os_hash_value"] == hashlib.sha512(CONTENT).hexdigest()
    assert shown["checksum"] == hashlib.md5(CONTENT).hexdigest()
    assert used(ann) == {"image_count_total": 1, "image_size_total": 1}
    told = only_task(ann, image_id)
    assert (told["type"], told["status"]) == ("location_import", "success")
    assert service.files() == []
    assert read(ann, image_id).body == CONTENT
    part = read(ann, image_id, Range="bytes=3990-")
    assert (part.status, part.body) == (206, CONTENT[3990:])
    nova = service.client("nova:p1:service,reader")
    (location,) = nova.get(f"/v2/images/{image_id}/locations").json()
    assert location == {"url": URL, "metadata": {"store": "web"}}


def test_what_the_data_is_known_to_be_is_held_against_it(service: Service, ann: Client) -> None:
    image_id = added(service, ann, os_hash_algo="sha256", os_hash_value=SHA256)
    shown = show(ann, image_id)
    assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha256", SHA256)
    assert read(ann, image_id).body == CONTENT
    other = create(ann)
    add(ann, other, os_hash_algo="sha512", os_hash_value="beefdead" * 16)
    service.work()
    shown = show(ann, other)
    assert (shown["status"], shown["os_hash_value"]) == ("queued", None)
    assert "not matched" in only_task(ann, other)["message"]
    assert shown["stores"] == "web"  # as real services, which keep what they refused
    assert add(ann, other).status == 202


@pytest.mark.parametrize(
    "known",
    [
        {"os_hash_value": SHA256},
        {"os_hash_algo": "sha256"},
        {"os_hash_algo": "sha123", "os_hash_value": SHA256},
        {"os_hash_algo": "sha512", "os_hash_value": SHA256},
        {"os_hash_algo": "sha256", "os_hash_value": "x" * 64},
        {"checksum": "x" * 32},
    ],
)
def test_what_cannot_be_a_hash_is_refused(ann: Client, known: dict[str, str]) -> None:
    assert add(ann, create(ann), **known).status == 400


@pytest.mark.parametrize("url", REFUSED)
def test_a_location_that_leads_inside_is_refused_at_once(
    service: Service, ann: Client, url: str
) -> None:
    image_id = create(ann)
    for client in (ann, service.client("nova:p1:service,member")):
        answer = add(client, image_id, url)
        assert answer.status == 400
        assert "SECRET" not in answer.text
    assert show(ann, image_id)["status"] == "queued"


@pytest.mark.parametrize(
    ("url", "fields", "told"), [*IN_VAIN, ("http://site/empty", {}, "no bytes")]
)
def test_what_is_not_good_leaves_a_queued_image_and_a_reason(
    service: Service, ann: Client, url: str, fields: dict[str, str], told: str
) -> None:
    image_id = create(ann, **fields)
    assert add(ann, image_id, url).status == 202
    service.work()
    assert show(ann, image_id)["status"] == "queued"
    task = only_task(ann, image_id)
    assert (task["status"], "SECRET" in task["message"]) == ("failure", False)
    assert told in task["message"]
    assert used(ann) == {"image_count_total": 1}


def test_what_breaks_off_is_read_again(service: Service, ann: Client, site: Website) -> None:
    add(ann, create(ann), "http://site/short?key=SECRET")
    service.work()
    assert site.asked == ["/short?key=SECRET"] * 3


def test_servers_start_from_what_is_verified(service: Service, ann: Client, site: Website) -> None:
    image_id = added(service, ann)
    public.bring(service.tools, image_id)
    assert service.files() == [image_id]
    assert b"".join(service.tools.images.read(image_id, 0, 9999)) == CONTENT
    assert show(ann, image_id)["stores"] == "web"
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    service.work()
    assert service.files() == []


@pytest.mark.parametrize(
    ("now", "fault"),
    [
        (page(CONTENT[:-1] + b"!"), InvalidImageData),
        (page(malice.qcow2(backing_file="/etc/shadow")), InvalidImageData),
        (page(CONTENT[:-4]), CannotFetch),
        (redirect("http://inside/"), Forbidden),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", CannotFetch),
    ],
)
def test_what_is_no_longer_the_same_is_nobodys_disk(
    service: Service, ann: Client, site: Website, now: bytes, fault: type[Exception]
) -> None:
    """Bytes that were good when they were looked at, and are others when they are used."""
    image_id = added(service, ann)
    site.pages["/disk?key=SECRET"] = now  # type: ignore[index]
    with pytest.raises(fault):
        public.bring(service.tools, image_id)
    with pytest.raises(fault):
        list(public.read(service.tools, image_id))
    assert service.files() == []


def test_a_name_that_leads_elsewhere_later_is_not_followed(
    service: Service, ann: Client, site: Website
) -> None:
    """2026-004: a name is looked up again each time, and may then stand for an address inside."""
    image_id = added(service, ann)
    site.names["site"] = ["127.0.0.1"]
    assert read(ann, image_id).status == 403
    site.names.clear()
    assert read(ann, image_id).status == 503
    assert len(site.visited) == 1


def test_nothing_is_written_there(service: Service, ann: Client, root: Client) -> None:
    stores = ann.get("/v2/info/stores").json()["stores"]
    assert stores[1] == {"id": "web", "read-only": "true"}
    image_id = create(ann)
    assert upload(ann, image_id, CONTENT, **{"X-Image-Meta-Store": "web"}).status == 410
    assert show(ann, image_id)["status"] == "queued"
    wish = {"method": {"name": "copy-image"}, "stores": ["web"]}
    assert root.post(f"/v2/images/{image_id}/import", wish).status == 410


def test_it_can_be_copied_and_then_be_forgotten_there(
    service: Service, root: Client, site: Website
) -> None:
    image_id = added(service, root)
    wish = {"method": {"name": "copy-image"}, "all_stores": True}
    assert root.delete(f"/v2/stores/web/{image_id}").status == 403
    assert root.post(f"/v2/images/{image_id}/import", wish).status == 202
    service.work()
    assert show(root, image_id)["stores"] == "web,file"
    asked = len(site.asked)
    site.names.clear()  # who is away is not waited for
    assert read(root, image_id).body == CONTENT
    assert root.delete(f"/v2/stores/web/{image_id}").status == 204
    service.work()
    assert (show(root, image_id)["stores"], len(site.asked)) == ("file", asked)


def test_an_image_that_is_off_is_not_read(service: Service, ann: Client, site: Website) -> None:
    image_id = added(service, ann)
    ann.post(f"/v2/images/{image_id}/actions/deactivate")
    asked = len(site.asked)
    assert (read(ann, image_id).status, len(site.asked)) == (403, asked)


def test_others_may_not(ann: Client, ben: Client) -> None:
    for visibility, status in (("community", 403), ("private", 404)):
        assert add(ben, create(ann, visibility=visibility)).status == status


def test_steps_may_repeat(service: Service, ann: Client) -> None:
    image_id = create(ann)
    add(ann, image_id)
    testing.steps_may_repeat(ADD_LOCATION, None, service.tools.db, service.tools)
    assert read(ann, image_id).body == CONTENT
    assert used(ann) == {"image_count_total": 1, "image_size_total": 1}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", [step.name for step in ADD_LOCATION.steps])
def test_another_process_carries_on(service: Service, ann: Client, step: str, before: bool) -> None:
    image_id = create(ann)
    add(ann, image_id)
    testing.crash_at(step, ADD_LOCATION, None, service.tools.db, service.tools, before=before)
    assert read(ann, image_id).body == CONTENT


@pytest.mark.parametrize("before", [False, True])
def test_a_step_that_fails_leaves_a_queued_image(
    service: Service, ann: Client, before: bool
) -> None:
    image_id = create(ann)
    add(ann, image_id)
    db = service.tools.db
    testing.unwinds_from("read_bytes", ADD_LOCATION, None, db, service.tools, before=before)
    assert show(ann, image_id)["status"] == "queued"
    assert used(ann) == {"image_count_total": 1}


def test_a_delete_stops_it(service: Service, ann: Client) -> None:
    image_id = create(ann)
    add(ann, image_id)
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    service.work()
    assert used(ann) == {}

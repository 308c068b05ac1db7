"""What attackers do to an image service, and what must come of it: nothing.

Image files that lead QEMU to files of the host (OSSA-2015-014, 2023-002, 2024-001, 2024-002),
disks that grow without end (2013-012), other projects' images, cheap requests that cost much,
deletes that stop half-way.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.auth import Context, Policy
from cumulo.kit.errors import CloudError
from cumulo.kit.ids import new_id
from cumulo.services.image import image_data
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.image_data import Upload
from cumulo.services.image.inspection import Inspection
from cumulo.services.image.policy import RULES
from cumulo.services.image.tools import ImageTools
from tests.client import Client
from tests.image import malice
from tests.image.service import MIB, PATCH, Service, active, create, show, upload

SECRET = "/etc/shadow"
TIB = 1 << 40
REFUSED = {
    "qcow2 with a backing file": ("qcow2", malice.qcow2(backing_file=SECRET), "backing file"),
    "old qcow2 with a backing file": (
        "qcow2",
        malice.qcow2(version=2, backing_file="json:{}"),
        "backing file",
    ),
    "qcow2 with a data file": ("qcow2", malice.qcow2(incompatible=1 << 2), "data_file"),
    "qcow2 with unknown features": ("qcow2", malice.qcow2(incompatible=1 << 9), "Unknown"),
    "qcow2 of version 1": ("qcow2", malice.qcow2(version=1), "Unsupported qcow2 version"),
    "qcow2 of 16 EiB": ("qcow2", malice.qcow2(virtual_size=2**64 - 1), "virtual size"),
    "vdi of 1 TiB and a byte": ("vdi", malice.vdi(TIB + 1), "virtual size"),
    "vhdx of a size unknown": ("vhdx", malice.vhdx(), "broken header"),
    "qcow2 of no size": ("qcow2", malice.qcow2(virtual_size=0), "broken header"),
    "vmdk that is a descriptor": ("vmdk", malice.vmdk_text(), "descriptor only"),
    "vmdk descriptor as raw": ("raw", malice.vmdk_text(), "descriptor only"),
    "vmdk with a flat extent": ("vmdk", malice.vmdk_sparse("monolithicFlat"), "Unsupported"),
    "vmdk that names a path": (
        "vmdk",
        malice.vmdk_sparse(extent=f'RW 2048 SPARSE "{SECRET}"'),
        "unsafe|Invalid extent",
    ),
    "vmdk without extents": ("vmdk", malice.vmdk_sparse(extent=""), "No extents"),
    "qcow2 as raw": ("raw", malice.qcow2(backing_file=SECRET), "does not match stream data qcow2"),
    "short qcow2 as raw": ("raw", malice.qcow2(backing_file=SECRET, size=0), "qcow2"),
    "vmdk as raw": ("raw", malice.vmdk_sparse(), "does not match stream data vmdk"),
    "vmdk as qcow2": ("qcow2", malice.vmdk_sparse(), "does not match stream data vmdk"),
    "iso as raw": ("raw", malice.iso(), "does not match stream data iso"),
    "raw as qcow2": ("qcow2", b"\0" * 70000, "does not match stream data raw"),
    "nothing as qcow2": ("qcow2", b"", "does not match stream data raw"),
    "qed, which nobody declares": ("raw", malice.qed(), "does not match stream data qed"),
    "luks as raw": ("raw", malice.luks(), "does not match stream data luks"),
    "partitions that are none": ("raw", malice.partitioned(boot_flag=0x17), "boot flag"),
    "two formats in one": (
        "qcow2",
        malice.qcow2()[:32768] + malice.iso()[32768:],
        "multiple formats: iso, qcow2",
    ),
}
GOOD = {
    "qcow2": ("qcow2", malice.qcow2(), malice.GIB),
    "old qcow2": ("qcow2", malice.qcow2(version=2), malice.GIB),
    "dirty qcow2": ("qcow2", malice.qcow2(incompatible=1), malice.GIB),
    "vmdk": ("vmdk", malice.vmdk_sparse(), 2048 * 512),
    "vdi": ("vdi", malice.vdi(), malice.GIB),
    "vhd": ("vhd", malice.vhd(), malice.GIB),
    "iso": ("iso", malice.iso(), 20 * 2048),
    "iso for a USB stick": ("iso", malice.iso(boot_sector=malice.partitioned()[:512]), 40960),
    "raw": ("raw", b"\x01\x02" * 5000, 10000),
    "text as raw": ("raw", b"# a text\n" * 100 + b"\xff" * 600, 1500),
    "partitioned raw": ("raw", malice.partitioned(), 65536),
    "kernel": ("aki", malice.partitioned(boot_flag=0x17), 65536),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_dangerous_or_lying_file_is_refused_and_leaves_nothing(
    ann: Client, service: Service, case: str
) -> None:
    disk_format, content, reason = REFUSED[case]
    image_id = create(ann, disk_format=disk_format)
    answer = upload(ann, image_id, content, Accept="application/json")
    assert answer.status == 415
    assert any(word in answer.json()["message"] for word in reason.split("|"))
    image = show(ann, image_id)
    assert (image["status"], image["size"], image["checksum"]) == ("queued", None, None)
    assert service.files() == []


@pytest.mark.parametrize("case", GOOD)
def test_an_honest_file_is_taken(service: Service, case: str) -> None:
    ann = service.limited(virtual_size_cap=TIB).client("ann:p1:member")
    disk_format, content, virtual_size = GOOD[case]
    image_id = active(ann, content, disk_format=disk_format)
    assert show(ann, image_id)["virtual_size"] == virtual_size


@pytest.mark.parametrize("step", [1, 3, 511, 4096])
@pytest.mark.parametrize("case", ["qcow2 as raw", "vmdk descriptor as raw", "two formats in one"])
def test_no_way_of_cutting_the_bytes_hides_a_header(case: str, step: int) -> None:
    disk_format, content, _ = REFUSED[case]
    inspection = Inspection(disk_format, virtual_size_cap=TIB)

    def feed() -> None:
        for at in range(0, len(content), step):
            inspection.feed(content[at : at + step])
        inspection.finish()

    with pytest.raises(CloudError):
        feed()


def test_a_wrong_file_is_refused_before_all_of_it_has_come() -> None:
    inspection = Inspection("qcow2", virtual_size_cap=TIB)
    with pytest.raises(CloudError, match="backing file"):
        inspection.feed(malice.qcow2(backing_file=SECRET, size=MIB))
    raw = Inspection("raw", virtual_size_cap=TIB)
    with pytest.raises(CloudError, match="stream data qcow2"):
        raw.feed(malice.qcow2(size=MIB))


def test_an_archive_is_not_opened_and_no_server_starts_from_it(ann: Client) -> None:
    image_id = active(ann, malice.qcow2(backing_file=SECRET), container_format="ova")
    assert show(ann, image_id)["virtual_size"] is None


def test_the_format_cannot_be_changed_after_inspection(ann: Client, root: Client) -> None:
    image_id = active(ann, malice.partitioned())
    change = [{"op": "replace", "path": "/disk_format", "value": "qcow2"}]
    for client in (ann, root):
        answer = client.patch(f"/v2/images/{image_id}", change, headers=PATCH)
        assert answer.status == 403
    assert show(ann, image_id)["disk_format"] == "raw"


def test_memory_stays_flat_however_large_the_upload(ann: Client, tools: ImageTools) -> None:
    limits = type(tools.image_limits)()
    roles = frozenset({"member", "reader"})
    caller = Context(user_id="ann", project_id="p1", roles=roles, policy=Policy(RULES))
    piece = b"\x5a" * MIB

    def pieces(count: int) -> Iterator[bytes]:
        yield from (piece for _ in range(count))

    def send(count: int) -> int:
        given = image_data.Upload(image_id=create(ann), pieces=pieces(count))
        image_data.upload(tools.db, caller, tools.images, limits, given)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    small = send(8)
    assert send(128) - small < 24 * 1024


OTHERS = [
    ("GET", "/v2/images/{id}", None),
    ("PATCH", "/v2/images/{id}", [{"op": "replace", "path": "/name", "value": "mine"}]),
    ("DELETE", "/v2/images/{id}", None),
    ("GET", "/v2/images/{id}/file", None),
    ("POST", "/v2/images/{id}/actions/deactivate", None),
    ("POST", "/v2/images/{id}/actions/reactivate", None),
    ("PUT", "/v2/images/{id}/tags/mine", None),
    ("DELETE", "/v2/images/{id}/tags/theirs", None),
    ("GET", "/v2/images/{id}/members", None),
    ("POST", "/v2/images/{id}/members", {"member": "p2"}),
    ("GET", "/v2/images/{id}/members/p3", None),
    ("PUT", "/v2/images/{id}/members/p3", {"status": "accepted"}),
    ("DELETE", "/v2/images/{id}/members/p3", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OTHERS)
def test_another_projects_image_does_not_exist(
    ann: Client, ben: Client, method: str, path: str, body: object
) -> None:
    image_id = active(ann, tags=["theirs"])
    ann.post(f"/v2/images/{image_id}/members", {"member": "p3"})
    before = show(ann, image_id)
    headers = PATCH if method == "PATCH" else {}
    answer = ben.request(method, path.format(id=image_id), body, headers=headers)
    nothing = ben.request(method, path.format(id=new_id()), body, headers=headers)
    assert answer.status == nothing.status == 404
    assert show(ann, image_id) == before


def test_another_projects_image_gets_no_data(ann: Client, ben: Client) -> None:
    image_id = create(ann)
    assert upload(ben, image_id, b"evil").status == 404
    assert show(ann, image_id)["status"] == "queued"


def test_another_projects_image_is_no_marker(ann: Client, ben: Client) -> None:
    assert ben.get(f"/v2/images?marker={create(ann)}").status == 400


def test_readers_change_nothing(service: Service, ann: Client) -> None:
    image_id = create(ann)
    reader = service.client("ron:p1:reader")
    assert reader.get(f"/v2/images/{image_id}").status == 200
    assert reader.post("/v2/images", {"name": "x"}).status == 403
    assert reader.delete(f"/v2/images/{image_id}").status == 403
    assert upload(reader, image_id, b"x").status == 403
    assert reader.patch(f"/v2/images/{image_id}", [], headers=PATCH).status == 403


@pytest.mark.parametrize("tag", ["..%2f..%2fetc", "%2e%2e", "a%0d%0ab", "%00"])
def test_a_path_leads_nowhere_else(ann: Client, directory: Path, tag: str) -> None:
    image_id = create(ann)
    statuses = {
        ann.put(f"/v2/images/{image_id}/tags/{tag}").status,
        ann.get(f"/v2/images/{tag}").status,
        ann.get(f"/v2/images/{tag}/file").status,
        upload(ann, tag, b"x").status,
        ann.delete(f"/v2/images/{tag}").status,
    }
    assert statuses <= {204, 400, 404}
    assert list(directory.rglob("*")) == [directory / ".incoming"]


def test_a_body_larger_than_any_record_is_not_read(ann: Client) -> None:
    assert ann.post("/v2/images", {"note": "x" * (2 * MIB)}).status == 413


def test_json_nested_without_end_is_refused(ann: Client) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    headers = {"Content-Type": "application/json"}
    assert ann.request("POST", "/v2/images", body=deep, headers=headers).status == 400


def test_a_delete_during_an_upload_leaves_no_bytes(ann: Client, service: Service) -> None:
    """OSSA-2015-004: what was on its way in lay in the store for good, and was not counted."""
    image_id = create(ann)

    def pieces() -> Iterator[bytes]:
        yield b"x" * MIB
        assert show(ann, image_id)["status"] == "saving"
        assert ann.delete(f"/v2/images/{image_id}").status == 204
        service.work()
        yield b"x" * MIB

    ctx = Context(
        user_id="ann", project_id="p1", roles=frozenset({"member", "reader"}), policy=Policy(RULES)
    )
    given = Upload(image_id=image_id, pieces=pieces())
    tools = service.tools
    with pytest.raises(NoLongerThere):
        image_data.upload(tools.db, ctx, tools.images, tools.image_limits, given)
    service.work()
    assert list(tools.images.present()) == []
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert {one["usage"] for one in usage.values()} == {0}


@pytest.mark.parametrize("method", ["glance-download", "web-download"])
def test_no_service_of_the_callers_choice_is_given_a_token(ann: Client, method: str) -> None:
    """OSSA-2026-010: nor is an endpoint looked up by what the body says."""
    region = {"glance_region": "elsewhere", "glance_image_id": new_id()}
    wanted = {"method": {"name": method, **region}}
    answer = ann.post(f"/v2/images/{create(ann)}/import", wanted)
    assert answer.status == 400


def test_a_delete_is_at_once_and_complete(ann: Client, service: Service) -> None:
    image_id = active(ann, b"x" * MIB, name="once")
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    assert ann.get(f"/v2/images/{image_id}/file").status == 404
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert {one["usage"] for one in usage.values()} == {0}
    service.work()
    assert service.files() == []

"""Sharing an image with a project, which may accept it or not."""

import pytest

from tests.client import Client
from tests.image.service import Service, active, create


@pytest.fixture
def shared(ann: Client) -> str:
    """Return an image of p1 that is offered to p2."""
    image_id = active(ann)
    assert ann.post(f"/v2/images/{image_id}/members", {"member": "p2"}).status == 200
    return image_id


def test_a_member_is_pending_until_it_answers(ann: Client, ben: Client, shared: str) -> None:
    url = f"/v2/images/{shared}/members"
    member = ann.get(f"{url}/p2").json()
    assert member.pop("created_at") == member.pop("updated_at")
    assert member == {
        "member_id": "p2",
        "image_id": shared,
        "status": "pending",
        "schema": "/v2/schemas/member",
    }
    answer = ben.put(f"{url}/p2", {"status": "accepted"})
    assert (answer.status, answer.json()["status"]) == (200, "accepted")
    listed = ann.get(url).json()
    assert [one["status"] for one in listed["members"]] == ["accepted"]
    assert listed["schema"] == "/v2/schemas/members"


def test_a_member_reads_the_image_and_cannot_change_it(ben: Client, shared: str) -> None:
    url = f"/v2/images/{shared}"
    assert ben.get(f"{url}/file").status == 200
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    change = [{"op": "replace", "path": "/name", "value": "mine"}]
    assert ben.patch(url, change, headers=headers).status == 403
    assert ben.delete(url).status == 403
    assert ben.post(f"{url}/members", {"member": "p3"}).status == 403
    assert ben.delete(f"{url}/members/p2").status == 403
    assert ben.put(f"{url}/tags/x").status == 403


def test_only_the_project_asked_may_answer(
    service: Service, ann: Client, ben: Client, shared: str
) -> None:
    url = f"/v2/images/{shared}/members/p2"
    assert ann.put(url, {"status": "accepted"}).status == 403
    assert service.client("eve:p3:member").put(url, {"status": "accepted"}).status == 404
    assert service.client("ben:p2:reader").put(url, {"status": "accepted"}).status == 403
    assert ben.put(url, {"status": "maybe"}).status == 400
    assert ben.put(url, {}).status == 400


def test_members_see_only_themselves(service: Service, ann: Client, ben: Client) -> None:
    image_id = create(ann)
    url = f"/v2/images/{image_id}/members"
    for project in ("p2", "p3"):
        ann.post(url, {"member": project})
    assert {m["member_id"] for m in ann.get(url).json()["members"]} == {"p2", "p3"}
    assert [m["member_id"] for m in ben.get(url).json()["members"]] == ["p2"]
    assert ben.get(f"{url}/p3").status == 404
    assert service.client("eve:p4:member").get(url).status == 404


def test_a_member_that_is_removed_sees_nothing(ann: Client, ben: Client, shared: str) -> None:
    url = f"/v2/images/{shared}/members/p2"
    assert ann.delete(url).status == 204
    assert ann.delete(url).status == 404
    assert ben.get(f"/v2/images/{shared}").status == 404
    assert ben.get(f"/v2/images/{shared}/file").status == 404


def test_wrong_members_are_refused(service: Service, ann: Client, shared: str) -> None:
    url = f"/v2/images/{shared}/members"
    assert ann.post(url, {"member": "p2"}).status == 409
    assert ann.post(url, {"member": ""}).status == 400
    assert ann.post(url, {"member": "a\0b"}).status == 400
    assert ann.post(url, {}).status == 400
    private = create(ann, visibility="private")
    refused = ann.post(f"/v2/images/{private}/members", {"member": "p2"})
    assert refused.status == 403
    assert ann.get(f"/v2/images/{private}/members").status == 403
    few = service.limited(image_member_quota=1).client("ann:p1:member")
    assert few.post(url, {"member": "p3"}).status == 413

"""Lists: who sees what, filters, order, pages."""

from urllib.parse import quote

import pytest

from cumulo.kit.clock import CLOCK
from tests.client import Client
from tests.image.service import Service, active, create, names, patch, show


@pytest.fixture
def four(ann: Client) -> dict[str, str]:
    """Return the ids of a, b, c, d: created in this order, seconds apart, of different sizes."""
    made = {}
    with CLOCK.held() as clock:
        for number, name in enumerate("abcd"):
            clock.move(10)
            made[name] = active(
                ann,
                b"x" * (4 - number),
                name=name,
                tags=["all", name],
                os_distro="one" if name in "ab" else "two",
                min_ram=number,
            )
    return made


def test_the_newest_comes_first(ann: Client, four: dict[str, str]) -> None:
    assert names(ann) == ["d", "c", "b", "a"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=name:asc", "abcd"),
        ("sort=name", "dcba"),
        ("sort=size:asc,name:asc", "dcba"),
        ("sort=container_format:asc,size:desc", "abcd"),
        ("sort_key=name&sort_dir=asc", "abcd"),
        ("sort_key=status&sort_key=name&sort_dir=desc&sort_dir=asc", "abcd"),
        ("sort_dir=asc", "abcd"),
        ("name=b", "b"),
        ("name=in:b,%22c%22", "cb"),
        ("status=active", "dcba"),
        ("status=in:queued,saving", ""),
        ("disk_format=raw&name=a", "a"),
        ("size_min=2&size_max=3", "cb"),
        ("size=4", "a"),
        ("min_ram_min=2", "dc"),
        ("tag=all&tag=c", "c"),
        ("tag=none", ""),
        ("os_distro=two", "dc"),
        ("os_distro=two&name=c", "c"),
        ("no_such=1", ""),
        ("owner=p1", "dcba"),
        ("owner=p2", ""),
        ("protected=true", ""),
        ("visibility=shared", "dcba"),
        ("visibility=private", ""),
        ("limit=2", "dc"),
        ("limit=0", ""),
    ],
)
def test_a_list_is_filtered_and_sorted(
    ann: Client, four: dict[str, str], query: str, expected: str
) -> None:
    assert "".join(names(ann, f"?{query}")) == expected


def test_times_are_compared(ann: Client, four: dict[str, str]) -> None:
    at = quote(show(ann, four["b"])["created_at"])
    at_most = "".join(names(ann, f"?created_at=lt:{at}"))
    at_least = "".join(names(ann, f"?created_at=gte:{at}"))
    assert (at_least, at_most) == ("dcb", "a")
    assert names(ann, "?updated_at=gt:2020-01-01T00:00:00%2B02:00&name=a") == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "marker=none",
        "sort=color",
        "sort=name:up",
        "sort=name&sort_key=size",
        "sort_key=name&sort_dir=asc&sort_dir=desc",
        "size_min=big",
        "min_disk=1e9",
        "size=99999999999999999999",
        "created_at=yesterday",
        "created_at=like:2020-01-01T00:00:00Z",
        "name=like:x",
        "name=in:%22x",
        "visibility=none",
        "member_status=maybe",
        "os_hidden=perhaps",
        "protected=1",
        "changes-since=2020-01-01T00:00:00Z",
        "a%00b=1",
    ],
)
def test_a_wrong_question_is_refused(ann: Client, four: dict[str, str], query: str) -> None:
    assert ann.get(f"/v2/images?{query}").status == 400


@pytest.mark.parametrize("sort", ["name:asc", "size:desc", "status:asc", "disk_format:desc"])
def test_pages_follow_each_other(ann: Client, four: dict[str, str], sort: str) -> None:
    create(ann, name=None, disk_format=None)
    create(ann, name=None)
    whole = [image["id"] for image in ann.get(f"/v2/images?sort={sort}").json()["images"]]
    seen: list[str] = []
    url = f"/v2/images?limit=1&sort={sort}"
    for _ in whole:
        page = ann.get(url).json()
        assert page["first"] == f"/v2/images?limit=1&sort={quote(sort, safe='')}"
        seen += [image["id"] for image in page["images"]]
        url = page["next"]
    assert seen == whole
    last = ann.get(url).json()
    assert last["images"] == []
    assert "next" not in last


def test_a_page_is_25_images_unless_more_are_asked_for(service: Service) -> None:
    ann = service.limited(limit_param_default=2, api_limit_max=3).client("ann:p1:member")
    for number in range(4):
        create(ann, name=str(number))
    assert len(names(ann)) == 2
    assert len(names(ann, "?limit=100")) == 3


def test_hidden_images_are_listed_when_asked_for(ann: Client) -> None:
    image_id = create(ann, name="old", os_hidden=True)
    assert names(ann) == []
    assert names(ann, "?os_hidden=true") == ["old"]
    assert show(ann, image_id)["os_hidden"] is True


def test_each_project_sees_its_own_and_the_public(ann: Client, ben: Client, root: Client) -> None:
    create(root, name="public", visibility="public")
    create(ann, name="shared")
    create(ann, name="private", visibility="private")
    community = create(ann, name="community", visibility="community")
    assert sorted(names(ann)) == ["community", "private", "public", "shared"]
    assert names(ben) == ["public"]
    assert names(ben, "?visibility=community") == ["community"]
    assert sorted(names(ben, "?visibility=all")) == ["community", "public"]
    assert names(ben, "?visibility=private") == []
    assert show(ben, community)["name"] == "community"
    assert sorted(names(root, "?visibility=all")) == ["community", "private", "public", "shared"]
    assert sorted(names(root)) == ["private", "public", "shared"]


def test_a_shared_image_is_listed_when_accepted(ann: Client, ben: Client) -> None:
    image_id = create(ann, name="shared")
    ann.post(f"/v2/images/{image_id}/members", {"member": "p2"})
    assert show(ben, image_id)["name"] == "shared"
    assert names(ben) == []
    assert names(ben, "?member_status=pending") == ["shared"]
    ben.put(f"/v2/images/{image_id}/members/p2", {"status": "accepted"})
    assert names(ben) == ["shared"]
    assert names(ben, "?member_status=all&visibility=shared") == ["shared"]
    ben.put(f"/v2/images/{image_id}/members/p2", {"status": "rejected"})
    assert names(ben) == []
    patch(ann, image_id, {"op": "replace", "path": "/visibility", "value": "private"})
    assert ben.get(f"/v2/images/{image_id}").status == 404

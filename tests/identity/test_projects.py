import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, made


def test_a_project_from_first_to_last(admin: Client) -> None:
    project = made(admin, "project", {"name": "lab", "description": "d", "colour": "red"})
    assert project == {
        "id": project["id"],
        "name": "lab",
        "domain_id": "default",
        "parent_id": "default",
        "description": "d",
        "enabled": True,
        "is_domain": False,
        "tags": [],
        "options": {},
        "colour": "red",
        "links": {"self": f"http://cloud/v3/projects/{project['id']}"},
    }
    one = f"/v3/projects/{project['id']}"
    assert admin.get(one).json()["project"] == project
    changed = admin.patch(one, {"project": {"name": "lab2", "enabled": False}}).json()["project"]
    assert (changed["name"], changed["enabled"]) == ("lab2", False)
    assert admin.get("/v3/projects?enabled=0").json()["projects"][0]["id"] == project["id"]
    taken = admin.post("/v3/projects", {"project": {"name": "demo"}})
    assert taken.status == 409
    assert "the same domain: name is demo" in taken.json()["error"]["message"]
    assert admin.delete(one).status == 204
    assert admin.get(one).status == 404


def test_projects_form_a_tree(cloud: Cloud, admin: Client) -> None:
    top = made(admin, "project", {"name": "top"})["id"]
    mid = made(admin, "project", {"name": "mid", "parent_id": top})["id"]
    low = made(admin, "project", {"name": "low", "parent_id": mid})["id"]
    me = admin.get("/v3/users?name=admin").json()["users"][0]["id"]
    admin.put(f"/v3/projects/{top}/users/{me}/roles/{cloud.role(admin, 'member')}")

    def shown(query: str, project_id: str = mid) -> dict[str, object]:
        answer = admin.get(f"/v3/projects/{project_id}?{query}")
        assert answer.status == 200, answer.text
        return dict(answer.json()["project"])

    assert shown("parents_as_ids")["parents"] == {top: {"default": None}}
    assert shown("subtree_as_ids", top)["subtree"] == {mid: {low: None}}
    assert shown("subtree_as_ids", low)["subtree"] is None
    parents = shown("parents_as_list")["parents"]
    assert isinstance(parents, list)
    assert [one["project"]["name"] for one in parents] == ["top"]
    assert shown("subtree_as_list")["subtree"] == []
    assert "parents" not in shown("parents_as_ids=0")
    both = admin.get(f"/v3/projects/{mid}?parents_as_list&parents_as_ids")
    assert both.status == 400
    assert admin.get(f"/v3/projects?parent_id={top}").json()["projects"][0]["id"] == mid

    assert admin.delete(f"/v3/projects/{mid}").status == 403
    assert admin.patch(f"/v3/projects/{mid}", {"project": {"enabled": False}}).status == 403
    assert admin.patch(f"/v3/projects/{low}", {"project": {"enabled": False}}).status == 200
    assert admin.patch(f"/v3/projects/{mid}", {"project": {"enabled": False}}).status == 200
    assert admin.patch(f"/v3/projects/{low}", {"project": {"enabled": True}}).status == 403
    below = {"name": "x", "parent_id": low}
    refused = admin.post("/v3/projects", {"project": below})
    assert refused.status == 400
    assert "disabled project" in refused.json()["error"]["message"]


def test_the_tree_has_a_depth(admin: Client) -> None:
    parent_id = None
    for depth in range(5):
        parent_id = made(admin, "project", {"name": f"p{depth}", "parent_id": parent_id})["id"]
    deep = admin.post("/v3/projects", {"project": {"name": "deep", "parent_id": parent_id}})
    assert deep.status == 403
    assert "Max hierarchy depth reached" in deep.json()["error"]["message"]


def test_a_parent_is_in_the_same_domain(cloud: Cloud, admin: Client) -> None:
    other = made(admin, "domain", {"name": "other"})["id"]
    demo = cloud.project(admin, "demo")
    for wrong in (
        {"domain_id": other, "parent_id": demo},
        {"domain_id": other, "parent_id": "default"},
        {"domain_id": "nowhere"},
        {"parent_id": "nowhere"},
        {"domain_id": demo},
    ):
        answer = admin.post("/v3/projects", {"project": {"name": "x", **wrong}})
        assert answer.status == 400, wrong


def test_a_place_cannot_change(cloud: Cloud, admin: Client) -> None:
    one = f"/v3/projects/{cloud.project(admin, 'demo')}"
    assert admin.patch(one, {"project": {"parent_id": None}}).status == 403
    assert admin.patch(one, {"project": {"domain_id": "other"}}).status == 400
    assert admin.patch(one, {"project": {"is_domain": True}}).status == 400
    assert admin.patch(one, {"project": {"id": "other"}}).status == 400
    same = {"parent_id": "default", "domain_id": "default", "is_domain": False, "name": "demo2"}
    assert admin.patch(one, {"project": same}).status == 200


@pytest.mark.parametrize(
    "project",
    [
        {},
        {"name": ""},
        {"name": "x" * 65},
        {"name": None},
        {"name": "x", "tags": ["a,b"]},
        {"name": "x", "tags": "a"},
        {"name": "x", "options": {"immutable": []}},
        {"name": "x", "parent_id": "!"},
    ],
)
def test_a_wrong_project_is_refused(admin: Client, project: dict[str, object]) -> None:
    assert admin.post("/v3/projects", {"project": project}).status == 400


def test_who_may_see_projects(cloud: Cloud, admin: Client) -> None:
    own = cloud.project(admin, "demo")
    demo = cloud.login("demo", "demo-secret", {"project": {"id": own}})
    assert demo.get(f"/v3/projects/{own}").status == 200
    assert demo.get(f"/v3/projects/{cloud.project(admin, 'admin')}").status == 403
    assert demo.get("/v3/projects").status == 403
    assert demo.post("/v3/projects", {"project": {"name": "x"}}).status == 403
    assert demo.delete(f"/v3/projects/{own}").status == 403


def test_tags(cloud: Cloud, admin: Client) -> None:
    project = made(admin, "project", {"name": "lab", "tags": ["a", "b", "a"]})
    assert project["tags"] == ["a", "b"]
    tags = f"/v3/projects/{project['id']}/tags"
    assert admin.get(tags).json() == {"tags": ["a", "b"], "links": {"self": f"http://cloud{tags}"}}
    added = admin.put(f"{tags}/c")
    assert (added.status, added.headers["location"]) == (201, f"http://cloud{tags}/c")
    assert admin.request("HEAD", f"{tags}/c").status == 204
    assert admin.delete(f"{tags}/a").status == 204
    assert admin.get(f"{tags}/a").status == 404
    assert admin.delete(f"{tags}/a").status == 404
    assert admin.put(tags, {"tags": ["x"]}).json()["tags"] == ["x"]
    assert admin.put(tags, {"tags": ["x/y"]}).status == 400
    assert admin.put(tags, {"tags": [str(number) for number in range(81)]}).status == 400
    assert admin.put(f"{tags}/{'x' * 256}").status == 400
    made(admin, "project", {"name": "other", "tags": ["x", "y"]})

    def names(query: str) -> list[str]:
        found = admin.get(f"/v3/projects?{query}").json()["projects"]
        return sorted(one["name"] for one in found)

    assert names("tags=x") == ["lab", "other"]
    assert names("tags=x,y") == ["other"]
    assert names("tags-any=x,z") == ["lab", "other"]
    assert names("not-tags=x,y") == ["admin", "demo", "lab", "service"]
    assert names("not-tags-any=y") == ["admin", "demo", "lab", "service"]
    assert admin.delete(tags).status == 204
    assert admin.get(tags).json()["tags"] == []


def test_what_is_immutable_stays(admin: Client) -> None:
    project = made(admin, "project", {"name": "rock", "options": {"immutable": True}})
    one = f"/v3/projects/{project['id']}"
    refused = admin.patch(one, {"project": {"name": "sand"}})
    assert refused.status == 403
    assert 'Set resource option "immutable" to false first.' in refused.text.replace("\\", "")
    lifted_and_more = {"name": "sand", "options": {"immutable": False}}
    assert admin.patch(one, {"project": lifted_and_more}).status == 403
    assert admin.delete(one).status == 403
    assert admin.put(f"{one}/tags/x").status == 403
    lifted = admin.patch(one, {"project": {"options": {"immutable": None}}})
    assert lifted.json()["project"]["options"] == {}
    assert admin.delete(one).status == 204


def test_what_refers_to_a_project_goes_with_it(cloud: Cloud, admin: Client) -> None:
    project = made(admin, "project", {"name": "lab"})["id"]
    ann = cloud.user(admin, "ann", default_project_id=project)
    admin.put(f"/v3/projects/{project}/users/{ann}/roles/{cloud.role(admin, 'member')}")
    assert admin.delete(f"/v3/projects/{project}").status == 204
    assert "default_project_id" not in admin.get(f"/v3/users/{ann}").json()["user"]
    assert admin.get(f"/v3/role_assignments?user.id={ann}").json()["role_assignments"] == []


def test_a_tag_cannot_break_a_header(admin: Client) -> None:
    project = made(admin, "project", {"name": "lab"})["id"]
    assert admin.put(f"/v3/projects/{project}/tags/a%0d%0aX-Evil:%20b").status == 400
    assert admin.get(f"/v3/projects/{project}/tags").json()["tags"] == []
    added = admin.put(f"/v3/projects/{project}/tags/a%20b%C3%A9")
    assert added.headers["location"].endswith("/tags/a%20b%C3%A9")
    assert made(admin, "project", {"name": "x", "tags": ["é b"]})["tags"] == ["é b"]
    assert admin.post("/v3/projects", {"project": {"name": "y", "tags": ["a\n"]}}).status == 400
    assert admin.post("/v3/projects", {"project": {"name": "y", "domain_id": "a\n"}}).status == 400

"""Metadata definitions: administrators write them, everybody looks the public ones up."""

from typing import Any

import pytest

from cumulo.db import Database
from cumulo.services.image.metadefs import RESOURCE_TYPES, add_first_resource_types
from cumulo.work.events import events_since
from tests.client import Client

AT = "/v2/metadefs/namespaces"
CPU = {"title": "CPUs", "type": "integer", "minimum": 1, "default": 2, "enum": [1, 2, 4]}


def given(root: Client, **fields: Any) -> Any:
    answer = root.post(AT, {"namespace": "hw", "visibility": "public", **fields})
    assert answer.status == 201, answer.text
    assert answer.headers["location"].endswith(f"{AT}/{answer.json()['namespace']}")
    return answer.json()


def test_a_namespace_comes_with_all_that_is_in_it(root: Client, ann: Client) -> None:
    made = given(
        root,
        display_name="Hardware",
        description="What guests see.",
        properties={"cpus": CPU},
        objects=[{"name": "numa", "properties": {"nodes": CPU}, "required": ["nodes"]}],
        tags=[{"name": "fast"}],
        resource_type_associations=[{"name": "OS::Nova::Flavor", "prefix": "hw:"}],
    )
    shown = ann.get(f"{AT}/hw").json()
    assert shown == made
    assert shown["properties"] == {"cpus": CPU}
    assert shown["objects"][0]["properties"] == {"nodes": CPU}
    assert shown["tags"] == [{"name": "fast"}]
    (related,) = shown["resource_type_associations"]
    assert (related["name"], related["prefix"]) == ("OS::Nova::Flavor", "hw:")
    assert "properties_target" not in related
    spelled = ann.get(f"{AT}/hw?resource_type=OS::Nova::Flavor").json()
    assert spelled["properties"] == {"hw:cpus": CPU}


def test_only_administrators_write(ann: Client, root: Client) -> None:
    given(root)
    assert ann.post(AT, {"namespace": "mine"}).status == 403
    assert ann.put(f"{AT}/hw", {"namespace": "hw"}).status == 403
    assert ann.delete(f"{AT}/hw").status == 403
    for noun in ("objects", "properties", "tags", "resource_types"):
        body = {"name": "x", "title": "x", "type": "string", "tags": []}
        assert ann.post(f"{AT}/hw/{noun}", body).status == 403
        assert ann.get(f"{AT}/hw/{noun}").status == 200


def test_a_private_namespace_is_there_for_its_project_only(
    root: Client, ann: Client, ben: Client
) -> None:
    given(root, visibility="private", owner="p1", objects=[{"name": "o"}])
    assert ann.get(f"{AT}/hw").json()["owner"] == "p1"
    assert ben.get(f"{AT}/hw").status == 404
    assert ben.get(f"{AT}/hw/objects").status == 404
    assert ben.get(f"{AT}/hw/objects/o").status == 404
    assert [one["namespace"] for one in ann.get(AT).json()["namespaces"]] == ["hw"]
    assert ben.get(AT).json()["namespaces"] == []


def test_what_is_protected_stays(root: Client) -> None:
    given(root, protected=True, objects=[{"name": "o"}], tags=[{"name": "t"}])
    for path in ("", "/objects", "/objects/o", "/tags", "/tags/t", "/properties"):
        answer = root.delete(f"{AT}/hw{path}")
        assert answer.status == 403
        assert "protected" in answer.text
    assert root.put(f"{AT}/hw", {"namespace": "hw", "protected": False}).status == 200
    assert root.delete(f"{AT}/hw").status == 204
    assert root.get(f"{AT}/hw").status == 404
    given(root)
    assert root.get(f"{AT}/hw/objects").json()["objects"] == []


def test_a_namespace_may_get_another_name(root: Client) -> None:
    given(root, objects=[{"name": "o"}])
    given(root, namespace="taken")
    assert root.put(f"{AT}/hw", {"namespace": "taken"}).status == 409
    moved = root.put(f"{AT}/hw", {"namespace": "sw", "description": "d"}).json()
    assert (moved["namespace"], moved["description"], moved["visibility"]) == ("sw", "d", "private")
    assert root.get(f"{AT}/hw").status == 404
    assert root.get(f"{AT}/sw/objects/o").status == 200


@pytest.mark.parametrize(
    ("noun", "body", "changed"),
    [
        ("objects", {"name": "one"}, {"name": "two", "description": "d"}),
        ("properties", {"name": "one", **CPU}, {"name": "two", "title": "t", "type": "string"}),
        ("tags", {"name": "one"}, {"name": "two"}),
    ],
)
def test_definitions_come_and_go(
    root: Client, noun: str, body: dict[str, Any], changed: dict[str, Any]
) -> None:
    given(root)
    at = f"{AT}/hw/{noun}"
    new = f"{at}/one" if noun == "tags" else at
    assert root.post(new, body).status == 201
    assert root.post(new, body).status == 409
    assert root.get(f"{at}/one").json().items() >= body.items()
    assert root.put(f"{at}/one", changed).json().items() >= changed.items()
    assert root.get(f"{at}/one").status == 404
    assert root.put(f"{at}/one", changed).status == 404
    assert "two" in str(root.get(at).json()[noun])
    assert root.delete(f"{at}/two").status == 204
    assert root.delete(f"{at}/two").status == 404
    assert not root.get(at).json()[noun]
    assert root.delete(at).status == 204


def test_tags_are_replaced_or_added_to(root: Client) -> None:
    given(root)
    at, some = f"{AT}/hw/tags", {"tags": [{"name": "a"}, {"name": "b"}]}
    assert root.post(at, some).json() == some
    more = {"tags": [{"name": "c"}]}
    append = {"X-Openstack-Append": "True"}
    assert [t["name"] for t in root.post(at, more, headers=append).json()["tags"]] == list("abc")
    assert root.post(at, more, headers=append).status == 409
    assert root.post(at, more).json() == more
    assert root.post(at, {"tags": [{"name": "d"}, {"name": "d"}]}).status == 409
    assert root.get(at).json()["tags"] == more["tags"]


def test_what_a_namespace_is_for(root: Client, service: Any) -> None:
    service.tools.db.write(add_first_resource_types)
    given(root, properties={"cpus": CPU})
    at = f"{AT}/hw/resource_types"
    wish = {"name": "OS::Nova::Server", "prefix": "hw_", "properties_target": "image"}
    assert root.post(at, wish).json().items() >= wish.items()
    assert root.post(at, wish).status == 409
    assert root.post(at, {"name": "Own::Kind"}).status == 201
    known = [
        one["name"] for one in root.get("/v2/metadefs/resource_types").json()["resource_types"]
    ]
    assert known == sorted([*RESOURCE_TYPES, "Own::Kind"])
    shown = root.get(f"{AT}/hw/properties/hw_cpus?resource_type=OS::Nova::Server").json()
    assert shown == {"name": "hw_cpus", **CPU}
    assert root.delete(f"{at}/Own::Kind").status == 204
    assert root.delete(f"{at}/Own::Kind").status == 404
    (left,) = root.get(at).json()["resource_type_associations"]
    assert left["name"] == "OS::Nova::Server"


def test_lists_come_in_pages_and_are_filtered(root: Client) -> None:
    for name in ("c", "a", "b"):
        given(root, namespace=name, resource_type_associations=[{"name": f"Kind::{name}"}])
    given(root, namespace="p", visibility="private")

    def names(query: str) -> list[str]:
        answer = root.get(f"{AT}?{query}")
        assert answer.status == 200, answer.text
        return [one["namespace"] for one in answer.json()["namespaces"]]

    assert names("sort_key=namespace&sort_dir=asc") == ["a", "b", "c", "p"]
    assert names("") == ["p", "b", "a", "c"]
    assert names("visibility=public&sort_key=namespace&sort_dir=asc") == ["a", "b", "c"]
    assert sorted(names("resource_types=Kind::a,Kind::b")) == ["a", "b"]
    first = root.get(f"{AT}?limit=3").json()
    second = root.get(first["next"]).json()
    assert [one["namespace"] for one in second["namespaces"]] == ["c"]
    assert "next" not in second
    for wrong in ("sort_key=owner", "sort_dir=up", "marker=none", "visibility=x", "limit=-1"):
        assert root.get(f"{AT}?{wrong}").status == 400


def test_objects_and_tags_come_in_pages(root: Client) -> None:
    names = [{"name": name} for name in "abc"]
    given(root, objects=names, tags=names)
    for noun in ("objects", "tags"):
        first = root.get(f"{AT}/hw/{noun}?limit=2").json()
        rest = root.get(first["next"]).json()
        assert [one["name"] for one in [*first[noun], *rest[noun]]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"namespace": ""}, "namespace"),
        ({"namespace": "x" * 81}, "namespace"),
        ({"visibility": "community"}, "visibility"),
        ({"protected": "yes"}, "protected"),
        ({"unknown": 1}, "unknown"),
        ({"description": "x" * 501}, "description"),
        ({"properties": {"p": {"type": "string"}}}, "title"),
        ({"properties": {"p": {"title": "p", "type": "text"}}}, "type"),
        ({"properties": {"": CPU}}, "name"),
        ({"objects": [{"name": "o", "properties": {"x" * 81: CPU}}]}, "name"),
        ({"tags": [{"name": 1}]}, "tags"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    root: Client, service: Any, wrong: dict[str, Any], field: str
) -> None:
    answer = root.post(AT, {"namespace": "hw", **wrong})
    assert answer.status == 400
    assert field in answer.text
    assert root.get(AT).json()["namespaces"] == []
    assert service.tools.db.read(events_since) == []


def test_two_of_one_name_are_refused_with_the_whole_namespace(root: Client) -> None:
    twice = root.post(AT, {"namespace": "hw", "objects": [{"name": "o"}, {"name": "o"}]})
    assert twice.status == 409
    assert root.get(f"{AT}/hw").status == 404


def test_each_change_is_told_once(root: Client, service: Any) -> None:
    given(root)
    root.post(f"{AT}/hw/objects", {"name": "o"})
    root.put(f"{AT}/hw/objects/o", {"name": "o", "description": "d"})
    root.delete(f"{AT}/hw/objects/o")
    root.delete(f"{AT}/hw")
    db: Database = service.tools.db
    assert [(event.resource, event.action) for event in db.read(events_since)] == [
        ("metadef_namespace", "create"),
        ("metadef_object", "create"),
        ("metadef_object", "update"),
        ("metadef_object", "delete"),
        ("metadef_namespace", "delete"),
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("namespace", "namespace"),
        ("namespaces", "namespaces"),
        ("object", "object"),
        ("objects", "objects"),
        ("property", "property"),
        ("properties", "properties"),
        ("tag", "tag"),
        ("tags", "tags"),
        ("resource_type", "resource_type_association"),
        ("resource_types", "resource_type_associations"),
    ],
)
def test_there_are_documents_that_describe_them(ann: Client, path: str, name: str) -> None:
    found = ann.get(f"/v2/schemas/metadefs/{path}").json()
    assert found["name"] == name
    assert path.endswith("s") == ("links" in found)
    assert found["properties"]


def test_answers_are_as_the_documents_say(root: Client, ann: Client) -> None:
    """As clients check them: the documents allow nothing that they do not name."""
    made = given(
        root,
        properties={"cpus": CPU},
        objects=[{"name": "numa", "properties": {"nodes": CPU}}],
        tags=[{"name": "fast"}],
        resource_type_associations=[{"name": "OS::Nova::Flavor", "prefix": "hw:"}],
    )
    for path, told in (
        ("namespace", made),
        ("namespace", ann.get(AT).json()["namespaces"][0]),
        ("object", ann.get(f"{AT}/hw/objects/numa").json()),
        ("property", ann.get(f"{AT}/hw/properties/cpus").json()),
        ("tag", ann.get(f"{AT}/hw/tags/fast").json()),
        (
            "resource_type",
            ann.get(f"{AT}/hw/resource_types").json()["resource_type_associations"][0],
        ),
    ):
        found = ann.get(f"/v2/schemas/metadefs/{path}").json()
        assert not found["additionalProperties"]
        assert told.keys() <= found["properties"].keys(), path
        assert not any("additionalProperties" in one for one in found["definitions"].values())


def test_a_namespace_may_be_sent_back_as_it_was_told(root: Client) -> None:
    """As the usual client does, which takes out no more than this."""
    made = given(
        root,
        properties={"cpus": CPU},
        objects=[{"name": "numa", "properties": {"nodes": CPU}}],
        tags=[{"name": "fast"}],
        resource_type_associations=[{"name": "OS::Nova::Flavor", "prefix": "hw:"}],
    )
    out = ("self", "schema", "created_at", "updated_at")
    told = {name: value for name, value in made.items() if name not in out}
    answer = root.put(f"{AT}/hw", {**told, "description": "New.", "properties": {}})
    assert answer.status == 200, answer.text
    now = root.get(f"{AT}/hw").json()
    assert now["description"] == "New."
    assert now["properties"] == {"cpus": CPU}, "it has a path of its own"
    assert now["objects"] == made["objects"]

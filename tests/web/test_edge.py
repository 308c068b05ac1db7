import hashlib
from typing import Annotated, TypeAlias

import msgspec
import pytest

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.kit.errors import Conflict, NotFound, OverQuota
from cumulo.web import Call as _Call
from cumulo.web import (
    History,
    LooseBool,
    LooseInt,
    Reply,
    Routes,
    Stream,
    Upload,
    faults,
    since,
    until,
)
from cumulo.web.edge import Api, Edge
from tests.client import Client, authenticate

Call: TypeAlias = _Call[None]
routes = Routes()


class Spec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(max_length=10)]
    size: LooseInt = 1
    fast: LooseBool = False
    group: Annotated[str | None, since("2.3")] = None


class View(msgspec.Struct, kw_only=True):
    name: str
    size: int
    fast: bool
    old: Annotated[str, until("2.2")] = "old"
    group: Annotated[str | None, since("2.3")] = None


class Create(msgspec.Struct, forbid_unknown_fields=True):
    thing: Spec


class One(msgspec.Struct):
    thing: View


class Many(msgspec.Struct):
    things: list[View]


class Query(msgspec.Struct, forbid_unknown_fields=True):
    limit: int | None = None
    name: list[str] = []
    fast: LooseBool = False


class Reboot(msgspec.Struct):
    type: str


@routes.get("/", policy=None)
def versions(call: Call) -> Reply:
    """List the versions."""
    return Reply({"url": call.url}, status=300)


@routes.post("/v2/things", policy="create", status=201)
def create(call: Call, body: Create) -> One:
    """Make a thing."""
    spec = body.thing
    return One(View(name=spec.name, size=spec.size, fast=spec.fast, group=spec.group))


@routes.get("/v2/things", policy="list")
def list_things(call: Call, query: Query) -> Many:
    """List things."""
    things = [View(name=n, size=query.limit or 0, fast=query.fast) for n in query.name]
    return Many(things)


@routes.get("/v2/things/{name}", policy="show")
def show(call: Call, name: str) -> One:
    """Show a thing."""
    errors = {"gone": NotFound("No thing."), "busy": Conflict("Busy."), "full": OverQuota("Full.")}
    if name in errors:
        raise errors[name]
    return One(View(name=f"{call.ctx.project_id} {name}", size=1, fast=name != "slow"))


@routes.put("/v2/things/{name}/data", policy="create", status=201)
def put_data(call: Call, name: str, body: Upload) -> Reply:
    """Store data."""
    pieces = list(body)
    md5 = hashlib.md5(b"".join(pieces), usedforsecurity=False).hexdigest()
    return Reply({"pieces": len(pieces)}, headers={"ETag": md5, "X-Name": name})


@routes.get("/v2/things/{name}/data", policy="show")
def get_data(call: Call, name: str) -> Stream:
    """Return data."""
    return Stream((b"x" * 3 for _ in range(3)), length=9)


@routes.post("/v2/things/{name}/action", policy="create", status=202, action="start")
def start_thing(call: Call, name: str) -> None:
    """Start a thing."""


@routes.post("/v2/things/{name}/action", policy="create", status=202, action="reboot")
def reboot_thing(call: Call, name: str, body: Reboot) -> Reply:
    """Restart a thing."""
    return Reply({"type": body.type})


class Change(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    size: int | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    group: Annotated[str | msgspec.UnsetType | None, since("2.3")] = msgspec.UNSET


@routes.patch("/v2/things/{name}", policy="create")
def change_thing(call: Call, name: str, body: Change) -> Change:
    """Say what would change."""
    return body


@routes.delete("/v2/new", policy="create", status=204, since="2.3")
def delete_new(call: Call) -> None:
    """Remove what came with 2.3."""


@routes.get("/v2/owned/{owner}", policy="own", on_target=True)
def show_owned(call: Call, owner: str) -> None:
    """Show what only its owner may see."""
    call.ctx.require("own", user_id=owner)


@routes.get("/v2/bug", policy="show")
def bug(call: Call) -> None:
    """Fail."""
    raise ZeroDivisionError


@routes.get("/v2/anyone", policy="", status=204)
def anyone(call: Call) -> None:
    """Answer whoever has a token."""


HISTORY = History("things", ("2.1", "The first."), ("2.3", "Groups."), legacy="X-Things-Version")
RULES = {"create": "role:member", "list": "role:reader", "show": "role:reader"}
RULES |= {"own": "user_id:%(user_id)s"}


@pytest.fixture
def api(db: Database) -> Client:
    kind = Api(
        name="things",
        port=1,
        operations=routes.operations,
        policy=Policy(RULES),
        family=faults.NAMED,
        history=HISTORY,
        project_prefix="/v2",
        vary="X-Auth-Token",
    )
    return Client(Edge(kind, db, authenticate))


def test_a_body_is_read_loosely_where_it_may_be(api: Client) -> None:
    sent = {"thing": {"name": "a", "size": "7", "fast": "True"}}
    answer = api.post("/v2/things", sent)
    assert answer.status == 201
    assert answer.json() == {"thing": {"name": "a", "size": 7, "fast": True, "old": "old"}}


@pytest.mark.parametrize(
    ("thing", "field"),
    [
        ({"name": 5}, "thing.name"),
        ({"name": "far too long"}, "thing.name"),
        ({"name": "a", "size": "x"}, "thing.size"),
        ({"name": "a", "fast": "maybe"}, "thing.fast"),
        ({"name": "a", "colour": "red"}, "colour"),
        ({"name": "a", "group": "g"}, "group"),
        ({}, "name"),
        ([], "thing"),
    ],
)
def test_a_wrong_body_is_refused_by_name(api: Client, thing: object, field: str) -> None:
    answer = api.post("/v2/things", {"thing": thing})
    assert answer.status == 400
    assert field in answer.json()["badRequest"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b"1"])
def test_what_is_no_json_object_is_refused(api: Client, body: bytes) -> None:
    assert api.request("POST", "/v2/things", body=body).status == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [(rb"a\u0000b", 400), (rb"\\\u0000", 400), (rb"\\u0000", 201), (rb"\u0001", 201)],
)
def test_no_database_is_asked_to_store_nul(api: Client, name: bytes, status: int) -> None:
    body = b'{"thing": {"name": "' + name + b'"}}'
    assert api.request("POST", "/v2/things", body=body).status == status


def test_a_nul_is_refused_by_the_name_of_its_field(api: Client) -> None:
    for body, field in (
        (b'{"thing": {"name": "\\u0000"}}', "thing.name"),
        (b'{"thing": [0, {"\\u0000x": 1}]}', "thing.1.x"),
        (b'"\\u0000"', "body"),
    ):
        message = api.request("POST", "/v2/things", body=body).json()["badRequest"]["message"]
        assert f"field/attribute {field}." in message


def test_nul_names_nothing(api: Client) -> None:
    assert api.get("/v2/things/a%00").status == 404
    assert api.get("/v2/things?name=a%00b").status == 400


def test_a_huge_body_is_refused_unread(api: Client) -> None:
    assert api.request("POST", "/v2/things", body=b" " * (1 << 21)).status == 413


def test_fields_come_and_go_with_versions(api: Client) -> None:
    new = api.at("things 2.3")
    answer = new.post("/v2/things", {"thing": {"name": "a", "group": "g"}})
    assert answer.json() == {"thing": {"name": "a", "size": 1, "fast": False, "group": "g"}}
    assert answer.headers["openstack-api-version"] == "things 2.3"
    assert answer.headers["x-things-version"] == "2.3"
    legacy = api.get("/v2/things/a", headers={"X-Things-Version": "2.3"})
    assert "old" not in legacy.json()["thing"]


@pytest.mark.parametrize(
    ("version", "status"),
    [("things 2.1", 200), ("things latest", 200), ("things 9.9", 406), ("things x", 400)],
)
def test_versions_are_checked(api: Client, version: str, status: int) -> None:
    assert api.at(version).get("/v2/things/a").status == status


@pytest.mark.parametrize("version", [None, "things 2.3"])
def test_what_a_client_leaves_out_stays_unset(api: Client, version: str | None) -> None:
    answer = api.at(version).patch("/v2/things/a", {"size": 3})
    assert answer.json() == {"size": 3}
    group = api.at(version).patch("/v2/things/a", {"group": None})
    assert group.status == (200 if version else 400)


def test_operations_come_with_versions(api: Client) -> None:
    assert api.delete("/v2/new").status == 404
    assert api.at("things 2.3").delete("/v2/new").status == 204
    refused = api.at("things 2.3").get("/v2/new")
    assert (refused.status, refused.headers["allow"]) == (405, "DELETE")


def test_a_query_is_read_into_its_types(api: Client) -> None:
    answer = api.get("/v2/things?limit=3&name=a&name=b&fast=true")
    assert [(t["name"], t["size"], t["fast"]) for t in answer.json()["things"]] == [
        ("a", 3, True),
        ("b", 3, True),
    ]
    assert api.get("/v2/things?limit=x").status == 400
    assert api.get("/v2/things?colour=red").status == 400


def test_the_project_may_stand_in_the_path(api: Client) -> None:
    project = "0123456789abcdef0123456789abcdef"
    mine = api.as_(f"ann:{project}:member")
    assert mine.get(f"/v2/{project}/things/a").json()["thing"]["name"] == f"{project} a"
    assert api.get(f"/v2/{project}/things/a").status == 400


def test_strangers_are_told_to_authenticate(api: Client) -> None:
    for token in (None, "nobody"):
        answer = api.as_(token).get("/v2/things/a")
        assert answer.status == 401
        assert "www-authenticate" in answer.headers
    assert api.as_(None).get("/v2/nowhere").status == 401
    assert api.as_(None).get("/").status == 300


def test_rules_are_checked(api: Client) -> None:
    answer = api.as_("ann:p1:reader").post("/v2/things", {"thing": {"name": "a"}})
    assert answer.status == 403
    assert "create" in answer.json()["forbidden"]["message"]
    assert api.as_("ann:system:admin").get("/v2/things/a").status == 403


def test_a_rule_on_a_stored_object_is_asked_once_it_is_known(api: Client) -> None:
    answer = api.get("/v2/owned/ann")
    assert answer.status == 200
    assert answer.headers["vary"].startswith("X-Auth-Token, OpenStack-API-Version")
    assert api.get("/v2/owned/bob").status == 403
    assert api.as_(None).get("/v2/owned/bob").status == 401


@pytest.mark.parametrize(
    ("name", "status", "key"),
    [
        ("gone", 404, "itemNotFound"),
        ("busy", 409, "conflictingRequest"),
        ("full", 403, "forbidden"),
    ],
)
def test_errors_are_spelled_as_the_family_does(
    api: Client, name: str, status: int, key: str
) -> None:
    answer = api.get(f"/v2/things/{name}")
    assert answer.status == status
    assert answer.json()[key]["code"] == status


def test_a_bug_tells_nothing(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    answer = api.get("/v2/bug")
    assert answer.status == 500
    assert "Zero" not in answer.text
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_bodies_and_answers_stream(api: Client) -> None:
    answer = api.request("PUT", "/v2/things/a/data", body=b"x" * (3 << 20))
    assert answer.json() == {"pieces": 3}
    assert answer.headers["x-name"] == "a"
    assert api.get("/v2/things/a/data").body == b"x" * 9


def test_a_stored_name_cannot_add_headers(api: Client) -> None:
    assert api.request("PUT", "/v2/things/a%0d%0aX-Roles:%20admin/data", body=b"").status == 400


def test_one_path_carries_many_actions(api: Client) -> None:
    url = "/v2/things/a/action"
    assert api.post(url, {"start": None}).status == 202
    assert api.post(url, {"reboot": {"type": "HARD"}}).json() == {"type": "HARD"}
    assert api.post(url, {"reboot": {}}).status == 400
    assert api.post(url, {"dance": None}).status == 400
    assert api.post(url, {"start": None, "reboot": None}).status == 400
    assert api.post(url, []).status == 400


def test_identity_headers_of_clients_mean_nothing(api: Client) -> None:
    lies = {"X-Roles": "admin", "X-User-Id": "root", "X-Project-Id": "p2", "X-Is-Admin": "True"}
    assert api.get("/v2/things/a", headers=lies).json()["thing"]["name"] == "p1 a"
    assert api.as_(None).get("/v2/things/a", headers=lies).status == 401


def test_any_token_will_do_where_no_rule_is_named(api: Client) -> None:
    assert api.as_("ann:-:nobody").get("/v2/anyone").status == 204
    assert api.as_(None).get("/v2/anyone").status == 401


@routes.get("/cookies", policy=None)
def bake(call: Call) -> Reply:
    """Set two cookies."""
    return Reply(b"", cookies=("a=1", call.filters.get("b", ["b=2"])[0]))


def test_cookies_are_lines_of_their_own(db: Database) -> None:
    found: list[tuple[str, str]] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        found.extend([("status", status), *headers])

    api = Api(
        name="thing",
        port=1,
        operations=routes.operations,
        policy=Policy({}),
        family=faults.TITLED,
        headers={"X-Frame-Options": "DENY"},
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/cookies", "HTTP_HOST": "cloud"}
    environ |= {"SERVER_NAME": "cloud", "SERVER_PORT": "80"}
    Edge(api, db, authenticate)(environ, start_response)
    assert [value for name, value in found if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert ("X-Frame-Options", "DENY") in found
    found.clear()
    query = {"QUERY_STRING": "b=x%0d%0aSet-Cookie:c=d"}
    Edge(api, db, authenticate)({**environ, **query}, start_response)
    assert found[0] == ("status", "400 Bad Request")
    assert ("X-Frame-Options", "DENY") in found

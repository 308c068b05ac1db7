"""Whatever is sent to any operation: a success, or a refusal that says why and changes nothing.

Every operation is asked with ids of what is there and with a body that is right but for one
thing.  Each request finds the same cloud: what one has changed is put back before the next.
FUZZ_EXAMPLES asks for more of them, each time others.
"""

import functools
import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cumulo.auth import Context
from cumulo.web import Operation, Upload
from cumulo.web.edge import Api
from tests.client import Answer, authenticate
from tests.cloud import Emulated
from tests.fuzz.seeds import SEEDS
from tests.fuzz.strategies import (
    DELETED,
    NASTY,
    NASTY_BODIES,
    NASTY_HEADERS,
    NASTY_MEDIA,
    NASTY_TEXT,
    changed,
    places,
    right,
)
from tests.fuzz.things import PROJECT, Things, token

SERVICES = ("identity", "image", "placement", "compute", "network", "volume")
OTHERS = (f"ann:{PROJECT}:member", f"eve:{PROJECT}:reader", "mallory:p2:member", "bob:-:member")
ASKED_FOR = os.environ.get("FUZZ_EXAMPLES")
EXAMPLES = int(ASKED_FOR or 3)
# What may be written though the request is refused: that an upload came, which is seen as soon as
# it begins; how often a password was wrong.
TRACES = {"upload_image", "stage_image", "create_token", "change_password"}
_SETTINGS = functools.partial(
    settings,
    deadline=None,
    derandomize=not ASKED_FOR,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")

pytestmark = pytest.mark.walk


class Kept:
    """A cloud's database as it was, to be compared and to be put back."""

    def __init__(self, cloud: Emulated) -> None:
        self._path = str(cloud.db.engine.url.database)
        self._watcher = sqlite3.connect(self._path, isolation_level=None)
        self._watcher.execute("pragma synchronous=off")
        self._copy = sqlite3.connect(":memory:")
        self._watcher.backup(self._copy)
        self._before = _digest(self._copy)
        self._version = self._seen()

    def is_changed(self) -> bool:
        """Say whether anything has been written that is not as it was."""
        if self._seen() == self._version:
            return False
        return _digest(self._watcher) != self._before

    def put_back(self) -> None:
        if self._seen() != self._version:
            self._copy.backup(self._watcher)
            self._version = self._seen()

    def close(self) -> None:
        self._watcher.close()
        self._copy.close()

    def _seen(self) -> int:
        return int(self._watcher.execute("pragma data_version").fetchone()[0])


def _digest(database: sqlite3.Connection) -> str:
    found = hashlib.sha256()
    for line in database.iterdump():
        # How much is used may be a row of nothing, where there was none.
        if not (line.startswith('INSERT INTO "quota_usage"') and line.endswith(",0);")):
            found.update(line.encode())
    return found.hexdigest()


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulated, Things, Kept]]:
    state: Path = tmp_path_factory.mktemp("fuzz")
    cloud = Emulated(state)
    there = Things(cloud)
    kept = Kept(cloud)
    yield cloud, there, kept
    kept.close()
    cloud.close()


@st.composite
def requests(draw: Any, operation: Operation, ids: dict[str, str], owner: str) -> dict[str, Any]:
    """Draw a request with real ids and a right body, wrong in one way."""
    path = {name: ids.get(name, "red") for name in PARAMETER.findall(operation.path)}
    query = draw(_query(operation, ids)) if operation.query is not None else {}
    sent: dict[str, Any] = {
        "token": owner,
        "headers": {},
        "raw": None,
        "wrong": [],
        "path": path,
        "query": query,
    }
    sent["body"] = draw(_right_body(operation, ids)) if operation.body is not Upload else None
    how = draw(st.sampled_from([_right, _place, _place, _place, _key, _raw, _query_wrong, _around]))
    how(draw, operation, sent)
    return sent


def _right(draw: Any, operation: Operation, sent: dict[str, Any]) -> None:
    """Leave all as it is."""


def _place(draw: Any, operation: Operation, sent: dict[str, Any]) -> None:
    """Put something else into one place of the body."""
    body = sent["body"]
    if body is None:
        return
    where = draw(st.sampled_from(sorted(places(body), key=str)))
    to = draw(st.sampled_from([DELETED, *NASTY]))
    sent["right"], sent["body"] = body, changed(body, where, to)
    names = [part for part in where if isinstance(part, str)]
    if names and names != [operation.action]:
        sent["wrong"] = [*names, *(to if isinstance(to, dict) else [str(to)])]
        if to is DELETED and len(where) == 1:
            sent["wrong"].append("body")  # where any name would do, it is the body that has none


def _key(draw: Any, operation: Operation, sent: dict[str, Any]) -> None:
    """Add a field that nobody knows."""
    if isinstance(sent["body"], dict):
        key = draw(st.sampled_from(["x", "", "a" * 300, "__class__"]))
        sent["body"] = {**sent["body"], key: 1}


def _raw(draw: Any, operation: Operation, sent: dict[str, Any]) -> None:
    """Send what cannot be read."""
    sent["raw"] = draw(st.sampled_from(NASTY_BODIES))


def _query_wrong(draw: Any, operation: Operation, sent: dict[str, Any]) -> None:
    """Ask with a query that makes no sense."""
    names = [*(field.encode_name for field in _fields(operation)), "limit", "marker", "x"]
    sent["query"][draw(st.sampled_from(names))] = draw(st.sampled_from(NASTY_TEXT))


def _around(draw: Any, operation: Operation, sent: dict[str, Any]) -> None:
    """Have something wrong around the body."""
    part = draw(st.sampled_from(["path", "token", "media", "headers"]))
    if part == "path" and sent["path"]:
        sent["path"][draw(st.sampled_from(sorted(sent["path"])))] = draw(
            st.sampled_from(NASTY_TEXT)
        )
    elif part == "token":
        sent["token"] = draw(st.sampled_from(OTHERS))
    elif part == "media":
        sent["headers"] = {"content-type": draw(st.sampled_from(NASTY_MEDIA))}
    else:
        sent["headers"] = draw(st.sampled_from(NASTY_HEADERS))


def _fields(operation: Operation) -> Any:
    return msgspec.structs.fields(operation.query) if operation.query else ()


def _query(operation: Operation, ids: dict[str, str]) -> Any:
    """Return a strategy of queries of one filter, with what could be there."""
    texts = st.sampled_from(["1", "fuzz", "true", "2026-01-01T00:00:00", *sorted(ids.values())[:5]])
    names = st.sampled_from([field.encode_name for field in _fields(operation)] or ["x"])
    return st.dictionaries(names, texts, max_size=1)


@pytest.mark.timeout(3600 if ASKED_FOR else 60)
@pytest.mark.parametrize("service", SERVICES)
def test_requests_are_answered_or_refused_with_a_reason(
    things: tuple[Emulated, Things, Kept], service: str
) -> None:
    cloud, there, kept = things
    api = next(api for api in cloud.cloud.apis if api.name == service)
    for operation in api.operations:
        _fuzz(cloud, there.ids[service], kept, service, operation)


@pytest.mark.parametrize("service", SERVICES)
def test_no_operation_forgets_to_ask_its_rule(
    things: tuple[Emulated, Things, Kept], service: str
) -> None:
    """Whatever a rule would refuse a caller on anything of its own is not done for that caller."""
    cloud, there, kept = things
    api = next(api for api in cloud.cloud.apis if api.name == service)
    for operation in api.operations:
        if operation.policy and operation.body is not Upload:
            _ask_without_roles(cloud, there.ids[service], kept, api, operation)


def _ask_without_roles(
    cloud: Emulated, ids: dict[str, str], kept: Kept, api: Api, operation: Operation
) -> None:
    @_SETTINGS(max_examples=1)
    @given(_right_body(operation, ids))
    def once(body: Any) -> None:
        path = {name: ids.get(name, "red") for name in PARAMETER.findall(operation.path)}
        for caller in (f"eve:{PROJECT}:nothing", f"eve:{PROJECT}:reader"):
            kept.put_back()
            sent = {"token": caller, "headers": {}, "raw": None, "path": path, "query": {}}
            answer = _ask(cloud, api.name, operation, {**sent, "body": body})
            who = authenticate(caller)
            may = api.policy.allows(operation.policy or "", who, _Own(who))
            assert may or answer.status >= 400, (operation.method, operation.path, caller)

    once()


class _Own(dict[str, object]):
    """A target that is the caller's in every respect that a rule may ask about."""

    def __init__(self, ctx: Context) -> None:
        super().__init__()
        self._ctx = ctx

    def __missing__(self, name: str) -> object:
        return self._ctx.user_id if "user" in name or "trust" in name else self._ctx.project_id

    def get(self, name: str, default: object = None) -> object:
        return self[name]


def _right_body(operation: Operation, ids: dict[str, str]) -> Any:
    """Return a strategy of bodies that are right."""
    if operation.body is None:
        return st.none()
    seeds = SEEDS.get(operation.name)
    bodies = st.sampled_from(seeds(ids)) if seeds else right(operation.body, ids)
    return bodies if operation.action is None else bodies.map(lambda one: {operation.action: one})


def _fuzz(
    cloud: Emulated, ids: dict[str, str], kept: Kept, service: str, operation: Operation
) -> None:
    @_SETTINGS(max_examples=EXAMPLES)
    @given(requests(operation, ids, token(service)))
    def once(sent: dict[str, Any]) -> None:
        kept.put_back()
        answer = _ask(cloud, service, operation, sent)
        told = (operation.method, operation.path, operation.action, sent, answer.text[:2000])
        assert answer.status < 500 or answer.status == 501, told
        if answer.status >= 400:
            check_shape(service, operation, sent["headers"].get("accept", "json"), answer, told)
            changed_much = operation.name not in TRACES and kept.is_changed()
            assert not changed_much, ("refused, and yet something changed", *told)
        if answer.status == 400 and sent["wrong"] and not names_any(answer.text, sent["wrong"]):
            whole = _ask(cloud, service, operation, {**sent, "body": sent["right"]})
            assert whole.status == 400, ("does not say which field", *told)

    once()


def _ask(cloud: Emulated, service: str, operation: Operation, sent: dict[str, Any]) -> Answer:
    path = PARAMETER.sub(
        lambda found: quote(sent["path"][found[1]][:300], safe="") or "x", operation.path
    )
    query = {name: value[:2000] for name, value in sent["query"].items()}
    body = sent["raw"]
    if body is None:
        body = b"" if sent["body"] is None else _json(sent["body"])
    version = operation.until or _latest(cloud, service)
    client = cloud.client(service, sent["token"]).at(version and f"{service} {version}")
    media = operation.media[-1] if operation.media else "application/json"
    headers = {"content-type": media, "accept": "application/json", **sent["headers"]}
    return client.request(
        operation.method, f"{path}?{urlencode(query)}", body=body, headers=headers
    )


def _latest(cloud: Emulated, service: str) -> Any:
    api = next(api for api in cloud.cloud.apis if api.name == service)
    return api.history.latest if api.history else None


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()  # not msgspec: numbers of any size are the point


def names_any(text: str, names: list[str]) -> bool:
    """Say whether a message names the field that is wrong, as it is spelled there or in words."""
    plain = text.lower().replace("_", " ").replace("tenant", "project")
    singular = [name.lower().replace("_", " ").replace("tenant", "project")[:300] for name in names]
    return any(name.removesuffix("s") in plain for name in singular if name)


def check_shape(
    service: str, operation: Operation, asked_for: str, answer: Answer, told: Any
) -> None:
    """Find the code and the words where this service's clients look for them."""
    if operation.method == "HEAD":
        return
    if "json" not in asked_for:
        assert str(answer.status) in answer.text or answer.json(), told
        return
    told = (*told, answer.headers)
    assert answer.headers["content-type"].startswith("application/json"), told
    fault = answer.json()
    code, words = CODE_AND_WORDS[service](fault)
    assert str(code).startswith(str(answer.status) if service != "network" else code), told
    assert words, told


CODE_AND_WORDS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "identity": lambda fault: (fault["error"]["code"], fault["error"]["message"]),
    "image": lambda fault: (fault["code"], fault["message"]),
    "placement": lambda fault: (fault["errors"][0]["status"], fault["errors"][0]["detail"]),
    "compute": lambda fault: next((one["code"], one["message"]) for one in fault.values()),
    "volume": lambda fault: next((one["code"], one["message"]) for one in fault.values()),
    "network": lambda fault: (fault["NeutronError"]["type"], fault["NeutronError"]["message"]),
}


# What stands in paths for things that one project owns and shows to no other.
OWNED = {
    "compute": {"server_id", "group_id", "tenant_id"},
    "image": {"image_id"},
    "network": {"network_id", "subnet_id", "port_id", "router_id", "trunk_id", "floatingip_id"},
    "volume": {"volume_id", "snapshot_id", "backup_id", "attachment_id", "transfer_id"},
}


@pytest.mark.parametrize("service", OWNED)
def test_what_another_project_owns_does_not_exist(
    things: tuple[Emulated, Things, Kept], service: str
) -> None:
    """Whoever asks for it by its id, whatever for, is refused, and nothing is changed by it."""
    cloud, there, kept = things
    api = next(api for api in cloud.cloud.apis if api.name == service)
    ids, asked = there.ids[service], 0
    for operation in api.operations:
        names = PARAMETER.findall(operation.path)
        if OWNED[service] & set(names) & ids.keys() and operation.body is not Upload:
            asked += 1
            _ask_as_a_stranger(cloud, ids, kept, api, operation)
    assert asked > 10


def _ask_as_a_stranger(
    cloud: Emulated, ids: dict[str, str], kept: Kept, api: Api, operation: Operation
) -> None:
    @_SETTINGS(max_examples=1)
    @given(_right_body(operation, ids))
    def once(body: Any) -> None:
        kept.put_back()
        path = {name: ids.get(name, "red") for name in PARAMETER.findall(operation.path)}
        caller = "mallory:p2:manager"
        sent = {"token": caller, "headers": {}, "raw": None, "path": path, "query": {}}
        answer = _ask(cloud, api.name, operation, {**sent, "body": body})
        where = (operation.method, operation.path, operation.action, answer.status, answer.text)
        assert answer.status >= 400, where
        assert not kept.is_changed(), where

    once()

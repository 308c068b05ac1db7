"""Whatever is sent to any operation, the answer is a clear refusal or a success, never a 500."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cumulo.web import Operation, Upload
from tests.client import Client
from tests.cloud import Emulated
from tests.fuzz.strategies import NASTY_TEXT, anything, of_kind

SERVICES = ("identity", "image", "placement", "compute", "network")
TOKENS = ("ann:p1:member", "root:p0:admin", "eve:p2:reader", "sys:system:admin", "bob:-:member")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Any:
    state: Path = tmp_path_factory.mktemp("fuzz")
    emulated = Emulated(state)
    yield emulated
    emulated.close()


def requests(operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
    names = [
        part.strip("{}").partition(":")[0] for part in operation.path.split("/") if "{" in part
    ]
    body: st.SearchStrategy[Any] = st.none() | anything
    if operation.body is not None and operation.body is not Upload:
        body = of_kind(operation.body) | anything
    if operation.action is not None:
        body = st.fixed_dictionaries({operation.action: body}) | anything
    query = st.dictionaries(st.sampled_from(["limit", "marker", "x"]), st.sampled_from(NASTY_TEXT))
    if operation.query is not None:
        fields = [f.encode_name for f in msgspec.structs.fields(operation.query)]
        query |= st.dictionaries(st.sampled_from(fields or ["x"]), st.sampled_from(NASTY_TEXT))
    return st.fixed_dictionaries(
        {
            "path": st.fixed_dictionaries({name: st.sampled_from(NASTY_TEXT) for name in names}),
            "query": query,
            "body": body,
            "token": st.sampled_from(TOKENS),
            "newest": st.booleans(),
        }
    )


@pytest.mark.parametrize("service", SERVICES)
def test_no_request_is_a_bug(cloud: Emulated, service: str) -> None:
    api = next(api for api in cloud.cloud.apis if api.name == service)
    client = cloud.client(service)
    for operation in api.operations:
        newest = f"{api.history.service_type} {api.history.latest}" if api.history else None
        _fuzz(client, operation, newest)


def _fuzz(client: Client, operation: Operation, newest: str | None) -> None:
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(operation))
    def once(sent: dict[str, Any]) -> None:
        path = operation.path
        for name, value in sent["path"].items():
            whole = next(p for p in path.split("/") if p.strip("{}").partition(":")[0] == name)
            path = path.replace(whole, quote(value[:200], safe="") or "x")
        asked = client.as_(sent["token"]).at(newest if sent["newest"] else None)
        media = operation.media[0] if operation.media else "application/json"
        query = {name: value[:2000] for name, value in sent["query"].items()}
        answer = asked.request(
            operation.method,
            f"{path}?{urlencode(query)}",
            body=msgspec.json.encode(sent["body"]),
            headers={"content-type": media},
        )
        assert answer.status < 500, (operation.method, path, sent, answer.text)

    once()

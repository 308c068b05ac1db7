"""Object storage without a cloud: users of its own, over real connections."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulo.alone import ObjectStore
from cumulo.kit.clock import CLOCK
from cumulo.kit.errors import Unauthorized
from cumulo.services.objectstore.local_users import LIFE_S, LocalUsers
from cumulo.services.objectstore.settings import LocalUser
from cumulo.settings import Settings
from tests.ports import free_port

boto3 = pytest.importorskip("boto3")
USERS = {
    "p1:ann": LocalUser(key="ann's key"),
    "p1:bob": LocalUser(key="bob's key", roles=("reader",)),
    "p2:ben": LocalUser(key="ben's key"),
}


@pytest.fixture
def port(directory: Path) -> Iterator[int]:
    port, plain = free_port(), Settings()
    web = msgspec.structs.replace(plain.http, objectstore_port=port)
    store = ObjectStore(msgspec.structs.replace(plain, http=web), directory, USERS)
    store.start()
    yield port
    store.stop()


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, said)
    answer = connection.getresponse()
    found = answer.status, answer.read() or (answer.headers.get("x-auth-token") or "").encode()
    connection.close()
    return found


def test_swifts_way_and_s3s_lead_to_the_same_objects(port: int) -> None:
    status, token = ask(port, "GET", "/auth/v1.0", x_auth_user="p1:ann", x_auth_key="ann's key")
    assert status == 200
    mine: dict[str, Any] = {"x_auth_token": token.decode()}
    assert ask(port, "PUT", "/v1/AUTH_p1/box", **mine)[0] == 201
    assert ask(port, "PUT", "/v1/AUTH_p1/box/o", b"bytes", **mine)[0] == 201
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="p1:ann",
        aws_secret_access_key="ann's key",
    )
    assert s3.get_object(Bucket="box", Key="o")["Body"].read() == b"bytes"
    s3.close()
    for user in ("p2:ben", "p1:bob"):
        key = USERS[user].key
        _, other = ask(port, "GET", "/auth/v1.0", x_auth_user=user, x_auth_key=key)
        theirs: dict[str, Any] = {"x_auth_token": other.decode()}
        assert ask(port, "PUT", "/v1/AUTH_p1/box/o", b"evil", **theirs)[0] == 403
    assert ask(port, "GET", "/v1/AUTH_p1/box/o", **theirs) == (200, b"bytes")  # a reader's
    assert ask(port, "GET", "/auth/v1.0", x_auth_user="p1:ann", x_auth_key="wrong")[0] == 401
    assert ask(port, "GET", "/auth/v1.0", x_auth_user="p1:eve", x_auth_key="")[0] == 401
    assert ask(port, "GET", "/v1/AUTH_p1/box/o")[0] == 401


def test_tokens_end_and_cannot_be_made_up() -> None:
    users = LocalUsers(USERS, b"secret")
    with CLOCK.held() as clock:
        token, project = users.log_in("p1:ann", "ann's key")
        assert (project, users.validate(token).user_id) == ("p1", "p1:ann")
        head, _, signature = token.rpartition(".")
        until, _, name = head.partition(".")
        other = b"p2:ben".hex()
        wrong = [
            "",
            "AUTH_tk",
            f"{until}.{other}.{signature}",
            f"{until}9.{name}.{signature}",
            f"{head}.{'0' * 64}",
            f"{head}.",
            f"{head}.\ud800",
        ]
        for text in wrong:
            with pytest.raises(Unauthorized):
                users.validate(text)
        with pytest.raises(Unauthorized):
            LocalUsers({**USERS, "p1:ann": LocalUser(key="new")}, b"secret").validate(token)
        clock.move(LIFE_S + 1)
        with pytest.raises(Unauthorized):
            users.validate(token)

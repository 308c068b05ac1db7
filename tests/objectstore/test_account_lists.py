"""Who an account lets in, in a store with users of its own."""

from typing import Any

import msgspec
import pytest

from cumulo.services.objectstore.local_users import LocalUsers
from tests.objectstore.service import BEN, Service, User

HEADER = "x-account-access-control"
EVE = "eve:p2:member"


@pytest.fixture
def alone(service: Service) -> Service:
    service.give(users=LocalUsers({}, b"secret"))
    return service


def lets_in(ann: User, **lists: Any) -> None:
    said = {kind.replace("_", "-"): names for kind, names in lists.items()}
    assert ann.post(headers={HEADER: msgspec.json.encode(said).decode()}).status == 204


@pytest.fixture
def owner(alone: Service) -> User:
    ann = alone.user("ann:p1:member")
    ann.filled("box", "box/o")
    return ann


def test_readers_read(owner: User, alone: Service) -> None:
    ben = alone.user(BEN)
    assert ben.get("box/o").status == 403
    lets_in(owner, read_only=["p2"])
    assert (ben.get().text, ben.get("box").text, ben.get("box/o").text) == ("box\n", "o\n", "box/o")
    refused = [
        ben.post(x_account_meta_a="1"),
        ben.put("new"),
        ben.put("box/new"),
        ben.post("box/o"),
        ben.delete("box/o"),
        ben.delete("box"),
        ben.post("?bulk-delete", b"box/o"),
    ]
    assert {answer.status for answer in refused} == {403}
    assert HEADER not in ben.head().headers
    lets_in(owner)
    assert ben.get("box/o").status == 403


def test_writers_write_what_an_account_holds_but_not_the_account(
    owner: User, alone: Service
) -> None:
    lets_in(owner, read_write=["ben"])
    ben, eve = alone.user(BEN), alone.user(EVE)
    assert ben.put("new", x_container_read=".r:*", x_container_meta_a="1").status == 201
    assert ben.put("new/o", b"bytes").status == 201
    head = owner.head("new").headers
    assert (head["x-container-meta-a"], "x-container-read" in head) == ("1", False)
    assert ben.delete("new/o").status == 204
    assert ben.delete("new").status == 204
    assert ben.get().status == 200
    assert ben.post(x_account_meta_a="1").status == 403
    assert ben.ask("DELETE").status == 403
    assert eve.get("box/o").status == 403


def test_admins_do_what_its_owners_do(owner: User, alone: Service) -> None:
    lets_in(owner, admin=["ben"], read_only=["p2"])
    ben, eve = alone.user(BEN), alone.user(EVE)
    assert msgspec.json.decode(ben.head().headers[HEADER]) == {
        "admin": ["ben"],
        "read-only": ["p2"],
    }
    assert ben.post(x_account_meta_temp_url_key="k").status == 204
    assert ben.head().headers["x-account-meta-temp-url-key"] == "k"
    assert "x-account-meta-temp-url-key" not in eve.head().headers
    assert ben.ask("DELETE").status == 403  # that is the reseller's
    lets_in(ben, admin=[])
    assert ben.get().status == 403
    assert HEADER not in owner.head().headers


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{", "Syntax error in input ('{')"),
        ("[]", "Syntax error in input ('[]')"),
        ('{"other": []}', 'Key "other" not recognized'),
        ('{"admin": "ben"}', 'Value for key "admin" must be a list'),
        ('{"read-only": [1]}', 'Elements of "read-only" list must be strings'),
    ],
)
def test_lists_that_are_none(owner: User, said: str, told: str) -> None:
    answer = owner.post(headers={HEADER: said, "x-account-meta-a": "1"})
    words = f"X-Account-Access-Control invalid: {told}\n\nInput: {said}\n"
    assert (answer.status, answer.text) == (400, words)
    assert "x-account-meta-a" not in owner.head().headers


def test_nobody_is_let_in_before_who_came_in_is_known(owner: User, alone: Service) -> None:
    lets_in(owner, read_only=["", "p2"])
    assert alone.user(None).get("box/o").status == 401


def test_with_keystone_the_header_says_nothing(ann: User, ben: User) -> None:
    ann.filled("box")
    lets_in(ann, admin=["p2"])
    assert ben.get("box").status == 403
    assert HEADER not in ann.head().headers
    assert "tempauth" not in ann.client.request("GET", "/info").json()

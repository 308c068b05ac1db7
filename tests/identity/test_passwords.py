"""What an operator may demand of passwords."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import bcrypt
import msgspec
import pytest

from cumulo.kit.clock import Clock
from cumulo.services.identity import public
from tests.client import Answer, Client
from tests.identity.conftest import SETTINGS, Cloud, by_password, made

Demanding = Callable[..., Cloud]
DAY = 24 * 3600


@pytest.fixture
def demanding(
    held_clock: Clock, cloud: Cloud, new_cloud: Callable[[public.IdentitySettings], Cloud]
) -> Demanding:
    return lambda **wanted: new_cloud(msgspec.structs.replace(SETTINGS, **wanted))


def try_password(cloud: Cloud, password: str, name: str = "ann") -> Answer:
    return cloud.ask(by_password(name, password, {"unscoped": {}}))


def change(cloud: Cloud, user: str, old: str, new: str) -> Answer:
    body = {"user": {"original_password": old, "password": new}}
    return Client(cloud.edge, None).post(f"/v3/users/{user}/password", body)


def test_who_guesses_too_often_is_locked_out(demanding: Demanding, held_clock: Clock) -> None:
    cloud = demanding(lockout_failure_attempts=2, lockout_duration=60)
    cloud.user(cloud.login(), "ann")
    assert try_password(cloud, "no").status == 401
    assert try_password(cloud, "pw").status == 201  # which forgets the wrong one
    refused = [try_password(cloud, "no") for _ in range(2)]
    locked = try_password(cloud, "pw")
    nobody = try_password(cloud, "pw", "nobody")
    assert {answer.status for answer in (*refused, locked, nobody)} == {401}
    assert len({answer.body for answer in (*refused, locked, nobody)}) == 1
    held_clock.move(61)
    assert try_password(cloud, "no").status == 401  # the count begins anew
    assert try_password(cloud, "pw").status == 201


def test_a_lock_without_end_is_opened_by_an_admin(demanding: Demanding, held_clock: Clock) -> None:
    cloud = demanding(lockout_failure_attempts=1, lockout_duration=None)
    user = cloud.user(cloud.login(), "ann")
    try_password(cloud, "no")
    held_clock.move(10 * DAY)
    assert try_password(cloud, "pw").status == 401
    assert change(cloud, user, "pw", "new").status == 401
    cloud.login().patch(f"/v3/users/{user}", {"user": {"enabled": True}})
    assert try_password(cloud, "pw").status == 201


def test_some_users_are_never_locked_out(demanding: Demanding) -> None:
    cloud = demanding(lockout_failure_attempts=1)
    options = {"ignore_lockout_failure_attempts": True}
    made(cloud.login(), "user", {"name": "ann", "password": "pw", "options": options})
    try_password(cloud, "no")
    assert try_password(cloud, "pw").status == 201


def test_a_locked_account_costs_one_hash_too(
    demanding: Demanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2021-003 by the clock."""
    cloud = demanding(lockout_failure_attempts=1)
    cloud.user(cloud.login(), "ann")
    try_password(cloud, "no")
    seen: list[bytes] = []
    real = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        seen.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for name in ("ann", "nobody"):
        seen.clear()
        assert try_password(cloud, "pw", name).status == 401
        assert len(seen) == 1


def test_a_password_must_be_as_the_operator_wants_it(demanding: Demanding) -> None:
    cloud = demanding(password_regex=r"^.{6,}$", password_regex_description="six or more")
    admin = cloud.login()
    short = admin.post("/v3/users", {"user": {"name": "x", "password": "short"}})
    assert short.status == 400
    told = "The password does not match the requirements: six or more."
    assert short.json()["error"]["message"] == told
    user = cloud.user(admin, "ann", password="long-enough")
    assert admin.patch(f"/v3/users/{user}", {"user": {"password": "short"}}).status == 400
    assert change(cloud, user, "long-enough", "short").status == 400
    assert change(cloud, user, "long-enough", "longer-yet").status == 204


def test_a_password_is_not_used_again_soon(demanding: Demanding) -> None:
    cloud = demanding(unique_last_password_count=2)
    user = cloud.user(cloud.login(), "ann", password="one")
    assert change(cloud, user, "one", "one").status == 400
    assert change(cloud, user, "one", "two").status == 204
    for used in ("one", "two"):
        refused = change(cloud, user, "two", used)
        assert refused.status == 400
        assert "cannot be identical to a previous password" in refused.text
    assert change(cloud, user, "two", "three").status == 204
    assert change(cloud, user, "three", "one").status == 204
    # What an admin sets is not looked at, but remembered.
    cloud.login().patch(f"/v3/users/{user}", {"user": {"password": "four"}})
    assert change(cloud, user, "four", "one").status == 400


def test_a_password_is_kept_for_some_days(demanding: Demanding, held_clock: Clock) -> None:
    cloud = demanding(minimum_password_age=2)
    user = cloud.user(cloud.login(), "ann", password="one")
    assert change(cloud, user, "one", "two").status == 400
    held_clock.move(2 * DAY + 1)
    assert change(cloud, user, "one", "two").status == 204


def test_a_password_expires(demanding: Demanding, held_clock: Clock) -> None:
    cloud = demanding(password_expires_days=3)
    admin = cloud.login()
    user = cloud.user(admin, "ann", password="one")
    ends = "2030-01-04T00:00:00.000000Z"
    assert admin.get(f"/v3/users/{user}").json()["user"]["password_expires_at"] == ends
    token = try_password(cloud, "one").json()["token"]
    assert token["user"]["password_expires_at"] == ends
    never = {"ignore_password_expiry": True}
    made(admin, "user", {"name": "bot", "password": "pw", "options": never})
    held_clock.move(3 * DAY)
    expired = try_password(cloud, "one")
    assert expired.status == 401
    assert "expired" in expired.json()["error"]["message"]
    assert "expired" not in try_password(cloud, "wrong").json()["error"]["message"]
    assert try_password(cloud, "pw", "bot").status == 201
    assert change(cloud, user, "one", "two").status == 204
    assert try_password(cloud, "two").status == 201


def test_what_others_chose_is_changed_first(demanding: Demanding) -> None:
    cloud = demanding(change_password_upon_first_use=True)
    admin = cloud.login()
    user = cloud.user(admin, "ann", password="given")
    assert try_password(cloud, "given").status == 401
    assert change(cloud, user, "given", "own").status == 204
    assert try_password(cloud, "own").status == 201
    admin.patch(f"/v3/users/{user}", {"user": {"password": "reset"}})
    assert try_password(cloud, "reset").status == 401
    options = {"ignore_change_password_upon_first_use": True}
    made(admin, "user", {"name": "bot", "password": "pw", "options": options})
    assert try_password(cloud, "pw", "bot").status == 201


def test_a_locked_password_stays(demanding: Demanding) -> None:
    cloud = demanding()
    options = {"lock_password": True}
    facts = {"name": "ann", "password": "pw", "options": options}
    user = made(cloud.login(), "user", facts)["id"]
    assert change(cloud, user, "pw", "new").status == 400


def test_who_stays_away_is_let_in_no_more(demanding: Demanding, held_clock: Clock) -> None:
    cloud = demanding(disable_user_account_days_inactive=30)
    user = cloud.user(cloud.login(), "ann")
    held_clock.move(40 * DAY)
    assert try_password(cloud, "pw").status == 201  # who never came did not stay away
    held_clock.move(29 * DAY)
    assert try_password(cloud, "pw").status == 201
    held_clock.move(30 * DAY)
    assert try_password(cloud, "pw").status == 401
    again: dict[str, Any] = {"options": {"ignore_user_inactivity": True}}
    held = datetime(2030, 1, 1, tzinfo=UTC)
    with held_clock.held(held):
        cloud.login().patch(f"/v3/users/{user}", {"user": again})
    with held_clock.held(held.replace(year=2031)):
        assert try_password(cloud, "pw").status == 201

"""What an operator demands of passwords: strength, history, age, and how often one may guess."""

import re
from datetime import datetime, timedelta

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid, Unauthorized
from cumulo.services.identity.passwords import Passwords
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store.generation import generation_get
from cumulo.services.identity.store.passwords import (
    failure_record,
    failures_forget,
    hash_keep,
    hashes_kept,
    user_was_active,
)
from cumulo.services.identity.store.users import User

_DAY = timedelta(days=1)


def check_strength(settings: IdentitySettings, password: str) -> None:
    """Raise when a new password is not as the operator wants them."""
    wanted = settings.password_regex
    if wanted and not re.match(wanted, password):
        told = settings.password_regex_description or f"it must match {wanted}"
        raise Invalid(f"The password does not match the requirements: {told}.", field="password")


def check_may_change(settings: IdentitySettings, user: User) -> None:
    """Raise when a user must not change its own password, or not yet."""
    if user.options.get("lock_password") is True:
        raise Invalid(
            "You cannot change your password at this time due to password policy disallowing "
            "password changes. Please contact your administrator to reset your password.",
            field="password",
        )
    is_expired = user.password_expires_at is not None and user.password_expires_at <= clock.now()
    if not settings.minimum_password_age or user.password_created_at is None or is_expired:
        return
    left = user.password_created_at + settings.minimum_password_age * _DAY - clock.now()
    if left > timedelta(0):
        raise Invalid(
            f"Cannot change password before minimum age {settings.minimum_password_age} days is "
            f"met. It can be changed in {left.days + 1} day(s). Please contact your administrator "
            "to change your password.",
            field="password",
        )


def check_unused(
    settings: IdentitySettings, passwords: Passwords, hashes: list[str], new: str
) -> None:
    """Raise when a password is among the last ones; as slow as each comparison is."""
    count = settings.unique_last_password_count
    if any(passwords.matches(known, new) for known in hashes[:count]):
        raise Invalid(
            "The new password cannot be identical to a previous password. The total number which "
            f"includes the new password must be unique is {count + 1}.",
            field="password",
        )


def used_hashes(tx: Tx, settings: IdentitySettings, user: User) -> list[str]:
    """Return the hashes that a new password must not match, the present one first."""
    if not settings.unique_last_password_count:
        return []
    return [one for one in (user.password_hash, *hashes_kept(tx, user.id)) if one]


def keep_hash(tx: Tx, settings: IdentitySettings, user: User) -> None:
    """Remember the password that is about to be replaced, as long as the rules need it."""
    count = settings.unique_last_password_count
    if count > 1 and user.password_hash:
        hash_keep(tx, user.id, user.password_hash, generation_get(tx), most=count - 1)


def columns(
    settings: IdentitySettings, options: dict[str, object], password_hash: str | None, *, own: bool
) -> dict[str, object]:
    """Return what to store of a password; `own` when its user chose it."""
    now = clock.now()
    return {
        "password_hash": password_hash,
        "password_created_at": now if password_hash else None,
        "password_expires_at": _expiry(settings, options, now, own=own) if password_hash else None,
    }


def check_fresh(user: User) -> None:
    """Raise when the password, though right, has to be changed first."""
    if user.options.get("ignore_password_expiry") is True:
        return
    if user.password_expires_at is not None and user.password_expires_at <= clock.now():
        raise Unauthorized(f"The password is expired and needs to be changed for user: {user.id}.")


def is_locked(settings: IdentitySettings, user: User) -> bool:
    """Say whether too many wrong guesses were made of late."""
    attempts = settings.lockout_failure_attempts
    if not attempts or user.options.get("ignore_lockout_failure_attempts") is True:
        return False
    return user.failed_auth_count >= attempts and not _lock_is_over(settings, user.failed_auth_at)


def is_inactive(settings: IdentitySettings, user: User) -> bool:
    """Say whether a user has not logged in for so long that it counts as disabled."""
    days = settings.disable_user_account_days_inactive
    if not days or user.last_active_at is None:
        return False
    if user.options.get("ignore_user_inactivity") is True:
        return False
    return clock.now() - user.last_active_at >= days * _DAY


def note_failure(tx: Tx, settings: IdentitySettings, user_id: str) -> None:
    """Count a wrong guess; for a user that is not there this costs as much."""
    duration = timedelta(seconds=settings.lockout_duration or 0)
    expired = clock.now() - duration if settings.lockout_duration else None
    failure_record(
        tx, user_id, at=clock.now(), most=settings.lockout_failure_attempts or 0, expired=expired
    )


def note_success(tx: Tx, settings: IdentitySettings, user: User) -> None:
    """Forget wrong guesses, and remember the day."""
    if user.failed_auth_count:
        failures_forget(tx, user.id)
    if settings.disable_user_account_days_inactive:
        user_was_active(tx, user.id, clock.now())


def has_news(settings: IdentitySettings, user: User) -> bool:
    """Say whether a login that was right has anything to be written about it."""
    if user.failed_auth_count and settings.lockout_failure_attempts:
        return True
    last = user.last_active_at
    return bool(settings.disable_user_account_days_inactive) and (
        last is None or last.date() != clock.now().date()
    )


def _lock_is_over(settings: IdentitySettings, failed_at: datetime | None) -> bool:
    if failed_at is None or not settings.lockout_duration:
        return False
    return clock.now() - failed_at > timedelta(seconds=settings.lockout_duration)


def _expiry(
    settings: IdentitySettings, options: dict[str, object], now: datetime, *, own: bool
) -> datetime | None:
    if options.get("ignore_password_expiry") is True:
        return None
    must_change = settings.change_password_upon_first_use and not own
    if must_change and options.get("ignore_change_password_upon_first_use") is not True:
        return now
    days = settings.password_expires_days
    return now + days * _DAY if days else None

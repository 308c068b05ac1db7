"""What an operator may choose about identity."""

from typing import Annotated, Literal

import msgspec


class IdentitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens and passwords; the names are Keystone's where it has the option."""

    # How new tokens are made; those of the other kind that are out stay good.
    provider: Literal["fernet", "jws"] = "fernet"
    expiration: Annotated[int, msgspec.Meta(ge=60)] = 3600
    allow_expired_window: Annotated[int, msgspec.Meta(ge=0)] = 48 * 3600
    key_rotation: Annotated[int, msgspec.Meta(ge=60)] = 24 * 3600
    password_hash_rounds: Annotated[int, msgspec.Meta(ge=4, le=31)] = 12
    max_password_length: Annotated[int, msgspec.Meta(ge=1)] = 4096
    # How long a password that was just right is recognised without paying for bcrypt again.
    remember_password: Annotated[int, msgspec.Meta(ge=0)] = 300
    # Demands on passwords, as in Keystone's [security_compliance]; none by default.
    lockout_failure_attempts: Annotated[int, msgspec.Meta(ge=1)] | None = None
    lockout_duration: Annotated[int, msgspec.Meta(ge=1)] | None = 1800
    password_expires_days: Annotated[int, msgspec.Meta(ge=1)] | None = None
    unique_last_password_count: Annotated[int, msgspec.Meta(ge=0, le=24)] = 0
    minimum_password_age: Annotated[int, msgspec.Meta(ge=0)] = 0
    password_regex: str | None = None
    password_regex_description: str | None = None
    change_password_upon_first_use: bool = False
    disable_user_account_days_inactive: Annotated[int, msgspec.Meta(ge=1)] | None = None
    # Passcodes of how many half minutes before the present one count too.
    included_previous_windows: Annotated[int, msgspec.Meta(ge=0, le=10)] = 1
    # For how many minutes a signature made with an access key is good.
    auth_ttl: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 15
    # For how long the first of several proofs stands.
    receipt_expiration: Annotated[int, msgspec.Meta(ge=1)] = 300
    # How limits of projects and of those above them go together.
    enforcement_model: Literal["flat", "strict_two_level"] = "flat"
    # How often a trust may be lent on.
    max_redelegation_count: Annotated[int, msgspec.Meta(ge=0)] = 3
    max_project_tree_depth: Annotated[int, msgspec.Meta(ge=1)] = 5

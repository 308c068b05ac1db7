"""What an operator may choose about identity."""

from typing import Annotated

import msgspec


class IdentitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens and passwords; the names are Keystone's where it has the option."""

    expiration: Annotated[int, msgspec.Meta(ge=60)] = 3600
    allow_expired_window: Annotated[int, msgspec.Meta(ge=0)] = 48 * 3600
    key_rotation: Annotated[int, msgspec.Meta(ge=60)] = 24 * 3600
    password_hash_rounds: Annotated[int, msgspec.Meta(ge=4, le=31)] = 12
    max_password_length: Annotated[int, msgspec.Meta(ge=1)] = 4096
    # How long a password that was just right is recognised without paying for bcrypt again.
    remember_password: Annotated[int, msgspec.Meta(ge=0)] = 300
    max_project_tree_depth: Annotated[int, msgspec.Meta(ge=1)] = 5

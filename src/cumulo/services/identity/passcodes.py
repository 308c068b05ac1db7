"""Time-based one-time passwords, from the secrets that users keep as credentials."""

import base64
import binascii

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.store.credentials import credential_page
from cumulo.services.identity.store.listing import Listing

_DIGITS, _STEP_S = 6, 30
_TYPE = "totp"


def is_right(tx: Tx, vault: Keyring, user_id: str, passcode: str, *, windows: int) -> bool:
    """Say whether any of the user's secrets makes this passcode now or `windows` steps ago."""
    mine = credential_page(tx, Listing(equals={"user_id": user_id, "type": _TYPE})).members
    secrets = [vault.open(tx, one.sealed_blob) for one in mine]
    now = clock.timestamp()
    return any(
        _makes(secret, passcode, now - step * _STEP_S)
        for secret in secrets
        if secret is not None
        for step in range(windows + 1)
    )


def _makes(secret: bytes, passcode: str, at: float) -> bool:
    try:
        key = base64.b32decode(secret.strip().upper())
        # Clients know these as SHA1; nothing here rests on its collisions.
        TOTP(key, _DIGITS, SHA1(), _STEP_S, enforce_key_length=False).verify(  # noqa: S303
            passcode.encode(), int(at)
        )
    except (binascii.Error, InvalidToken, ValueError):
        return False
    return True

"""What identity's operations are given besides the database."""

from dataclasses import dataclass

from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.passwords import Passwords
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.validation import TokenValidator


@dataclass(frozen=True, slots=True)
class Tools:
    """One for each process."""

    settings: IdentitySettings
    keyring: Keyring  # of tokens
    vault: Keyring  # of credentials
    passwords: Passwords
    tokens: TokenValidator

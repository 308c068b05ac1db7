"""Keys of encrypted volumes: held here, since there is no key manager to ask.

A key is a row that only the owner of a file beside the database can read; whoever has one of the
two has nothing.  A copy of a volume, a backup or an image of it has a key row of its own.
"""

import os
import threading
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound, Unavailable
from cumulo.kit.ids import new_id, new_secret
from cumulo.services.volume.store import keys as store


class Safe:
    """What seals keys: a secret in a file that is made when the first key is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._fernet: Fernet | None = None

    def seal(self, passphrase: str) -> str:
        """Return a passphrase as it may be stored."""
        return self._opened().encrypt(passphrase.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return a stored passphrase."""
        try:
            return self._opened().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Unavailable(
                f"{self._path} is not what this key was sealed with: put the right one back."
            ) from error

    def _opened(self) -> Fernet:
        with self._lock:
            if self._fernet is None:
                try:
                    self._fernet = Fernet(self._secret())
                except (OSError, ValueError) as error:
                    raise Unavailable(f"{self._path} cannot be used: {error}.") from error
            return self._fernet

    def _secret(self) -> bytes:
        draft = self._path.with_name(f"{self._path.name}.{new_id()}")
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, self._path)  # of two who make one, one wins
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return self._path.read_bytes()


def new_key(tx: Tx, safe: Safe, project_id: str) -> str:
    """Make a key for a volume of a project; return its id."""
    return _kept(tx, project_id, safe.seal(new_secret(32).hex()))


def copy_key(tx: Tx, key_id: str, project_id: str) -> str:
    """Let something that is encrypted by the same passphrase have a key of its own."""
    found = store.key_find(tx, key_id)
    if found is None:
        raise NotFound(f"Key {key_id} could not be found.", key_id=key_id)
    return _kept(tx, project_id, found.sealed)


def owner_of(tx: Tx, key_id: str) -> str | None:
    """Return the project whose key it is, if there is such a key."""
    found = store.key_find(tx, key_id)
    return found.project_id if found is not None else None


def passphrase_of(tx: Tx, safe: Safe, key_id: str) -> str:
    """Return what opens a volume; for hosts and for who writes it, nobody else."""
    found = store.key_find(tx, key_id)
    if found is None:
        raise NotFound(f"Key {key_id} could not be found.", key_id=key_id)
    return safe.open(found.sealed)


def forget_key(tx: Tx, key_id: str | None) -> None:
    """Let nobody ever open again what is encrypted by a key."""
    if key_id is not None:
        store.key_delete(tx, key_id)


def _kept(tx: Tx, project_id: str, sealed: str) -> str:
    key = store.Key(id=new_id(), project_id=project_id, sealed=sealed, created_at=clock.now())
    store.key_insert(tx, key)
    return key.id

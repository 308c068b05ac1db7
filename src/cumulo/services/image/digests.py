"""The checksums of an image, computed once, while its bytes pass."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import msgspec

ALGORITHM = "sha512"
# Below this handing over costs more than computing.
_WORTH_A_THREAD = 1 << 16


class Digests(msgspec.Struct, frozen=True, kw_only=True):
    """What the bytes were: the old checksum and the secure one."""

    checksum: str
    os_hash_value: str
    size: int
    os_hash_algo: str = ALGORITHM


class Digester:
    """Computes both sums at the same time, one in a thread beside the caller's."""

    def __init__(self, algorithm: str = ALGORITHM) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._secure = hashlib.new(algorithm, usedforsecurity=False)
        self._algorithm = algorithm
        self._size = 0
        self._pool: ThreadPoolExecutor | None = None

    def update(self, piece: bytes) -> None:
        """Take the next bytes; hashlib lets other threads run meanwhile."""
        self._size += len(piece)
        if len(piece) < _WORTH_A_THREAD:
            self._secure.update(piece)
            self._md5.update(piece)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="image-hash")
        beside = self._pool.submit(self._secure.update, piece)
        self._md5.update(piece)
        beside.result()

    def finish(self) -> Digests:
        """Return the sums of all bytes taken."""
        return Digests(
            checksum=self._md5.hexdigest(),
            os_hash_value=self._secure.hexdigest(),
            size=self._size,
            os_hash_algo=self._algorithm,
        )

    def close(self) -> None:
        """Let the thread go."""
        if self._pool is not None:
            self._pool.shutdown()

"""Checksums are zlib's, whoever counts them: what lies on disks was written with either."""

import hashlib
import zlib

import pytest

from cumulo.kit.checksums import crc32


@pytest.mark.parametrize("size", [0, 1, 15, 4096, 1 << 20])
def test_they_are_those_of_zlib(size: int) -> None:
    whole = hashlib.shake_128(b"seed").digest(size)
    assert crc32(whole) == zlib.crc32(whole)


def test_they_go_on_from_piece_to_piece() -> None:
    whole = hashlib.shake_128(b"seed").digest(100_000)
    found = 0
    for start in range(0, len(whole), 33_333):
        found = crc32(memoryview(whole)[start : start + 33_333], found)
    assert found == zlib.crc32(whole)

"""Erasure codes: a segment of an object becomes fragments, any few of which give it back.

The code is liberasurecode's, through its binding pyeclib, which is loaded only where a policy wants
it.  The library believes what a fragment's header says of its length, and reads on behind the
fragment where that is wrong: nothing reaches it that was not checked here.
"""

import functools
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from cumulo.kit.errors import Invalid
from cumulo.services.objectstore.drivers.base import NotWhole, Scheme
from cumulo.services.objectstore.settings import StoragePolicy

_HEAD = struct.Struct("<IIIQ")  # index, bytes behind the header, bytes of metadata, of the segment
_HEADER_SIZE = 80
# Codes of which any `data` fragments give all back; others need certain fragments.
_TYPES = (
    "isa_l_rs_vand", "isa_l_rs_cauchy", "isa_l_rs_vand_inv", "liberasurecode_rs_vand",
    "jerasure_rs_vand", "jerasure_rs_cauchy",
)  # fmt: skip


class Coder:
    """A scheme at work; any number of threads may use it."""

    def __init__(self, scheme: Scheme) -> None:
        from pyeclib.ec_iface import ECDriver, ECDriverError

        self.scheme, self._error = scheme, ECDriverError
        self._driver: Any = ECDriver(k=scheme.data, m=scheme.parity, ec_type=scheme.ec_type)

    def fragment_size(self, size: int) -> int:
        """Return how long each fragment of a segment is."""
        found: int = self._driver.get_segment_info(size, size)["fragment_size"]
        return found

    def encode(self, segment: bytes) -> list[bytes]:
        """Return the fragments of a segment that is not empty, the first being its own bytes."""
        made: list[bytes] = self._driver.encode(segment)
        return made

    def decode(self, fragments: Mapping[int, bytes], size: int) -> bytes:
        """Return a segment of a size from enough fragments; raise `NotWhole` if they are none."""
        self._check_all(fragments, size)
        if all(index in fragments for index in range(self.scheme.data)):
            # The first fragments are the segment itself, cut; the library would copy it twice.
            own = [memoryview(fragments[n])[_HEADER_SIZE:] for n in range(self.scheme.data)]
            joined = b"".join(own)
            return joined if len(joined) == size else joined[:size]
        try:
            segment: bytes = self._driver.decode(list(fragments.values()))
        except self._error as error:
            raise NotWhole(f"fragments do not fit: {error}") from error
        return segment

    def rebuild(
        self, fragments: Mapping[int, bytes], missing: Sequence[int], size: int
    ) -> dict[int, bytes]:
        """Return the missing fragments of a segment; raise `NotWhole` where that cannot be."""
        self._check_all(fragments, size)
        wanted = sorted(missing)
        try:
            made = self._driver.reconstruct(list(fragments.values()), list(wanted))
        except self._error as error:
            raise NotWhole(f"fragments do not fit: {error}") from error
        return dict(zip(wanted, made, strict=True))

    def check(self, index: int, fragment: bytes, size: int) -> None:
        """Refuse, with `NotWhole`, what is not a fragment of a segment of a size."""
        length = self.fragment_size(size)
        if len(fragment) != length or length < _HEADER_SIZE:
            raise NotWhole(f"fragment {index} has {len(fragment)} bytes, not {length}")
        said, behind, _, whole = _HEAD.unpack_from(fragment)
        if (said, behind, whole) != (index, length - _HEADER_SIZE, size):
            raise NotWhole(f"fragment {index} says that it is another")

    def _check_all(self, fragments: Mapping[int, bytes], size: int) -> None:
        if len(fragments) < self.scheme.data:
            raise NotWhole(f"{len(fragments)} fragments are too few")
        for index, fragment in fragments.items():
            self.check(index, fragment, size)


@functools.cache
def coder(scheme: Scheme) -> Coder:
    """Return what codes by a scheme."""
    return Coder(scheme)


def scheme_of(policy: StoragePolicy) -> Scheme | None:
    """Return how a policy codes, None if it does not; refuse what cannot be done here, and why."""
    if policy.policy_type == "replication":
        return None
    _check_type(policy)
    scheme = Scheme(
        policy.ec_type,
        policy.ec_num_data_fragments,
        policy.ec_num_parity_fragments,
        policy.ec_object_segment_size,
    )
    from pyeclib.ec_iface import ECDriverError

    try:
        coder(scheme)
    except ECDriverError as error:
        numbers = f"{scheme.data}+{scheme.parity}"
        raise Invalid(f"Policy {policy.name}: {scheme.ec_type} cannot do {numbers}.") from error
    return scheme


def _check_type(policy: StoragePolicy) -> None:
    try:
        from pyeclib.ec_iface import VALID_EC_TYPES
    except ImportError as error:
        raise Invalid(
            f"Policy {policy.name} needs pyeclib, which cannot be loaded: {error}. "
            "Install pyeclib, or python3-pyeclib of the distribution."
        ) from error
    able = [name for name in _TYPES if name in VALID_EC_TYPES]
    if policy.ec_type not in able:
        raise Invalid(
            f"Policy {policy.name}: the ec_type {policy.ec_type!r} is not one of those that can be "
            f"used here: {', '.join(able)}."
        )
    data, parity = policy.ec_num_data_fragments, policy.ec_num_parity_fragments
    # Beyond these its matrix may have no inverse: some fragments that should do, would not.
    if policy.ec_type == "isa_l_rs_vand" and (parity > 4 or (parity == 4 and data > 21)):
        raise Invalid(
            f"Policy {policy.name}: isa_l_rs_vand with {data}+{parity} fragments can lose data; "
            "use isa_l_rs_cauchy."
        )

"""Changing only what one has seen: the revision a client names must be the present one."""

from typing import Protocol

from cumulo.kit.errors import PreconditionFailed


class Revised(Protocol):
    """A resource that counts its changes."""

    @property
    def revision_number(self) -> int: ...  # noqa: D102


def check(resource: Revised, expected: int | None) -> None:
    """Refuse to go on when the resource has changed since the client looked."""
    if expected is not None and resource.revision_number != expected:
        raise PreconditionFailed(
            f"Constrained to {expected}, but current revision is {resource.revision_number}",
            type="RevisionNumberConstraintFailed",
        )

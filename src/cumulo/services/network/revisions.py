"""Changing only what one has seen: the revision a client names must be the present one."""

from cumulo.kit.errors import PreconditionFailed


def check(resource: object, expected: int | None) -> None:
    """Refuse to go on when the resource has changed since the client looked.

    What counts no revisions is as it always was.
    """
    present = getattr(resource, "revision_number", expected)
    if expected is not None and present != expected:
        raise PreconditionFailed(
            f"Constrained to {expected}, but current revision is {present}",
            type="RevisionNumberConstraintFailed",
        )

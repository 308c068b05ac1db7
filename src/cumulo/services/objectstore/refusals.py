"""Refusals in Swift's words; those without words are told by their status alone."""

from cumulo.kit.errors import (
    CloudError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthorized,
)


class LengthRequired(CloudError):
    """The request must say how long its body is."""


class Unprocessable(CloudError):
    """What arrived is not what was announced."""


class NotModified(CloudError):
    """What the caller has is what there is."""


class RangeNotSatisfiable(CloudError):
    """No byte of what was asked for is there."""


class NotAllowed(CloudError):
    """This method is not for this thing."""


class SlowDown(CloudError):
    """The caller came too often, and would have to wait too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message, told=True, code="SlowDown")


class Blacklisted(CloudError):
    """The operator lets nobody into this account."""

    def __init__(self, message: str) -> None:
        super().__init__(message, told=True)


class Elsewhere(CloudError):
    """The request must be made somewhere else; data holds `location`."""


def missing() -> NotFound:
    """Return what is said of whatever is not there."""
    return NotFound("")


def taken() -> Conflict:
    """Return what is said where the state forbids it."""
    return Conflict("")


def denied(*, is_known: bool) -> CloudError:
    """Return what is said to who may not: strangers are asked who they are."""
    return Forbidden("") if is_known else Unauthorized("")


def bad(message: str) -> Invalid:
    """Return what is said of a request that cannot be right."""
    return Invalid(message, told=True)


def unmet(message: str = "") -> PreconditionFailed:
    """Return what is said when a condition does not hold."""
    return PreconditionFailed(message, told=bool(message))


def too_large(message: str) -> TooLarge:
    """Return what is said over a limit or quota."""
    return TooLarge(message, told=True)

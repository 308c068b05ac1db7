"""Errors raised on purpose.

Domain code raises these.  Only `web.faults` knows what they are over HTTP; any other
exception that leaves a handler is a bug and becomes a 500.

`data` is for programs: `type="NetworkInUse"` names the error where an API family shows
such a name (network), other keys travel to logs and traces.
"""


class CloudError(Exception):
    """Something a caller can be told, in words and in data."""

    def __init__(self, message: str, **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Invalid(CloudError):
    """The request cannot be right, whatever the state of the cloud."""


class Unauthorized(CloudError):
    """Nobody we know is asking."""


class Forbidden(CloudError):
    """The caller may know of it but not do this to it."""


class NotFound(CloudError):
    """No such thing, or none this caller may know of."""


class Conflict(CloudError):
    """Right in itself, wrong in the present state."""


class OverQuota(CloudError):
    """The project has used up its share."""


class TooLarge(CloudError):
    """The request has more bytes than anyone may send here."""


class PreconditionFailed(CloudError):
    """The thing changed since the caller last looked at it."""


class Unavailable(CloudError):
    """A backend did not answer; the same call may succeed later."""

"""Errors that only make sense over HTTP."""

from cumulo.kit.errors import CloudError


class NotAcceptable(CloudError):
    """This service never had the version asked for."""


class MethodNotAllowed(CloudError):
    """The path exists, the method does not; `allow` lists those that do."""


class UnsupportedMedia(CloudError):
    """The body is of a kind that this operation does not read."""


class RangeNotSatisfiable(CloudError):
    """The range asked for lies outside of the body."""


class LengthRequired(CloudError):
    """The request must say how long its body is."""


class Unprocessable(CloudError):
    """The body arrived, and is not what its checksum said."""


class Gone(CloudError):
    """The operation existed once and was removed."""


class NotBuilt(CloudError):
    """A feature of the API that this cloud has switched off."""

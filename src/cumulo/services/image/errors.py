"""Errors that only images know."""

from cumulo.kit.errors import CloudError, Invalid


class InvalidImageData(Invalid):
    """The bytes are not what they are said to be, or are dangerous."""


class StoreReadOnly(CloudError):
    """The store holds nothing of its own; what it shows lies elsewhere."""


class NoLongerThere(CloudError):
    """The image was deleted while its bytes were on their way."""

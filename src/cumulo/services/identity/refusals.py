"""Errors in the words that identity's clients know."""

from cumulo.kit.errors import Forbidden, Invalid, NotFound, Unauthorized

_BLAME = (
    "The server could not comply with the request since it is either malformed or otherwise "
    "incorrect. The client is assumed to be in error."
)


def absent(noun: str, found_by: str) -> NotFound:
    """Say that there is no such thing."""
    return NotFound(f"Could not find {noun}: {found_by}.", noun=noun, id=found_by)


def lacking(attribute: str, target: str) -> Invalid:
    """Say what a request should have had, and where."""
    return Invalid(f"Expecting to find {attribute} in {target}. {_BLAME}", field=attribute)


def immutable(verb: str, noun: str, resource_id: str) -> Forbidden:
    """Refuse to touch what its immutable option protects."""
    return Forbidden(
        f"Unable to {verb} immutable {noun} resource: `{resource_id}. "
        'Set resource option "immutable" to false first.'
    )


def unknown_caller(**data: object) -> Unauthorized:
    """Refuse in the same words whatever the reason was, so that none can be told from another."""
    return Unauthorized("The request you have made requires authentication.", **data)


def check_unchanged(field: str, given: object, stored: object) -> None:
    """Raise unless a field that cannot change was left out or given as it is."""
    if given is not None and given != stored:
        raise Invalid(f"Cannot change {field}", field=field)

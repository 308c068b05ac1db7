"""Regular expressions that clients send to filter lists by name.

They run inside the database (in SQLite: inside this process), so one whose matching could take
for ever is refused before it gets there.
"""

import re
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from cumulo.kit.errors import Invalid

_LONGEST = 255
_MOST_REPEATS = 3
_BOUNDED = 64
_REPEATS = (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT)


def check_pattern(field: str, pattern: str) -> str:
    """Return `pattern`; refuse one that is no regular expression or may backtrack without end."""
    try:
        parsed = parser.parse(pattern) if len(pattern) <= _LONGEST else None
    except (re.error, OverflowError, RecursionError):
        raise Invalid(f"Invalid {field} filter [{pattern}]", field=field) from None
    if parsed is None or _repeats(parsed.data, inside=False) > _MOST_REPEATS:
        message = f"The {field} filter is too costly; use a simpler regular expression."
        raise Invalid(message, field=field)
    return pattern


def _repeats(items: Any, *, inside: bool) -> int:
    """Count unbounded repeats; one inside of another counts as too many."""
    found = 0
    for operation, argument in items:
        # A choice that is made again and again can be made in too many ways.
        if operation is opcodes.GROUPREF or (inside and operation is opcodes.BRANCH):
            return _MOST_REPEATS + 1
        if operation in _REPEATS:
            _, most, body = argument
            long = most > _BOUNDED
            found += _MOST_REPEATS + 1 if inside and most > 1 else int(long)
            found += _repeats(body, inside=inside or most > 1)
        elif operation is opcodes.BRANCH:
            found += sum(_repeats(branch, inside=inside) for branch in argument[1])
        elif operation is opcodes.SUBPATTERN:
            found += _repeats(argument[-1], inside=inside)
        elif operation in (opcodes.ASSERT, opcodes.ASSERT_NOT):
            found += _repeats(argument[1], inside=inside)
    return found

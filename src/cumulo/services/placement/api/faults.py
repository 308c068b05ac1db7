"""How placement words what is wrong with a request: as validators of JSON schemas do.

Clients of placement are services that look for these words.
"""

import dataclasses
import re

from cumulo.web.faults import LISTED, Family, Problem

_MALFORMED = "The request body is not valid JSON:"
_NUMBER = r"(-?[0-9.e+]+)"
# What the decoder says, and how a validator would.
_WORDS = {
    r"Object contains unknown field `(.*)`": (
        r"Additional properties are not allowed ('\1' was unexpected)"
    ),
    r"Object missing required field `(.*)`": (
        r"'\1' is a required property. Failed validating 'required' in schema"
    ),
    rf"Expected `(?:int|float)` >= {_NUMBER}": (
        r"{value} is less than the minimum of \1. Failed validating 'minimum'"
    ),
    rf"Expected `(?:int|float)` <= {_NUMBER}": (
        r"{value} is greater than the maximum of \1. Failed validating 'maximum'"
    ),
    r"Expected `str` of length >= \d+": "'{value}' is too short. Failed validating 'minLength'",
    r"Expected `str` of length <= \d+": "'{value}' is too long. Failed validating 'maxLength'",
    r"Expected `array` of length >= \d+": "[] should be non-empty. Failed validating 'minItems'",
    r"Expected `object` of length >= \d+": (
        "{{}} should be non-empty. Failed validating 'minProperties'"
    ),
    r"Expected `str` matching regex '\\\\A(.*)\\\\Z'": (
        r"'{value}' does not match '^\1$'. Failed validating 'pattern'"
    ),
    r"Expected `(int)`, got .*": "'{value}' is not of type 'integer'",
    r"Expected `(.*)`, got .*": r"'{value}' is not of type '\1'",
}


def _spell(problem: Problem) -> tuple[bytes, str]:
    message = problem.message
    if message.startswith(_MALFORMED):
        message = f"Malformed JSON:{message.removeprefix(_MALFORMED)}"
    reason = problem.data.get("reason")
    if problem.status == 400 and isinstance(reason, str):
        message = f"{_worded(message, reason)}{_place(str(problem.data.get('field') or ''))}"
    return LISTED.spell(dataclasses.replace(problem, message=message))


def _worded(message: str, reason: str) -> str:
    start = "JSON does not validate"
    if message.startswith("Invalid query parameter"):
        start = "Invalid query string parameters"
    _, _, told = message.partition(" Value: ")
    value = told.removesuffix(f" {reason}.").removesuffix(".")
    for said, words in _WORDS.items():
        match = re.fullmatch(said, reason)
        if match:
            text = match.expand(words.replace("{value}", "\x00")).replace("\x00", value)
            return f"{start}: {text.replace('{{}}', '{}')}"
    return f"{start}: {value} {reason}"


def _place(field: str) -> str:
    """Say where in the body the value stands."""
    parts = re.findall(r"[^.\[\]]+", field)
    place = "".join(f"[{part}]" if part.isdigit() else f"['{part}']" for part in parts)
    return f" On instance{place}" if place else ""


FAMILY = Family(_spell, LISTED.status)

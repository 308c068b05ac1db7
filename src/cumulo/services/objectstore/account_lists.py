"""Lists of whom an account lets in besides its own users, as Swift's tempauth reads them.

Only a store that runs alone has them: with Keystone Swift does not look at the header, and neither
does this one then.  A list names projects and users, as PROJECT and PROJECT:USER.
"""

import json

import msgspec

from cumulo.services.objectstore.refusals import bad
from cumulo.services.objectstore.visits import Visit

HEADER = "X-Account-Access-Control"
_KEPT = "X-Account-Sysmeta-Core-Access-Control"
ADMIN, READ_WRITE, READ_ONLY = "admin", "read-write", "read-only"
_KINDS = (ADMIN, READ_WRITE, READ_ONLY)
_MOST = 8192


def asked(visit: Visit) -> dict[str, str]:
    """Return what a request sets of an account's lists, checked."""
    said = visit.headers.get(HEADER.lower())
    if said is None or visit.tools.users is None:
        return {}
    try:
        lists = msgspec.json.decode(said) if said else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lists = None
    problem = _problem(lists, said)
    if problem:
        raise bad(f"{HEADER} invalid: {problem}\n\nInput: {said[:_MOST]}\n")
    return {_KEPT: json.dumps(lists, separators=(",", ":"), sort_keys=True) if said else ""}


def shown(headers: dict[str, str]) -> dict[str, str]:
    """Return the lists of an account as its owners see them."""
    held = headers.get(_KEPT)
    return {HEADER: held} if held and any(msgspec.json.decode(held).values()) else {}


def is_hidden(name: str) -> bool:
    """Say whether a header of an account is how its lists are kept."""
    return name == _KEPT


def granted(visit: Visit, account: str) -> set[str]:
    """Return which of an account's lists name the caller."""
    if visit.tools.users is None or not visit.ctx.user_id:
        return set()
    head = visit.cluster.account(account).head()
    held = head.headers.get(_KEPT) if head else None
    if not held:
        return set()
    lists = msgspec.json.decode(held, type=dict[str, list[str]])
    mine = {visit.ctx.user_id, visit.ctx.project_id}
    return {kind for kind, names in lists.items() if mine & set(names)}


def _problem(lists: object, said: str) -> str:
    if not isinstance(lists, dict):
        return f"Syntax error in input ({said[:_MOST]!r})"
    for kind in lists:
        if kind not in _KINDS:
            return f"Key {json.dumps(kind)} not recognized"
    for kind in [kind for kind in _KINDS if kind in lists]:
        if not isinstance(lists[kind], list):
            return f"Value for key {json.dumps(kind)} must be a list"
        if not all(isinstance(name, str) for name in lists[kind]):
            return f"Elements of {json.dumps(kind)} list must be strings"
    return ""

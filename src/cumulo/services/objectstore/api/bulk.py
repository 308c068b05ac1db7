"""How bulk requests went: the body tells, since its end is known only when all is done."""

from collections.abc import Iterable
from urllib.parse import quote
from xml.sax.saxutils import escape

import msgspec

from cumulo.services.objectstore import access, bulk
from cumulo.services.objectstore.api.answers import JSON, TEXT, format_of, words_of
from cumulo.services.objectstore.bulk import Outcome
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Reply


def extracted(visit: Visit, account: str, prefix: str, pieces: Iterable[bytes]) -> Reply:
    """Unpack an archive."""
    form = format_of(visit)
    if not prefix:
        access.require_writer(visit, account)
    outcome = bulk.extract(visit, account, prefix, pieces, words_of)
    if outcome.status == "200 OK":
        outcome.status = "201 Created"
    return _told(outcome, {"Number Files Created": outcome.done}, form)


def deleted(visit: Visit, account: str, pieces: Iterable[bytes]) -> Reply:
    """Delete line by line."""
    format_of(visit)
    access.require_writer(visit, account)
    return told_deleted(visit, account, pieces)


def told_deleted(visit: Visit, account: str, pieces: Iterable[bytes]) -> Reply:
    """Delete line by line what the caller may delete."""
    form = format_of(visit)
    outcome = bulk.delete(visit, account, pieces, words_of)
    if outcome.status == "200 OK" and not outcome.done and outcome.missing:
        outcome.status = "404 Not Found"
    counts = {"Number Deleted": outcome.done, "Number Not Found": outcome.missing}
    return _told(outcome, counts, form)


def _told(outcome: Outcome, counts: dict[str, int], form: str) -> Reply:
    errors = [[quote(name), status] for name, status in outcome.errors]
    facts: dict[str, object] = {
        **counts,
        "Response Status": outcome.status,
        "Response Body": outcome.body,
        "Errors": errors,
    }
    if form == JSON:
        return Reply(msgspec.json.encode(facts), status=200, content_type="application/json")
    if form == TEXT:
        lines = [f"{name}: {value}" for name, value in facts.items() if name != "Errors"]
        lines += ["Errors:", *(f"{name}, {status}" for name, status in errors)]
        return Reply("\n".join(lines), status=200, content_type="text/plain")
    tags = [
        f"<{name.lower().replace(' ', '_')}>{escape(str(value))}</{name.lower().replace(' ', '_')}>"
        for name, value in facts.items()
        if name != "Errors"
    ]
    rows = [
        f"<object><name>{escape(name)}</name><status>{status}</status></object>"
        for name, status in errors
    ]
    root = "delete" if "Number Deleted" in counts else "extract"
    body = "\n".join([f"<{root}>", *tags, "<errors>", *rows, "</errors>", f"</{root}>"])
    return Reply(body, status=200, content_type="application/xml")

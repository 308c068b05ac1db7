"""Uploads from a form in a browser, by a signature that the form carries."""

import itertools
from collections.abc import Iterator
from urllib.parse import quote

from cumulo.kit.errors import CloudError
from cumulo.services.objectstore import objects, signatures, versions
from cumulo.services.objectstore.api import answers
from cumulo.services.objectstore.containers import container_visible
from cumulo.services.objectstore.multipart import Form, Part
from cumulo.services.objectstore.refusals import bad, too_large
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Reply, Upload

_MOST_FIELDS = 100


def received(visit: Visit, account: str, container: str, prefix: str, body: Upload) -> Reply:
    """Store every file of a form; fields come before the first file."""
    fields: dict[str, str] = {}
    form = iter(Form(body, _boundary(visit)))
    try:
        count = 0
        for number, part in enumerate(form):
            if number > _MOST_FIELDS:
                raise bad("FormPost: too many fields")
            if part.filename is None:
                fields[part.name.lower()] = part.text().strip()
                continue
            if not part.filename:
                continue
            count += 1
            _check_count(fields, count)
            signed = signatures.form(visit, account, container, prefix, fields)
            _store(signed, (account, container, prefix), part, fields)
        if not count:
            signatures.form(visit, account, container, prefix, fields)
            raise bad("FormPost: no files to process")
    except CloudError as error:
        if not fields.get("redirect"):
            raise
        return _elsewhere(fields["redirect"], answers.words_of(error), error.message)
    if fields.get("redirect"):
        return _elsewhere(fields["redirect"], "201 Created", "")
    return answers.done(201)


def _store(visit: Visit, where: tuple[str, str, str], part: Part, fields: dict[str, str]) -> None:
    account, container, prefix = where
    name = f"{prefix}{part.filename}"
    headers = {"content-type": part.headers.get("content-type", "")}
    for header in ("x-delete-at", "x-delete-after"):
        value = fields.get(header.replace("-", "_"))
        if value:
            headers[header] = value
    one = visit.sub("PUT", headers)
    found = container_visible(one, account, container, writes=True)
    given = objects.given(one, name, _bounded(part.pieces, fields), None)
    objects.check_quotas(one, found, name, 0)
    versions.store(one, found, name, given)


def _bounded(pieces: Iterator[bytes], fields: dict[str, str]) -> Iterator[bytes]:
    most, size = _number(fields, "max_file_size"), 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise too_large("FormPost: max_file_size exceeded")
        yield piece


def _check_count(fields: dict[str, str], count: int) -> None:
    if count > _number(fields, "max_file_count"):
        raise bad("FormPost: max_file_count exceeded")


def _number(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise bad(f"FormPost: {name} not an integer")
    return int(text)


def _boundary(visit: Visit) -> str:
    text = visit.headers.get("content-type", "")
    for part in itertools.islice(text.split(";"), 1, 10):
        name, _, value = part.strip().partition("=")
        if name.lower() == "boundary" and 0 < len(value.strip('"')) <= 200:
            return value.strip('"')
    raise bad("FormPost: invalid starting boundary")


def _elsewhere(to: str, status: str, message: str) -> Reply:
    number, _, _ = status.partition(" ")
    mark = "&" if "?" in to else "?"
    location = f"{to}{mark}status={number}&message={quote(message)}"
    link = '<html><body><p><a href="{0}">Click to continue...</a></p></body></html>'
    return Reply(
        link.format(quote(location, safe=":/?&=%")),
        status=303,
        headers={"Location": location},
        content_type=answers.HTML,
    )

"""Many objects in one request: archives unpacked on arrival, names deleted line by line."""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, TypeAlias, cast
from urllib.parse import unquote

from cumulo.kit.errors import CloudError, NotFound
from cumulo.services.objectstore import access, containers, objects, versions
from cumulo.services.objectstore.containers import container_visible
from cumulo.services.objectstore.refusals import bad, too_large
from cumulo.services.objectstore.visits import Visit

MODES = {"tar": "r|", "tar.gz": "r|gz", "tar.bz2": "r|bz2"}
_LONGEST_LINE = 4096
Words: TypeAlias = Callable[[CloudError], str]


@dataclass
class Outcome:
    """What became of each part of a bulk request."""

    status: str = "200 OK"
    body: str = ""
    done: int = 0
    missing: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)

    def conclude(self, *, is_empty: bool, word: str) -> None:
        """Say how it went as a whole."""
        if self.errors:
            firsts = {status for _, status in self.errors}
            self.status = "401 Unauthorized" if "401 Unauthorized" in firsts else "400 Bad Request"
        elif is_empty:
            self.status, self.body = "400 Bad Request", word


def delete(visit: Visit, account: str, pieces: Iterable[bytes], words: Words) -> Outcome:
    """Delete what the lines of a body name."""
    outcome, count = Outcome(), 0
    for line in _lines(pieces):
        count += 1
        if count > visit.settings.max_deletes_per_request:
            outcome.status = "413 Request Entity Too Large"
            most = visit.settings.max_deletes_per_request
            outcome.body = f"Maximum Bulk Deletes: {most} per request"
            return outcome
        _delete_one(visit, account, line, (outcome, words))
    outcome.conclude(is_empty=not count, word="Invalid bulk delete.")
    return outcome


def extract(
    visit: Visit, account: str, prefix: str, pieces: Iterable[bytes], words: Words
) -> Outcome:
    """Store each file of an archive."""
    mode = MODES.get(visit.param("extract-archive").lower().strip("."))
    if mode is None:
        raise bad("Unsupported archive format")
    outcome, made = Outcome(), set[str]()
    source = cast(IO[bytes], io.BufferedReader(_Source(iter(pieces))))
    try:
        with tarfile.open(fileobj=source, mode=mode) as archive:  # type: ignore[call-overload]
            for member in archive:
                if member.isfile():
                    _store_one(visit, account, (prefix, member, archive), made, (outcome, words))
    except (tarfile.TarError, EOFError, OSError) as error:
        outcome.errors.append(("", "400 Bad Request"))
        outcome.body = f"Invalid Tar File: {error}"
    outcome.conclude(is_empty=not outcome.done, word="Invalid Tar File: No Valid Files")
    return outcome


class _Source(io.RawIOBase):
    """Pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer)  # type: ignore[arg-type]
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = piece
        part, self._held = self._held[: len(target)], self._held[len(target) :]
        target[: len(part)] = part
        return len(part)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    held = b""
    for piece in pieces:
        held += piece
        *whole, held = held.split(b"\n")
        for line in whole:
            if text := line.strip().decode("utf-8", "replace"):
                yield text
        if len(held) > _LONGEST_LINE:
            raise bad("Invalid File Name")
    if text := held.strip().decode("utf-8", "replace"):
        yield text


def _delete_one(visit: Visit, account: str, line: str, sink: tuple[Outcome, Words]) -> None:
    outcome, words = sink
    container, _, name = unquote(line).lstrip("/").partition("/")
    one = visit.sub("DELETE")
    try:
        if name:
            found = container_visible(one, account, container, writes=True)
            versions.remove(one, found, name)
        else:
            containers.check_deletable(one, account, container)
            versions.check_empty(one, account, container)
            containers.remove(one, account, container)
    except NotFound:
        outcome.missing += 1
    except CloudError as error:
        outcome.errors.append((line, words(error)))
    else:
        outcome.done += 1


def _store_one(
    visit: Visit,
    account: str,
    what: tuple[str, tarfile.TarInfo, tarfile.TarFile],
    made: set[str],
    sink: tuple[Outcome, Words],
) -> None:
    prefix, member, archive = what
    outcome, words = sink
    path = f"{prefix}/{member.name.removeprefix('./')}".strip("/")
    container, _, name = path.partition("/")
    one = visit.sub("PUT")
    try:
        if not name:
            return
        if container not in made and containers.find(visit, account, container) is None:
            access.require_writer(visit, account)
            if len(made) >= visit.settings.max_containers_per_extraction:
                raise too_large("More containers than one archive may make.")
            containers.create(one, account, container)
        made.add(container)
        found = container_visible(one, account, container, writes=True)
        content = archive.extractfile(member)
        assert content is not None, "it is a file"
        given = objects.given(one, name, iter(lambda: content.read(1 << 20), b""), member.size)
        objects.check_quotas(one, found, name, member.size)
        versions.store(one, found, name, given)
    except CloudError as error:
        outcome.errors.append((path, words(error)))
    else:
        outcome.done += 1

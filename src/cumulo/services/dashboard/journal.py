"""What happened: the event log and the runs of workflows, as far as somebody may know of them.

Not in any API of OpenStack, hence read here: what belongs to the project of the token, and all of
it with the role admin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from cumulo.bus import LocalDoorbell
from cumulo.db import Database, Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.dashboard.cloud import Scope
from cumulo.work import events, runs
from cumulo.work.events import Event
from cumulo.work.runs import RunRow

_LOOKED_AT = 20_000  # events, where no index finds those that are wanted
_SHOWN = 50
_TRACED = 2000
_LASTS_S = 55.0  # then the browser asks again, with a token that may be good no more
_LOOKS_S = 2.0  # how soon a stream notices that nobody listens
_SAYS_S = 15.0
ANY = "any"  # kind of thing


@dataclass(frozen=True, slots=True)
class Part:
    """One page of the log, latest first; `older` is where the next begins, if there is one."""

    events: Sequence[Event]
    older: int | None


@dataclass(frozen=True, slots=True)
class Trace:
    """What one request did."""

    request_id: str
    events: Sequence[Event]
    runs: Sequence[RunRow]


def recent(
    tx: Tx,
    scope: Scope,
    *,
    kind: str | None = None,
    one: str | None = None,
    before: int | None = None,
) -> Part:
    """Return the newest events, of one kind of thing or of one thing where that is wanted."""
    mine = None if scope.is_admin else scope.project_id or "-"
    after = 0
    if bool(kind) != bool(one):  # both, or neither, is what an index finds
        after = max(0, (before or events.last_id(tx)) - _LOOKED_AT)
    found = events.newest_events(
        tx,
        after,
        before_id=before,
        project_id=mine,
        resource=kind,
        resource_id=one,
        limit=_SHOWN + 1,
    )
    shown = found[:_SHOWN]
    return Part(shown, shown[-1].id if len(found) > _SHOWN else None)


def trace(tx: Tx, scope: Scope, request_id: str) -> Trace:
    """Return what a request did; to others than its project and administrators it is unknown."""
    found = [run for run in runs.run_list(tx, request_id=request_id) if _may(scope, run.project_id)]
    after = max(0, events.last_id(tx) - _LOOKED_AT)
    mine = None if scope.is_admin else scope.project_id or "-"
    told = events.newest_events(tx, after, project_id=mine, request_id=request_id, limit=_TRACED)[
        ::-1
    ]
    if not found and not told:
        raise NotFound(f"Nothing is known of the request {request_id}.")
    return Trace(request_id, told, found)


def failure(tx: Tx, scope: Scope, subject: str) -> str:
    """Return in full why the last workflow of a thing failed; APIs shorten that."""
    found = [run for run in runs.run_list(tx, subject=subject) if _may(scope, run.project_id)]
    error = found[-1].error if found else None
    return error.message if error else ""


def _may(scope: Scope, project_id: str | None) -> bool:
    return scope.is_admin or (project_id is not None and project_id == scope.project_id)


class Watchers:
    """Who is told of changes at the moment: no more than `most`, and few of them the same person.

    Each holds a thread, so the next one is told to look now and then instead.
    """

    def __init__(self, db: Database, bell: LocalDoorbell, most: int) -> None:
        self._db, self._bell, self._most = db, bell, most
        self._lock, self._by_user = Lock(), dict[str, int]()

    def enter(self, user_id: str) -> bool:
        """Count one more, if there is room."""
        with self._lock:
            mine = self._by_user.get(user_id, 0)
            if sum(self._by_user.values()) >= self._most or mine >= max(1, self._most // 4):
                return False
            self._by_user[user_id] = mine + 1
            return True

    def leave(self, user_id: str) -> None:
        """Count one less."""
        with self._lock:
            self._by_user[user_id] -= 1
            if not self._by_user[user_id]:
                del self._by_user[user_id]

    def changes(self, scope: Scope, kinds: frozenset[str], seen: int) -> Iterator[bytes]:
        """Yield what server-sent events say of changes of some kinds, until it is time to renew.

        `seen` is the last event that the page knows of, so that none is lost on the way.
        """
        mine = None if scope.is_admin else scope.project_id or "-"
        try:
            yield from self._changes(mine, kinds, seen)
        finally:
            self.leave(scope.user_id)

    def _changes(self, project_id: str | None, kinds: frozenset[str], seen: int) -> Iterator[bytes]:
        began = said = clock.monotonic()
        with self._bell.listen(events.TOPIC) as ear:
            yield b"retry: 3000\n\n"
            ear.hear(events.TOPIC)
            while clock.monotonic() - began < _LASTS_S:
                heard = ear.wait(_LOOKS_S)
                found = self._since(seen, project_id) if heard else []
                seen = max([seen, *(event.id for event in found)])
                told = {event.resource for event in found}
                changed = sorted(told if ANY in kinds else told & kinds)
                if changed:
                    words = ",".join(changed)
                    yield f"id: {seen}\nevent: change\ndata: {words}\n\n".encode()
                elif clock.monotonic() - said > _SAYS_S:
                    said = clock.monotonic()
                    yield b": still here\n\n"
                else:
                    yield b""  # where it is noticed that nobody listens any more

    def _since(self, seen: int, project_id: str | None) -> list[Event]:
        return self._db.read(lambda tx: events.events_since(tx, seen, project_id=project_id))

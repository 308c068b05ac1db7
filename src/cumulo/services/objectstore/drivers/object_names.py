"""The names of an object's files, which say all that decides what counts.

STAMP.data          an object whole            STAMP.meta    headers that replaced those
STAMP#INDEX.data    a durable fragment         STAMP.gone    the mark of a deletion
STAMP#INDEX.part    one that is not yet
"""

from collections.abc import Iterable

from cumulo.services.objectstore.drivers.base import Held, State, Stored


def name_of(stored: Stored) -> str:
    """Return the first name of a file."""
    if stored.fragment is None:
        return f"{stored.stamp}.data"
    return f"{stored.stamp}#{stored.fragment.index}.part"


def durable(name: str) -> str:
    """Return what a fragment is called once it is durable."""
    return name.removesuffix(".part") + ".data"


def held(name: str) -> Held | None:
    """Return which fragment a file is, None where it is something else."""
    stem, _, kind = name.rpartition(".")
    stamp, _, index = stem.partition("#")
    if kind not in ("data", "part") or not index.isdecimal():
        return None
    return Held(stamp, int(index), kind == "data")


def state_of(names: Iterable[str]) -> State:
    """Return what files with these names say."""
    newest = {"data": "", "meta": "", "gone": ""}
    fragments: list[Held] = []
    for name in names:
        stem, _, kind = name.rpartition(".")
        if "#" in stem:
            fragment = held(name)
            if fragment is not None:
                fragments.append(fragment)
            stem = stem.partition("#")[0]
        if kind in newest:
            newest[kind] = max(newest[kind], stem)
    meta = newest["meta"] if newest["meta"] > newest["data"] else ""
    return State(newest["data"], meta, newest["gone"], tuple(sorted(fragments)))


def superseded(names: Iterable[str]) -> list[str]:
    """Return the files of an object that no longer count, and never will."""
    names = list(names)
    state = state_of(names)
    counts = max(state.data, state.gone)
    return [name for name in names if not _is_kept(name, state, counts)]


def _is_kept(name: str, state: State, counts: str) -> bool:
    stem, _, kind = name.rpartition(".")
    stamp = stem.partition("#")[0]
    if kind == "part":
        # One of what counts is made durable sooner or later.
        return stamp > counts or (stamp == counts and state.is_there)
    if kind == "data":
        return stamp == state.data and state.is_there
    if kind == "gone":
        return stamp == state.gone and not state.is_there
    waits = any(one.stamp > counts for one in state.fragments)
    return kind == "meta" and stamp == state.meta and (state.is_there or waits)

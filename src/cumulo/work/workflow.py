"""Durable workflows: steps that can be repeated, and undone in reverse.

A step is a plain function of the run.  Its result is stored before the next step starts,
so after a crash another worker continues where this one stopped.  Hence two rules:

* a step may run twice; the second time it must find its work done and return the same;
* an undo may run when its step never did, or did half; it removes what it finds.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

import msgspec

from cumulo.db import Database, Tx

P = TypeVar("P", bound=msgspec.Struct)
T = TypeVar("T")
R = TypeVar("R")


class Caller(Protocol):
    """Who asked; an `auth.Context` is one, and so is a `Run`."""

    @property
    def request_id(self) -> str | None:
        """The request that led to this."""

    @property
    def user_id(self) -> str | None:
        """Who sent it."""

    @property
    def project_id(self) -> str | None:
        """For which project."""


class Failure(msgspec.Struct, frozen=True):
    """Why a run is being undone: `kind` is the name of the error's class."""

    kind: str
    message: str
    step: str = ""


class StepLog(msgspec.Struct, frozen=True):
    """What one step did and when, in seconds since 1970."""

    name: str
    state: str  # done | failed | undone
    started_at: float
    ended_at: float
    attempts: int = 1
    result: Any = None
    undone_at: float | None = None


class Run(Generic[P, T]):
    """One execution: what it was asked, what its steps returned, what it may touch."""

    def __init__(self, run_id: str, params: P, db: Database, tools: T) -> None:
        self.id, self.params, self.db, self.tools = run_id, params, db, tools
        self.subject: str | None = None
        self.request_id: str | None = None
        self.user_id: str | None = None
        self.project_id: str | None = None
        self.error: Failure | None = None
        self.results: dict[str, Any] = {}
        self.is_cancelled: Callable[[], bool] = lambda: False

    def result_of(self, step: "Callable[..., R]") -> R:
        """Return what `step` returned earlier in this run; an undo may have to `find` it."""
        return msgspec.convert(self.results[step.__name__], _returned(step))  # type: ignore[no-any-return]

    def find_result_of(self, step: "Callable[..., R]") -> R | None:
        """Return what `step` returned, or None when it did not come to its end."""
        return self.result_of(step) if step.__name__ in self.results else None

    def cancelled(self) -> bool:
        """Tell a long step that it may stop: its work is no longer wanted, or no longer its own.

        It may return or raise as it likes; the run is then undone, or left to its new owner.
        """
        return self.is_cancelled()


class Step(Generic[P, T]):
    """A function and, if it leaves anything behind, the function that removes it."""

    def __init__(
        self, do: Callable[[Run[P, T]], object], *, undo: Callable[[Run[P, T]], None] | None = None
    ) -> None:
        self.name, self.do, self.undo = do.__name__, do, undo


class Write(Step[P, T]):
    """A step that does nothing but change the database.

    Its change and the record that it is done are one transaction: it is done once, and a worker
    that lost the run changes nothing.
    """

    def __init__(
        self,
        work: Callable[[Tx, Run[P, T]], object],
        *,
        undo: Callable[[Run[P, T]], None] | None = None,
    ) -> None:
        self.work = work

        def alone(run: Run[P, T]) -> object:
            return run.db.write(work, run)

        alone.__name__ = work.__name__
        super().__init__(alone, undo=undo)


class Workflow(Generic[P, T]):
    """A named list of steps.  The name is stored: never rename it, never reorder its steps.

    When everything is undone, `failed` says so to whoever asked, with `run.error`; it may run
    twice too.
    """

    def __init__(
        self,
        name: str,
        params: type[P],
        steps: Sequence[Step[P, T]],
        failed: Callable[[Run[P, T]], None] | None = None,
    ) -> None:
        self.name, self.params, self.steps, self.failed = name, params, steps, failed
        names = [step.name for step in steps]
        if len(set(names)) < len(names):
            raise ValueError(f"two steps of {name} share a name; results are stored by it")


@functools.cache
def _returned(step: Callable[..., object]) -> Any:
    return get_type_hints(step)["return"]

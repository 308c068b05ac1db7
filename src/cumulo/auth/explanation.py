"""Why a rule permits or refuses: each of its parts, what it compares, and whether it holds."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cumulo.auth.rules import Caller, Target, compile_rule, parse_rule

_SLOT = re.compile(r"%\(([^)]*)\)s")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One part of a rule, and what became of it."""

    text: str
    holds: bool
    parts: tuple["Verdict", ...] = ()

    def lines(self, depth: int = 0) -> list[str]:
        """Return it as a person reads it, its parts below."""
        mark = "yes" if self.holds else "no "
        own = f"{'  ' * depth}{mark} {self.text}"
        return [own, *(line for part in self.parts for line in part.lines(depth + 1))]


_Node: TypeAlias = Callable[[Caller, Target], Verdict]


def explain(name: str, texts: Callable[[str], str], caller: Caller, target: Target) -> Verdict:
    """Return what a rule makes of a caller and a target; `texts` finds rules by name."""
    whole = parse_rule(texts(name), _Explained(texts))(caller, target)
    return Verdict(f"{name}: {texts(name) or 'anyone'}", whole.holds, (whole,))


class _Explained:
    """Functions that say whether they hold, and why."""

    def __init__(self, texts: Callable[[str], str]) -> None:
        self._texts = texts

    def word(self, word: str) -> _Node:
        kind, _, match = word.partition(":")
        if kind == "rule":
            return lambda caller, target: explain(match, self._texts, caller, target)
        check = compile_rule(word, _nothing)
        return lambda caller, target: Verdict(
            _told(word, kind, match, caller, target), check(caller, target)
        )

    def any_of(self, parts: list[_Node]) -> _Node:
        def node(caller: Caller, target: Target) -> Verdict:
            found = tuple(part(caller, target) for part in parts)
            return Verdict("any of", any(one.holds for one in found), found)

        return node

    def all_of(self, parts: list[_Node]) -> _Node:
        def node(caller: Caller, target: Target) -> Verdict:
            found = tuple(part(caller, target) for part in parts)
            return Verdict("all of", all(one.holds for one in found), found)

        return node

    def unless(self, part: _Node) -> _Node:
        def node(caller: Caller, target: Target) -> Verdict:
            found = part(caller, target)
            return Verdict("not", not found.holds, (found,))

        return node


def _told(word: str, kind: str, match: str, caller: Caller, target: Target) -> str:
    """Return a check with the values that it compares."""
    if kind == "role":
        return f"{word} (has {', '.join(sorted(caller.roles)) or 'no role'})"
    facts = []
    if kind in caller.credentials():
        facts.append(f"the caller's {kind} is {caller.credentials()[kind]}")
    for slot in _SLOT.findall(match):
        value = target.get(slot, "not known")
        facts.append(f"the target's {slot} is {value}")
    return f"{word} ({'; '.join(facts)})" if facts else word


def _nothing(name: str) -> Callable[[Caller, Target], bool]:
    raise AssertionError(f"{name} is looked up by its explanation")

"""The rule language of oslo.policy, compiled into functions.

    "role:admin and project_id:%(project_id)s"   "rule:owner or not role:reader"   "@"   "!"

A check `kind:match` compares the caller's `kind` (or a literal) with `match`, in which
`%(name)s` stands for a fact of the target; a missing fact fails the check.  The compiled form
costs microseconds; oslo.policy's own engine looks at its files on each call.
"""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeAlias, TypeVar

from cumulo.kit.errors import Invalid

T = TypeVar("T")


class Caller(Protocol):
    """What a rule may know of whoever asks."""

    @property
    def roles(self) -> frozenset[str]: ...  # noqa: D102

    def credentials(self) -> Mapping[str, object]: ...  # noqa: D102


Target: TypeAlias = Mapping[str, object]
Check: TypeAlias = Callable[[Caller, Target], bool]
Lookup: TypeAlias = Callable[[str], Check]

_TOKEN = re.compile(r"""\(|\)|(?:'[^']*'|"[^"]*"|%\([^)]*\)s|[^\s()])+""")


def compile_rule(text: str, lookup: Lookup) -> Check:
    """Return `text` as a function; `lookup` finds the rules it refers to, when it runs."""
    return parse_rule(text, _Compiled(lookup))


def parse_rule(text: str, forms: "Forms[T]") -> T:
    """Return what `forms` makes of a rule's parts."""
    if not text.strip():
        return forms.word("@")
    parser = _Parser(_TOKEN.findall(text), text, forms)
    whole = parser.either()
    if parser.rest:
        raise Invalid(f"Policy rule '{text}' has '{parser.rest[0]}' where it should end.")
    return whole


class Forms(Protocol[T]):
    """What becomes of a rule's parts: functions, or explanations."""

    def word(self, word: str) -> T:
        """Return a single check, such as role:admin, @ or !."""

    def any_of(self, parts: list[T]) -> T:
        """Return what holds when one part does."""

    def all_of(self, parts: list[T]) -> T:
        """Return what holds when every part does."""

    def unless(self, part: T) -> T:
        """Return what holds when a part does not."""


class _Compiled:
    """Functions that say whether they hold."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def word(self, word: str) -> Check:
        if word in ("@", "!"):
            return _always if word == "@" else _never
        kind, _, match = word.partition(":")
        if kind == "rule":
            return _rule(match, self._lookup)
        if kind == "role":
            return _role(match)
        return _field(match) if kind == "field" else _compare(kind, match)

    def any_of(self, parts: list[Check]) -> Check:
        return lambda caller, target: any(check(caller, target) for check in parts)

    def all_of(self, parts: list[Check]) -> Check:
        return lambda caller, target: all(check(caller, target) for check in parts)

    def unless(self, part: Check) -> Check:
        return lambda caller, target: not part(caller, target)


class _Parser(Generic[T]):
    """Recursive descent: or binds weaker than and, and weaker than not."""

    def __init__(self, tokens: list[str], text: str, forms: Forms[T]) -> None:
        self.rest, self._text, self._forms = tokens, text, forms

    def either(self) -> T:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else self._forms.any_of(parts)

    def _both(self) -> T:
        parts = [self._single()]
        while self._take("and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else self._forms.all_of(parts)

    def _single(self) -> T:
        if self._take("not"):
            return self._forms.unless(self._single())
        if self._take("("):
            inside = self.either()
            if not self._take(")"):
                raise Invalid(f"Policy rule '{self._text}' lacks a closing parenthesis.")
            return inside
        if not self.rest:
            raise Invalid(f"Policy rule '{self._text}' ends too early.")
        word = self.rest.pop(0)
        if word not in ("@", "!") and (":" not in word or word == ")"):
            raise Invalid(f"Policy rule '{self._text}' has '{word}' where a check should be.")
        return self._forms.word(word)

    def _take(self, word: str) -> bool:
        found = bool(self.rest) and self.rest[0].lower() == word
        if found:
            self.rest.pop(0)
        return found


def _always(_caller: Caller, _target: Target) -> bool:
    return True


def _never(_caller: Caller, _target: Target) -> bool:
    return False


def _rule(name: str, lookup: Lookup) -> Check:
    """Look the rule up when it is asked, since it may be written later or replaced."""

    def check(caller: Caller, target: Target) -> bool:
        return lookup(name)(caller, target)

    return check


def _role(name: str) -> Check:
    if "%(" in name:
        return lambda caller, target: _filled(name, target) in caller.roles
    wanted = name.lower()
    return lambda caller, _target: wanted in caller.roles


def _compare(kind: str, match: str) -> Check:
    literal = _literal(kind)
    if literal is None:
        if match == "None":
            return lambda caller, _target: caller.credentials().get(kind) is None
        return lambda caller, target: _same(caller.credentials().get(kind), _filled(match, target))
    return lambda _caller, target: _same(literal, _filled(match, target))


def _literal(kind: str) -> str | None:
    """Return what a constant such as 'yes', 5 or True is compared as; None for any other word."""
    if kind.isidentifier() and kind not in ("True", "False", "None"):
        return None
    try:
        return str(ast.literal_eval(kind))
    except (ValueError, SyntaxError):
        return None


def _field(match: str) -> Check:
    """Network's `field:networks:shared=True`: compare a fact of the target with a constant."""
    name, _, wanted = match.partition(":")[2].partition("=")
    if wanted.startswith("~"):
        pattern = re.compile(wanted[1:])
        return lambda _caller, target: bool(pattern.match(str(target.get(name, ""))))
    return lambda _caller, target: str(target.get(name)) == wanted


def _same(mine: object, wanted: str | None) -> bool:
    return wanted is not None and mine is not None and str(mine) == wanted


def _filled(match: str, target: Target) -> str | None:
    try:
        return match % target if "%(" in match else match
    except KeyError:
        return None

"""May they: OpenStack's rules by name, with an operator's policy.yaml over the defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import yaml

from cumulo.auth.explanation import Verdict, explain
from cumulo.auth.rules import Caller, Check, Target, compile_rule
from cumulo.kit import clock
from cumulo.kit.errors import Invalid

_LOOK_AGAIN_S = 1.0


class Scoped(Caller, Protocol):
    """A caller whose token has a scope."""

    @property
    def system_scope(self) -> str | None: ...  # noqa: D102

    @property
    def domain_id(self) -> str | None: ...  # noqa: D102


class Policy:
    """The rules of one service.

    `scopes` names the token scopes that the service's rules are written for, `rule_scopes` those
    of single rules that are narrower; a token of another scope is refused, as oslo.policy's
    enforce_scope does.  `file` is read again when it changes.
    """

    def __init__(
        self,
        defaults: Mapping[str, str],
        *,
        file: Path | None = None,
        scopes: frozenset[str] = frozenset({"project", "none"}),
        rule_scopes: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self._defaults, self._file, self._scopes = dict(defaults), file, scopes
        self._rule_scopes = rule_scopes or {}
        self._neighbours: tuple[Policy, ...] = ()
        self._stamp: object = None
        self._look_at = 0.0
        self._overrule({})
        self._reload()

    @property
    def names(self) -> list[str]:
        """Return the name of every rule, in order."""
        return sorted(self._texts)

    def text(self, rule: str) -> str:
        """Return a rule as written, by the operator or by default."""
        return self._texts[rule]

    def default(self, rule: str) -> str:
        """Return a rule as it is by default, whatever the operator wrote."""
        return self._defaults.get(rule, "")

    @property
    def unknown(self) -> list[str]:
        """Return the names that only the operator's file has."""
        return sorted(self._texts.keys() - self._defaults.keys())

    def beside(self, *neighbours: "Policy") -> None:
        """Let rules of other services be asked too, as when compute reads an image for a caller."""
        self._neighbours = neighbours

    def allows(self, rule: str, caller: Scoped, target: Target) -> bool:
        """Say whether `rule` permits `caller` to act on `target`."""
        self._reload()
        if rule not in self._texts:
            for other in self._neighbours:
                if rule in other._texts:
                    return other.allows(rule, caller, target)
        scopes = self._rule_scopes.get(rule, self._scopes)
        return _scope(caller) in scopes and self._find(rule)(caller, target)

    def explain(self, rule: str, caller: Scoped, target: Target) -> Verdict:
        """Return why `rule` permits or refuses, the scope of the token first."""
        if rule not in self._texts:
            raise Invalid(f"Policy has no rule named {rule}.")
        scopes = self._rule_scopes.get(rule, self._scopes)
        mine = _scope(caller)
        said = f"scope is {' or '.join(sorted(scopes))} (the token's is {mine})"
        parts = (Verdict(said, mine in scopes), explain(rule, self.text, caller, target))
        return Verdict(rule, all(part.holds for part in parts), parts)

    def _find(self, rule: str) -> Check:
        """Return a rule as a function; the defaults are compiled when first asked for."""
        check = self._checks.get(rule)
        if check is None:
            if rule not in self._texts:
                raise Invalid(f"Policy has no rule named {rule}.")
            check = self._checks[rule] = compile_rule(self._texts[rule], self._find)
        return check

    def _overrule(self, overrides: Mapping[str, str]) -> None:
        """Take an operator's rules; a mistake in them is found here, not at the first request."""
        checks = {name: compile_rule(text, self._find) for name, text in overrides.items()}
        self._texts, self._checks = {**self._defaults, **overrides}, checks

    def _reload(self) -> None:
        if self._file is None or clock.monotonic() < self._look_at:
            return
        self._look_at = clock.monotonic() + _LOOK_AGAIN_S
        stamp = self._file.stat().st_mtime_ns if self._file.exists() else None
        if stamp != self._stamp:
            self._overrule(_read(self._file) if stamp else {})
            self._stamp = stamp


def _scope(caller: Scoped) -> str:
    if caller.system_scope:
        return "system"
    if caller.domain_id:
        return "domain"
    return "project" if caller.credentials().get("project_id") else "none"


def _read(file: Path) -> dict[str, str]:
    """Return the rules in a policy.yaml; an operator's mistake is named with the file."""
    found = yaml.safe_load(file.read_text()) or {}
    if not isinstance(found, dict):
        raise Invalid(f"{file} must hold rules as 'name: check'.")
    return {str(name): "" if text is None else str(text) for name, text in found.items()}

"""Rules for whole resources and for single attributes.

Who may not see an attribute does not get it; who may not set it is refused.
"""

from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec import NODEFAULT, UNSET

from cumulo.auth import Context
from cumulo.services.network.policy import RULES

# Rules that Neutron has, for attributes of which it asks no rule.
_ASKED_OF_NOBODY = {"create_subnet:service_types", "update_subnet:service_types"}


def check_create(ctx: Context, resource: str, spec: msgspec.Struct, **target: object) -> None:
    """Refuse a caller who may not make the resource, or not with these attributes."""
    _check(ctx, f"create_{resource}", _given(spec), target)


def check_update(ctx: Context, resource: str, change: msgspec.Struct, **target: object) -> None:
    """Refuse a caller who may not change the resource, or not these attributes."""
    _check(ctx, f"update_{resource}", _given(change), target)


def check_action(ctx: Context, action: str, wanted: msgspec.Struct, **target: object) -> None:
    """Refuse a caller who may not do this to the resource, or not with these attributes."""
    _check(ctx, action, _given(wanted), target)


def _check(ctx: Context, rule: str, given: Iterator[str], target: dict[str, object]) -> None:
    ctx.require(rule, **target)
    for name in given:
        if (one := f"{rule}:{name}") in RULES and one not in _ASKED_OF_NOBODY:
            ctx.require(one, **target)


def _given(spec: msgspec.Struct) -> Iterator[str]:
    """Yield the attributes that differ from what they are without being named."""
    for field in _fields(type(spec)):
        value = getattr(spec, field.name)
        default = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        if value is UNSET or value == default:
            continue
        yield field.encode_name
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, msgspec.Struct):
                yield from (f"{field.encode_name}:{name}" for name in _given(part))


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


@cache
def _attributes(rule: str) -> tuple[str, ...]:
    """Return the attributes that have rules of their own beside a rule."""
    prefix = f"{rule}:"
    return tuple(name.removeprefix(prefix) for name in RULES if name.startswith(prefix))


class Sight:
    """What the caller may see of resources of one kind, found once for those that are alike."""

    def __init__(self, ctx: Context, resource: str) -> None:
        self._ctx, self._rule = ctx, f"get_{resource}"
        self._attributes = _attributes(self._rule)
        self._known: dict[tuple[object, ...], frozenset[str] | None] = {}

    def hidden(self, **target: object) -> frozenset[str] | None:
        """Return the attributes to leave out, or None when nothing may be seen at all."""
        key = tuple(target.values())
        if key not in self._known:
            self._known[key] = self._find(target)
        return self._known[key]

    def _find(self, target: dict[str, object]) -> frozenset[str] | None:
        if not self._ctx.may(self._rule, **target):
            return None
        return frozenset(
            name for name in self._attributes if not self._ctx.may(f"{self._rule}:{name}", **target)
        )

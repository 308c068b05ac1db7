"""The small languages of placement's queries: resources, traits, aggregates."""

from collections.abc import Iterable, Mapping

from cumulo.kit.errors import Invalid
from cumulo.services.placement.api.answers import is_uuid

BAD_VALUE = "placement.query.bad_value"
_PROBLEM = "Invalid query string parameters:"
_RESOURCES = (
    "Badly formed resources parameter. Expected resources query string parameter in form: "
    "?resources=VCPU:2,MEMORY_MB:1024. Got:"
)
_MOST = 2**53


def check_names(
    query: Mapping[str, list[str]], known: Iterable[str], *, patterns: bool = False
) -> None:
    """Refuse a query with parameters that this version does not have, by name or pattern."""
    unknown = sorted(query.keys() - set(known))
    if unknown and patterns:
        names = ", ".join(f"'{name[:128]}'" for name in unknown)
        verb = "does" if len(unknown) == 1 else "do"
        raise Invalid(f"{_PROBLEM} {names} {verb} not match any of the regexes")
    if unknown:
        names = ", ".join(f"'{name[:64]}'" for name in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise Invalid(
            f"{_PROBLEM} Additional properties are not allowed ({names} {verb} unexpected)"
        )


def resources_of(text: str) -> dict[str, int]:
    """Read `VCPU:2,MEMORY_MB:1024`."""
    if not text.strip():
        raise Invalid(f"{_RESOURCES} empty string.")
    found = {}
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or ":" in amount:
            raise Invalid(f"{_RESOURCES} {part[:64]}.")
        digits = amount.strip().removeprefix("-").removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 17):
            raise Invalid(
                f"Requested resource {name[:255]} expected positive integer amount. "
                f"Got: {amount[:64]}."
            )
        if not 1 <= int(amount) <= _MOST:
            raise Invalid(
                f"Requested resource {name[:255]} requires amount >= 1. Got: {int(amount)}."
            )
        found[name] = int(amount)
    return found


def traits_of(
    values: Iterable[str], *, may_forbid: bool, may_choose: bool
) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Read `A,B`, `!A`, `in:A,B`; return sets of which each needs one, and what is forbidden."""
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        if value.startswith("in:"):
            required.append(_choice(value, may_choose=may_choose))
            continue
        names = [name.strip() for name in value.split(",")]
        against = {name.lstrip("!") for name in names if name.startswith("!")}
        if not all([*names, *against]):
            form = "HW_CPU_X86_VMX,!CUSTOM_MAGIC" if may_forbid else "HW_CPU_X86_VMX,CUSTOM_MAGIC"
            raise _malformed(form, f"an empty trait in: {value}")
        if against and not may_forbid:
            raise _malformed("HW_CPU_X86_VMX,CUSTOM_MAGIC", value)
        required += [frozenset([name]) for name in names if not name.startswith("!")]
        forbidden |= against
    return required, frozenset(forbidden)


def aggregates_of(
    values: list[str], suffix: str, *, may_repeat: bool, may_forbid: bool
) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Read `id`, `in:id,id`, `!id`, `!in:id,id`; return sets of which each needs one, and not."""
    if len(values) > 1 and not may_repeat:
        raise Invalid(f"Multiple member_of{suffix} parameters are not supported")
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        against = value.startswith("!")
        plain = value.removeprefix("!")
        if "," in plain and not plain.startswith("in:"):
            raise Invalid(
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' "
                f"keyword using the valid microversion. Got: {value[:128]}"
            )
        ids = frozenset(plain.removeprefix("in:").split(","))
        for one in sorted(ids):
            if not is_uuid(one):
                raise Invalid(
                    f"{_PROBLEM} Expected 'member_of' parameter to contain valid UUID(s). "
                    f"Got: {one[:64]}"
                )
        if against and not may_forbid:
            raise Invalid(
                f"Forbidden member_of{suffix} parameters are not supported "
                "in the specified microversion"
            )
        if against:
            forbidden |= ids
        else:
            required.append(ids)
    return required, frozenset(forbidden)


def _choice(value: str, *, may_choose: bool) -> frozenset[str]:
    if not may_choose:
        raise Invalid(
            f"{_PROBLEM} The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since "
            f"microversion 1.39. Got: {value[:255]}"
        )
    names = [name.strip() for name in value[3:].split(",")]
    if not all(names):
        raise _malformed("in:HW_CPU_X86_VMX,CUSTOM_MAGIC", f"an empty trait in: {value}")
    if any(name.startswith("!") for name in names):
        raise Invalid(
            f"{_PROBLEM} The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden "
            f"traits. Got: {value[:255]}"
        )
    return frozenset(names)


def _malformed(form: str, got: str) -> Invalid:
    return Invalid(
        f"{_PROBLEM} Expected 'required' parameter value of the form: {form}. Got: {got[:255]}"
    )

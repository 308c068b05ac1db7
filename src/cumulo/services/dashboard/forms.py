"""Forms: what a page asks for, and what came back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qs

from cumulo.kit.errors import Invalid

_MOST_FIELDS = 2000
Kind = Literal[
    "text", "long", "number", "flag", "choice", "choices", "password", "hidden", "email"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """One of several that may be chosen."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that is asked for."""

    name: str
    label: str
    kind: Kind = "text"
    value: str | Sequence[str] = ""
    options: Sequence[Option] = ()
    required: bool = False
    hint: str = ""
    group: str = ""  # the heading that it stands under; empty: that of the field before
    least: int | None = None
    none: str = ""  # what it is called to choose nothing

    def chosen(self, option: str) -> bool:
        """Say whether an option is what the form holds."""
        return option == self.value if isinstance(self.value, str) else option in self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A page that asks; `action` is where the answers go."""

    title: str
    action: str
    fields: Sequence[Field]
    submit: str
    back: str
    section: str = ""
    note: str = ""
    danger: bool = False
    is_dense: bool = False  # many short fields, side by side
    problem: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def again(self, given: "Given", problem: str) -> "Form":
        """Return the form with what was written into it, and what was wrong with that."""
        return replace(self, fields=[_filled(each, given) for each in self.fields], problem=problem)


def _filled(each: Field, given: "Given") -> Field:
    if each.kind == "password":
        return each
    if each.kind == "choices":
        return replace(each, value=given.many(each.name))
    return replace(each, value=given.text(each.name))


class Given:
    """What a browser sent of a form."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    @staticmethod
    def read(content: bytes) -> "Given":
        """Read what a form sends; a browser never sends what cannot be read."""
        try:
            text = content.decode("utf-8")
            found = parse_qs(
                text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
            )
        except ValueError as error:
            raise Invalid(f"The form cannot be read: {error}.") from error
        return Given(found)

    def text(self, name: str) -> str:
        """Return a text without space around it; empty where there is none."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return a text as it came, its lines ended as everywhere but in forms."""
        return (self._values.get(name) or [""])[0].replace("\r\n", "\n")

    def many(self, name: str) -> list[str]:
        """Return all that was chosen."""
        return [value for value in self._values.get(name, ()) if value]

    def flag(self, name: str) -> bool:
        """Say whether a box was ticked."""
        return bool(self.text(name))

    def number(self, name: str) -> int | None:
        """Return a whole number, or None where nothing was written."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise Invalid(f"{name}: {text[:50]} is not a whole number.", field=name) from error

    def some(self, **places: str) -> dict[str, object]:
        """Return the texts that were written, by other names: `some(ip='address')`."""
        found = {name: self.text(place) for name, place in places.items()}
        return {name: value for name, value in found.items() if value}

    def pairs(self, name: str) -> dict[str, str]:
        """Return lines of the form key=value."""
        found = {}
        for line in self.raw(name).splitlines():
            key, mark, value = line.partition("=")
            if line.strip() and not mark:
                raise Invalid(f"{name}: '{line[:50]}' is not of the form key=value.", field=name)
            if line.strip():
                found[key.strip()] = value.strip()
        return found

    def lines(self, name: str) -> list[str]:
        """Return the lines that are not empty."""
        return [line.strip() for line in self.raw(name).splitlines() if line.strip()]


def options_of(
    items: Sequence[Mapping[str, object]],
    label: Callable[[Mapping[str, object]], str] = lambda item: str(item["name"] or item["id"]),
    value: str = "id",
) -> list[Option]:
    """Return things as what may be chosen."""
    found = [Option(str(item[value]), label(item)) for item in items]
    return sorted(found, key=lambda option: option.label.lower())

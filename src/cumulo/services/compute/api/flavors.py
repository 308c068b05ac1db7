"""Flavors: list, show, create, describe, delete."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.services.compute import flavors
from cumulo.services.compute.api.fields import Name, NotNegative, Positive, Text
from cumulo.services.compute.api.links import Link, links_to, next_links
from cumulo.services.compute.api.queries import Paging, check_known
from cumulo.services.compute.flavors import Flavor, FlavorFilter, FlavorSpec, SortKey
from cumulo.services.compute.patterns import check_pattern
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since, until

Call: TypeAlias = _Call[Tools]
routes = Routes()
_EXTRA_SPECS = "os_compute_api:os-flavor-extra-specs:index"
_MOST_FACTOR = 3.40282e38
_Description: TypeAlias = Annotated[Text, Meta(max_length=65535)]
_Id: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^(?! )[a-zA-Z0-9. _-]+(?<! )$(?!\n)")
]


class FlavorBrief(msgspec.Struct, kw_only=True):
    """A flavor in a list."""

    id: str
    name: str
    links: list[Link]
    description: Annotated[str | None, since("2.55")] = None


class FlavorView(msgspec.Struct, kw_only=True):
    """A flavor."""

    id: str
    name: str
    ram: int
    disk: int
    swap: int | str
    ephemeral: int = msgspec.field(name="OS-FLV-EXT-DATA:ephemeral")
    # Flavors could be disabled once; since nobody can any more, none is.
    disabled: Annotated[bool, until("2.101")] = msgspec.field(
        name="OS-FLV-DISABLED:disabled", default=False
    )
    vcpus: int
    is_public: bool = msgspec.field(name="os-flavor-access:is_public")
    rxtx_factor: Annotated[float, until("2.101")]
    links: list[Link]
    description: Annotated[str | None, since("2.55")] = None
    extra_specs: Annotated[dict[str, str] | UnsetType, since("2.61")] = UNSET


class FlavorBody(msgspec.Struct):
    """One flavor."""

    flavor: FlavorView


class FlavorsBrief(msgspec.Struct):
    """A page of flavors."""

    flavors: list[FlavorBrief]
    flavors_links: list[Link] | UnsetType = UNSET


class FlavorsDetail(msgspec.Struct):
    """A page of flavors with all there is to know."""

    flavors: list[FlavorView]
    flavors_links: list[Link] | UnsetType = UNSET


class NewFlavor(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client says about the flavor it wants."""

    name: Name
    id: _Id | int | float | None = None
    ram: Positive
    vcpus: Positive
    disk: NotNegative
    ephemeral: NotNegative = msgspec.field(name="OS-FLV-EXT-DATA:ephemeral", default=0)
    swap: NotNegative = 0
    rxtx_factor: Annotated[float | str, until("2.101")] = 1.0
    is_public: LooseBool = msgspec.field(name="os-flavor-access:is_public", default=True)
    description: Annotated[_Description | None, since("2.55")] = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The flavor to create."""

    flavor: NewFlavor


class Description(msgspec.Struct, forbid_unknown_fields=True):
    """All that can change of a flavor."""

    description: _Description | None


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The change of a flavor."""

    flavor: Description


class FlavorQuery(Paging, kw_only=True):
    """Which flavors, in which order."""

    is_public: str | None = None
    min_ram: str | None = msgspec.field(name="minRam", default=None)
    min_disk: str | None = msgspec.field(name="minDisk", default=None)
    name: Annotated[str | None, since("2.102")] = None
    sort_key: SortKey = "flavorid"
    sort_dir: Literal["asc", "desc"] = "asc"


@routes.get("/v2.1/flavors", policy="")
def list_flavors(call: Call, query: FlavorQuery) -> FlavorsBrief:
    """List the flavors the project may use."""
    found = _page(call, query)
    last = found[-1].id if found else None
    more = next_links(call, "flavors", last, is_full=len(found) == query.most)
    return FlavorsBrief([_brief(call, flavor) for flavor in found], more)


@routes.get("/v2.1/flavors/detail", policy="")
def list_flavors_with_details(call: Call, query: FlavorQuery) -> FlavorsDetail:
    """List the flavors the project may use, with all there is to know."""
    found = _page(call, query)
    last = found[-1].id if found else None
    more = next_links(call, "flavors/detail", last, is_full=len(found) == query.most)
    return FlavorsDetail([_view(call, flavor) for flavor in found], more)


@routes.post("/v2.1/flavors", policy="os_compute_api:os-flavor-manage:create")
def create_flavor(call: Call, body: CreateBody) -> FlavorBody:
    """Create a flavor."""
    new = body.flavor
    spec = FlavorSpec(
        id=None if new.id is None else str(new.id),
        name=new.name,
        memory_mib=new.ram,
        vcpus=new.vcpus,
        root_gib=new.disk,
        ephemeral_gib=new.ephemeral,
        swap_mib=new.swap,
        rxtx_factor=_factor(new.rxtx_factor),
        is_public=new.is_public,
        description=new.description,
    )
    return FlavorBody(_view(call, call.db.write(flavors.new_flavor, call.ctx, spec)))


@routes.get("/v2.1/flavors/{flavor_id}", policy="")
def show_flavor(call: Call, flavor_id: str) -> FlavorBody:
    """Show a flavor."""
    check_known(call, since=(2, 102))
    return FlavorBody(_view(call, call.db.read(flavors.flavor_visible, call.ctx, flavor_id)))


@routes.put(
    "/v2.1/flavors/{flavor_id}", policy="os_compute_api:os-flavor-manage:update", since="2.55"
)
def update_flavor(call: Call, flavor_id: str, body: UpdateBody) -> FlavorBody:
    """Change a flavor's description."""
    description = body.flavor.description
    changed = call.db.write(flavors.describe_flavor, call.ctx, flavor_id, description)
    return FlavorBody(_view(call, changed))


@routes.delete(
    "/v2.1/flavors/{flavor_id}", policy="os_compute_api:os-flavor-manage:delete", status=202
)
def delete_flavor(call: Call, flavor_id: str) -> None:
    """Delete a flavor; servers made of it keep what they have."""
    call.db.write(flavors.delete_flavor, call.ctx, flavor_id)


def _page(call: Call, query: FlavorQuery) -> list[Flavor]:
    check_known(call, FlavorQuery, since=(2, 75))
    wanted = FlavorFilter(
        is_public=_is_public(query.is_public),
        min_memory_mib=_number("minRam", query.min_ram),
        min_root_gib=_number("minDisk", query.min_disk),
        name=None if query.name is None else check_pattern("name", query.name),
        sort_key=query.sort_key,
        descending=query.sort_dir == "desc",
        limit=query.most,
        marker=query.marker,
    )
    return call.db.read(flavors.list_flavors, call.ctx, wanted)


def _brief(call: Call, flavor: Flavor) -> FlavorBrief:
    return FlavorBrief(
        id=flavor.id,
        name=flavor.name,
        links=links_to(call, "flavors", flavor.id),
        description=flavor.description,
    )


def _view(call: Call, flavor: Flavor) -> FlavorView:
    return FlavorView(
        id=flavor.id,
        name=flavor.name,
        ram=flavor.memory_mib,
        disk=flavor.root_gib,
        # An empty text said "none" before a number did.
        swap=flavor.swap_mib or ("" if call.version < (2, 75) else 0),
        ephemeral=flavor.ephemeral_gib,
        vcpus=flavor.vcpus,
        is_public=flavor.is_public,
        rxtx_factor=flavor.rxtx_factor,
        links=links_to(call, "flavors", flavor.id),
        description=flavor.description,
        extra_specs=flavor.extra_specs if call.ctx.may(_EXTRA_SPECS) else UNSET,
    )


_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("1", "t", "true", "on", "y", "yes"), True),
    **dict.fromkeys(("0", "f", "false", "off", "n", "no"), False),
    "none": None,
}


def _is_public(text: str | None) -> bool | None:
    """Read the filter: only public ones unless said otherwise, `none` for all."""
    word = "true" if text is None else text.strip().lower()
    if word not in _WORDS:
        raise Invalid(f"Invalid is_public filter [{text}]", field="is_public")
    return _WORDS[word]


def _number(field: str, text: str | None) -> int | None:
    try:
        return None if text is None else max(-1, min(int(text), 1 << 62))
    except ValueError:
        raise Invalid(f"Invalid {field} filter [{text}]", field=field) from None


def _factor(given: float | str) -> float:
    try:
        factor = float(given)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= _MOST_FACTOR:
        raise Invalid(
            f"Invalid input for field/attribute rxtx_factor. Value: {given}. It must be above 0.",
            field="rxtx_factor",
        )
    return factor

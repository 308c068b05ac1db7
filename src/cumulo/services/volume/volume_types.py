"""Volume types: what an operator offers, by name; extra specs say which back ends will do."""

import re
from collections.abc import Mapping

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.volume.settings import VolumeSettings
from cumulo.services.volume.store import types as store
from cumulo.services.volume.store.items import SPECS, items_delete, items_of, items_set
from cumulo.services.volume.store.types import Encryption as Encryption
from cumulo.services.volume.store.types import VolumeType as VolumeType
from cumulo.services.volume.store.volumes import volumes_of_type
from cumulo.work import events

# What those see who may not manage types: the specs that change what a user may ask for.
_FOR_USERS = frozenset({"RESKEY:availability_zones", "multiattach", "replication_enabled"})
_KEY = re.compile(r"^[a-zA-Z0-9\-_:. ]{1,255}$(?!\n)")


def add_default_type(tx: Tx, settings: VolumeSettings) -> None:
    """Make the type that volumes are of when nobody names one, or find it made."""
    if store.type_find(tx, settings.default_volume_type) is None:
        words = "Default Volume Type"
        first = VolumeType(
            id=ids.new_id(),
            name=settings.default_volume_type,
            description=words,
            created_at=clock.now(),
        )
        store.type_insert(tx, first)


def type_visible(tx: Tx, ctx: Context, id_or_name: str) -> VolumeType:
    """Return a type that the caller may use; others do not exist."""
    found = store.type_find(tx, id_or_name)
    if found is not None:
        if found.is_public or ctx.is_admin:
            return found
        if ctx.project_id in store.access_of(tx, found.id):
            return found
    raise NotFound(f"Volume type {id_or_name} could not be found.", type_id=id_or_name)


def type_by_id(tx: Tx, ctx: Context, type_id: str) -> VolumeType:
    """Return the same for places where only an id counts."""
    found = type_visible(tx, ctx, type_id)
    if found.id != type_id:
        raise NotFound(f"Volume type {type_id} could not be found.", type_id=type_id)
    return found


def list_types(tx: Tx, ctx: Context, *, is_public: bool | None) -> list[VolumeType]:
    """Return the types that the caller may use; an administrator says whether public or not."""
    found = store.type_list(tx, visible_to=None if ctx.is_admin else ctx.project_id or "")
    if ctx.is_admin and is_public is not None:
        return [one for one in found if one.is_public is is_public]
    return found


def shown_specs(ctx: Context, volume_type: VolumeType) -> dict[str, str]:
    """Return the extra specs that the caller may see."""
    if ctx.may("volume_extension:types_extra_specs:read_sensitive"):
        return volume_type.extra_specs
    return {k: v for k, v in volume_type.extra_specs.items() if k in _FOR_USERS}


def default_type(tx: Tx, ctx: Context, settings: VolumeSettings) -> VolumeType:
    """Return the type of a volume for which none is named."""
    own = store.default_type_of(tx, ctx.project_id or "")
    found = store.type_find(tx, own or settings.default_volume_type)
    if found is None:
        raise NotFound("Default volume type can not be found.")
    return found


def new_type(
    tx: Tx,
    ctx: Context,
    *,
    name: str,
    description: str | None,
    is_public: bool,
    specs: dict[str, str],
) -> VolumeType:
    """Record a type."""
    _check_name_free(tx, name)
    check_specs(specs)
    made = VolumeType(
        id=ids.new_id(),
        name=name,
        description=description,
        is_public=is_public,
        created_at=clock.now(),
        extra_specs=specs,
    )
    store.type_insert(tx, made)
    items_set(tx, made.id, SPECS, specs)
    _record(tx, ctx, made, "create")
    return made


def update_type(tx: Tx, ctx: Context, type_id: str, changes: Mapping[str, object]) -> VolumeType:
    """Change name, description or whether everyone may use it."""
    before = type_by_id(tx, ctx, type_id)
    name = changes.get("name")
    if name is not None and name != before.name:
        _check_name_free(tx, str(name))
    store.type_update(tx, type_id, **changes)
    after = type_by_id(tx, ctx, type_id)
    _record(tx, ctx, after, "update")
    return after


def delete_type(tx: Tx, ctx: Context, settings: VolumeSettings, type_id: str) -> None:
    """Forget a type that no volume is of."""
    gone = type_by_id(tx, ctx, type_id)
    if gone.name == settings.default_volume_type or gone.id in store.default_types(tx).values():
        raise Invalid(
            f"Volume type {gone.name} is a default volume type: name another as the default first."
        )
    if volumes_of_type(tx, type_id):
        raise Invalid(
            "Target volume type is still in use: delete or retype the volumes of "
            f"{gone.name} first."
        )
    store.type_delete(tx, type_id)
    items_delete(tx, type_id, SPECS)
    _record(tx, ctx, gone, "delete")


def set_specs(tx: Tx, ctx: Context, type_id: str, specs: dict[str, str]) -> None:
    """Add or change extra specs."""
    changed = type_by_id(tx, ctx, type_id)
    check_specs(specs)
    _check_unused_for(tx, changed, specs)
    items_set(tx, type_id, SPECS, specs)
    store.type_update(tx, type_id)
    _record(tx, ctx, changed, "update")


def delete_spec(tx: Tx, ctx: Context, type_id: str, key: str) -> None:
    """Remove an extra spec."""
    changed = type_by_id(tx, ctx, type_id)
    if key not in changed.extra_specs:
        raise NotFound(f"Volume Type {type_id} has no extra specs with key {key}.")
    _check_unused_for(tx, changed, {key: ""})
    items_delete(tx, type_id, SPECS, [key])
    store.type_update(tx, type_id)
    _record(tx, ctx, changed, "update")


def spec_of(tx: Tx, ctx: Context, type_id: str, key: str) -> str:
    """Return the value of an extra spec that the caller may see."""
    found = shown_specs(ctx, type_by_id(tx, ctx, type_id))
    if key not in found:
        raise NotFound(f"Volume Type {type_id} has no extra specs with key {key}.")
    return found[key]


def check_specs(specs: Mapping[str, str]) -> None:
    """Refuse keys that could not be written back."""
    for key in specs:
        if not _KEY.match(key):
            raise Invalid(
                f"Invalid key {key[:80]!r}: keys of extra specs are 1 to 255 letters, digits, "
                "underscores, periods, colons and hyphens.",
                field="extra_specs",
            )


def access_of(tx: Tx, ctx: Context, type_id: str) -> list[str]:
    """Return the projects that may use a private type."""
    found = type_by_id(tx, ctx, type_id)
    if found.is_public:
        raise NotFound("Access list not available for public volume types.")
    return store.access_of(tx, type_id)


def add_access(tx: Tx, ctx: Context, type_id: str, project_id: str) -> None:
    """Let a project use a private type."""
    found = _private(tx, ctx, type_id)
    if project_id in store.access_of(tx, type_id):
        raise Conflict(
            f"Volume type access for {type_id} / {project_id} combination already exists."
        )
    store.access_add(tx, type_id, project_id)
    _record(tx, ctx, found, "access_add")


def remove_access(tx: Tx, ctx: Context, type_id: str, project_id: str) -> None:
    """Let it no more."""
    found = _private(tx, ctx, type_id)
    if not store.access_remove(tx, type_id, project_id):
        raise NotFound(f"Volume type access not found for {type_id} / {project_id} combination.")
    _record(tx, ctx, found, "access_remove")


def encryption_of(tx: Tx, type_id: str) -> Encryption | None:
    """Return how volumes of a type are encrypted, if they are."""
    return store.encryption_of(tx, type_id)


def specs_of(tx: Tx, type_id: str) -> dict[str, str]:
    """Return all extra specs of a type."""
    return items_of(tx, type_id, SPECS)


def project_defaults(tx: Tx) -> dict[str, str]:
    """Return the default type of each project that has one of its own."""
    return store.default_types(tx)


def set_default(tx: Tx, ctx: Context, project_id: str, id_or_name: str) -> VolumeType:
    """Let a project's volumes be of a type when nobody names one."""
    found = store.type_find(tx, id_or_name)
    if found is None:
        raise NotFound(f"Volume type {id_or_name} could not be found.", type_id=id_or_name)
    if not found.is_public and project_id not in store.access_of(tx, found.id):
        raise Invalid(
            f"Volume type {id_or_name} is private and project {project_id} may not use it: give "
            "it access first.",
            field="volume_type",
        )
    store.default_type_set(tx, project_id, found.id)
    _record(tx, ctx, found, "set_default")
    return found


def unset_default(tx: Tx, project_id: str) -> None:
    """Let the cloud's default hold again."""
    if not store.default_type_unset(tx, project_id):
        raise NotFound(f"Default type for project {project_id} not found.")


def _private(tx: Tx, ctx: Context, type_id: str) -> VolumeType:
    found = type_by_id(tx, ctx, type_id)
    if found.is_public:
        raise Conflict("Type access modification is not applicable to public volume type.")
    return found


def _check_name_free(tx: Tx, name: str) -> None:
    found = store.type_find(tx, name)
    if found is not None and found.name == name:
        raise Conflict(f"Volume Type {name} already exists.", field="name")


def _check_unused_for(tx: Tx, changed: VolumeType, specs: Mapping[str, str]) -> None:
    """Keep what volumes of the type rely on as it is while there are any."""
    fixed = {"multiattach", "RESKEY:availability_zones"} & specs.keys()
    if fixed and volumes_of_type(tx, changed.id):
        raise Invalid(
            f"Volume Type is currently in use: {', '.join(sorted(fixed))} of {changed.name} cannot "
            "be changed while there are volumes of it."
        )


def _record(tx: Tx, ctx: Context, changed: VolumeType, action: str) -> None:
    after = msgspec.structs.asdict(changed)
    events.record(
        tx, ctx, resource="volume_type", resource_id=changed.id, action=action, after=after
    )

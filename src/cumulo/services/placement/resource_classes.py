"""Resource classes: the standard ones, and those clients make, which begin with CUSTOM_."""

from collections.abc import Iterable
from datetime import datetime

import os_resource_classes

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.placement.store import resource_classes as store
from cumulo.services.placement.store.inventories import class_in_use, class_rename

STANDARD: tuple[str, ...] = tuple(os_resource_classes.STANDARDS)
_STANDARD = frozenset(STANDARD)
_ORDER = {name: place for place, name in enumerate(STANDARD)}


def class_list(tx: Tx) -> dict[str, datetime | None]:
    """Return every class, the standard ones first; those were always there."""
    return {**dict.fromkeys(STANDARD), **store.class_custom(tx)}


def class_get(tx: Tx, name: str) -> datetime | None:
    """Return when the class was last changed; None for a standard one."""
    if name in _STANDARD:
        return None
    changed = store.class_find(tx, name)
    if changed is None:
        raise NotFound(f"No such resource class {name}.", resource_class=name)
    return changed


def class_order(name: str) -> tuple[int, str]:
    """Return where a class comes in lists: the standard ones first, as everybody counts them."""
    return (_ORDER.get(name, len(STANDARD)), name)


def unknown_classes(tx: Tx, names: Iterable[str]) -> list[str]:
    """Return those of the names that are no class."""
    custom = sorted(set(names) - _STANDARD)
    known = store.class_custom(tx) if custom else {}
    return [name for name in custom if name not in known]


def new_class(tx: Tx, name: str) -> None:
    """Make a class whose name is not taken."""
    if store.class_find(tx, name) is not None:
        raise Conflict(f"Conflicting resource class already exists: {name}", resource_class=name)
    store.class_insert_absent(tx, name)


def ensure_class(tx: Tx, name: str) -> bool:
    """Make a class, or find it made; say whether it is new."""
    if store.class_find(tx, name) is not None:
        return False
    store.class_insert_absent(tx, name)
    return True


def rename_class(tx: Tx, old: str, new: str) -> None:
    """Give a class that a client made another name, everywhere."""
    class_get(tx, old)
    if old in _STANDARD:
        raise Invalid(f"Cannot update standard resource class {old}", resource_class=old)
    if old == new:
        return
    if store.class_find(tx, new) is not None:
        raise Conflict(f"Resource class already exists: {new}", resource_class=new)
    store.class_set_name(tx, old, new)
    class_rename(tx, old, new)


def delete_class(tx: Tx, name: str) -> None:
    """Forget a class that a client made and no provider has."""
    class_get(tx, name)
    problem = "Error in delete resource class: Cannot delete"
    if name in _STANDARD:
        raise Invalid(f"{problem} standard resource class {name}.", resource_class=name)
    if class_in_use(tx, name):
        raise Conflict(
            f"{problem} resource class {name}. Class is in use in inventory.", resource_class=name
        )
    store.class_delete(tx, name)

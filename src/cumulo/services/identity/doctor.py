"""What would make trouble in identity, each as a sentence that says what to do."""

from collections import Counter
from datetime import timedelta

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.identity.keys import CREDENTIAL, TOKEN, Keyring
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.signing import JWS
from cumulo.services.identity.store.assignments import assignment_list, on_target
from cumulo.services.identity.store.credentials import credential_page
from cumulo.services.identity.store.groups import groups_by_ids
from cumulo.services.identity.store.keys import key_list
from cumulo.services.identity.store.listing import Listing
from cumulo.services.identity.store.projects import projects_by_ids
from cumulo.services.identity.store.roles import roles_all
from cumulo.services.identity.store.users import users_by_ids

_FEW_ROUNDS = 10


def symptoms(tx: Tx, settings: IdentitySettings) -> list[str]:
    """Return what is wrong, or about to be."""
    return [*_keys(tx, settings), *_sealed(tx), *_roles(tx), *_choices(settings)]


def _keys(tx: Tx, settings: IdentitySettings) -> list[str]:
    found = []
    for purpose in (TOKEN, JWS, CREDENTIAL):
        keys = key_list(tx, purpose)
        states = Counter(key.state for key in keys)
        if states["primary"] != 1:
            found.append(
                f"There are {states['primary']} primary keys for {purpose}: run `cumulo bootstrap`."
            )
        due = timedelta(seconds=2 * settings.key_rotation)
        primary = [key for key in keys if key.state == "primary"]
        if purpose != CREDENTIAL and primary and clock.now() - primary[0].since > due:
            found.append(
                f"The {purpose} key was due long ago: start the cloud or run `cumulo keys rotate`."
            )
    return found


def _sealed(tx: Tx) -> list[str]:
    vault = Keyring(CREDENTIAL)
    lost = [
        one.id
        for one in credential_page(tx, Listing()).members
        if vault.open(tx, one.sealed_blob) is None
    ]
    return [f"No key opens credential {one}: delete it." for one in lost]


def _roles(tx: Tx) -> list[str]:
    found, roles = [], roles_all(tx)
    admins = {role.id for role in roles.values() if role.name == "admin"}
    if not any(one.role_id in admins for one in assignment_list(tx, on_target("system", "all"))):
        found.append("Nobody is admin of the system: run `cumulo bootstrap --bootstrap-password`.")
    made = assignment_list(tx)
    actors = {one.actor_id for one in made}
    there = users_by_ids(tx, actors).keys() | groups_by_ids(tx, actors).keys()
    targets = projects_by_ids(tx, {one.target_id for one in made if one.target_kind != "system"})
    for one in made:
        is_whole = one.actor_id in there and one.role_id in roles
        if not is_whole or (one.target_kind != "system" and one.target_id not in targets):
            found.append(
                f"Role {one.role_id} of {one.actor_kind} {one.actor_id} on {one.target_kind} "
                f"{one.target_id} names something that is gone: revoke it."
            )
    return found


def _choices(settings: IdentitySettings) -> list[str]:
    found = []
    if settings.password_hash_rounds < _FEW_ROUNDS:
        found.append(
            f"password_hash_rounds is {settings.password_hash_rounds}: stolen hashes are quickly "
            "guessed, leave it at 12."
        )
    return found

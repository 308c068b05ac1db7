"""All that the rest of the cloud may use of identity."""

from collections.abc import Callable
from datetime import datetime

from cumulo.auth import Context
from cumulo.db import Database, Tx
from cumulo.services.identity import access_keys
from cumulo.services.identity.acting import Asked as Asked
from cumulo.services.identity.acting import context_of as _context_of
from cumulo.services.identity.bootstrap import Bootstrap as Bootstrap
from cumulo.services.identity.bootstrap import ServiceSpec as ServiceSpec
from cumulo.services.identity.bootstrap import bootstrap as _bootstrap
from cumulo.services.identity.bootstrap import restore_admin as _restore_admin
from cumulo.services.identity.doctor import symptoms as _symptoms
from cumulo.services.identity.keys import CREDENTIAL, TOKEN, Keyring
from cumulo.services.identity.keys import rotate as _rotate
from cumulo.services.identity.keys import rotate_credentials as _rotate_credentials
from cumulo.services.identity.passwords import Passwords
from cumulo.services.identity.policy import EVERY_SCOPE as EVERY_SCOPE
from cumulo.services.identity.policy import RULE_SCOPES as RULE_SCOPES
from cumulo.services.identity.policy import RULES as RULES
from cumulo.services.identity.projects import PROJECT_GONE as PROJECT_GONE
from cumulo.services.identity.reconcile import forget_revocations as forget_revocations
from cumulo.services.identity.reconcile import rotate_keys as rotate_keys
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.settings import IdentitySettings as IdentitySettings
from cumulo.services.identity.signing import JWS
from cumulo.services.identity.store.keys import key_list
from cumulo.services.identity.store.projects import Project as Project
from cumulo.services.identity.store.projects import project_find, projects_by_ids
from cumulo.services.identity.store.users import User as User
from cumulo.services.identity.store.users import user_find, users_by_ids
from cumulo.services.identity.store.users import user_named as user_named
from cumulo.services.identity.tools import Tools as Tools
from cumulo.services.identity.validation import TokenValidator as TokenValidator


def new_tools(db: Database, settings: IdentitySettings) -> Tools:
    """Return what identity's operations and every edge's token check need, once a process."""
    keyring, vault = Keyring(TOKEN), Keyring(CREDENTIAL)
    validator = TokenValidator(db, keyring)
    return Tools(settings, keyring, vault, Passwords(settings), validator)


def bootstrap(db: Database, tools: Tools, spec: Bootstrap) -> None:
    """Make the first domain, projects, users, roles, catalog and keys, or find them made."""
    _bootstrap(db, tools.passwords, spec)


def rotate(db: Database, settings: IdentitySettings) -> None:
    """Rotate the keys of tokens now; tokens that are out stay good."""
    db.write(_rotate, settings)


def rotate_credentials(db: Database) -> int:
    """Seal every credential with a new key; return how many there are."""
    return db.write(_rotate_credentials)


def key_states(db: Database) -> list[tuple[str, int, str, datetime]]:
    """Return purpose, number, state and since when, of every key."""
    return [
        (key.purpose, key.number, key.state, key.since)
        for purpose in (TOKEN, JWS, CREDENTIAL)
        for key in db.read(key_list, purpose)
    ]


def restore_admin(db: Database, tools: Tools, password: str) -> None:
    """Let the admin in again: by this password, enabled, with its roles."""
    _restore_admin(db, tools.passwords, password)


def symptoms(db: Database, settings: IdentitySettings) -> list[str]:
    """Return what would make trouble."""
    return db.read(_symptoms, settings)


def context_of(db: Database, asked: Asked) -> Context:
    """Return a user as a token of that scope would show it."""
    return db.read(_context_of, asked)


def sign_in(db: Database, tools: Tools, access: str, is_signed: Callable[[str], bool]) -> Context:
    """Return the owner of an access key, if `is_signed` recognises its secret."""
    _, token = access_keys.token_of(db, tools, access, is_signed)
    return token.context()


def project_get(tx: Tx, project_id: str) -> Project:
    """Return a project, whoever asks."""
    project = project_find(tx, project_id)
    if project is None or project.is_domain:
        raise absent("project", project_id)
    return project


def project_exists(tx: Tx, project_id: str) -> bool:
    """Say whether there is such a project."""
    return project_find(tx, project_id) is not None


def projects_among(tx: Tx, project_ids: set[str]) -> set[str]:
    """Return those of the projects, domains among them, that there are."""
    return set(projects_by_ids(tx, project_ids))


def user_get(tx: Tx, user_id: str) -> User:
    """Return a user, whoever asks."""
    user = user_find(tx, user_id)
    if user is None:
        raise absent("user", user_id)
    return user


def project_names(tx: Tx, project_ids: set[str]) -> dict[str, str]:
    """Return the names of those that are there, by id."""
    return {one.id: one.name for one in projects_by_ids(tx, project_ids).values()}


def user_names(tx: Tx, user_ids: set[str]) -> dict[str, str]:
    """Return the names of those that are there, by id."""
    return {one.id: one.name for one in users_by_ids(tx, user_ids).values()}

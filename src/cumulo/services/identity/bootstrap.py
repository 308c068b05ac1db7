"""What a cloud has before anybody logs in: done at each start, and nothing twice."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import msgspec

from cumulo.db import Database, Tx
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity.keys import ensure_keys
from cumulo.services.identity.passwords import Passwords
from cumulo.services.identity.store.assignments import SYSTEM, Assignment, assignment_ensure
from cumulo.services.identity.store.catalog import (
    Endpoint,
    Region,
    Service,
    endpoint_change,
    endpoint_insert,
    endpoint_page,
    region_find,
    region_insert,
    service_insert,
    service_page,
)
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.listing import Listing
from cumulo.services.identity.store.projects import (
    Project,
    project_find,
    project_insert,
    project_named,
)
from cumulo.services.identity.store.roles import (
    Role,
    implied_all,
    implied_insert,
    role_insert,
    role_page,
)
from cumulo.services.identity.store.users import User, user_change, user_insert, user_named

DEFAULT_DOMAIN = "default"
# Each implies the next.
_LADDER = ("admin", "manager", "member", "reader")
_ROLES = (*_LADDER, "service")
_PROJECTS = (
    ("admin", "Bootstrap project for initializing the cloud."),
    ("service", "The cloud's own services."),
    ("demo", "A project to try things in."),
)


class ServiceSpec(msgspec.Struct, frozen=True):
    """A service and where it is reached; `url` may leave $(project_id)s open."""

    type: str
    name: str
    url: str
    description: str = ""


class Bootstrap(msgspec.Struct, frozen=True):
    """What differs from cloud to cloud."""

    admin_password: str
    demo_password: str
    services: list[ServiceSpec] = []
    region: str = "RegionOne"

    def __repr__(self) -> str:
        return f"Bootstrap({self.region})"


def bootstrap(db: Database, passwords: Passwords, spec: Bootstrap) -> None:
    """Make what is missing; passwords and roles that people changed since stay as they are."""
    wanted = {"admin": spec.admin_password, "demo": spec.demo_password}
    missing = db.read(_missing_users, list(wanted))
    with ThreadPoolExecutor(max_workers=2) as pool:
        hashes = dict(
            zip(missing, pool.map(lambda n: passwords.hash(wanted[n]), missing), strict=True)
        )
    for user in db.write(_make, spec, hashes):
        passwords.remember(user.id, user.password_hash or "", wanted[user.name])


def restore_admin(db: Database, passwords: Passwords, password: str) -> None:
    """Let the admin in again, whatever became of its password, its state and its roles."""
    db.write(_restore, passwords.hash(password))


def _restore(tx: Tx, password_hash: str) -> None:
    user = user_named(tx, "admin", DEFAULT_DOMAIN)
    assert user is not None, "made by the bootstrap that came before"
    user_change(
        tx,
        user,
        enabled=True,
        password_hash=password_hash,
        password_expires_at=None,
        failed_auth_count=0,
        failed_auth_at=None,
        tokens_since=generation_advance(tx),
    )
    projects = {name: _project(tx, name, description) for name, description in _PROJECTS}
    _assign(tx, user, projects, _roles(tx))


def _missing_users(tx: Tx, names: list[str]) -> list[str]:
    return [name for name in names if user_named(tx, name, DEFAULT_DOMAIN) is None]


def _make(tx: Tx, spec: Bootstrap, hashes: dict[str, str]) -> list[User]:
    """Make everything in one transaction; return the users that are new."""
    before = _fingerprint(tx)
    ensure_keys(tx)
    if project_find(tx, DEFAULT_DOMAIN) is None:
        project_insert(
            tx,
            Project(
                id=DEFAULT_DOMAIN,
                name="Default",
                description="The default domain",
                is_domain=True,
            ),
        )
    projects = {name: _project(tx, name, description) for name, description in _PROJECTS}
    roles = _roles(tx)
    made = [_user(tx, name, password_hash) for name, password_hash in hashes.items()]
    for user in made:
        _assign(tx, user, projects, roles)
    _services(tx, spec)
    if _fingerprint(tx) != before or made:
        generation_advance(tx)
    return made


def _fingerprint(tx: Tx) -> tuple[object, ...]:
    everything = Listing()
    return (
        [role.id for role in role_page(tx, everything).members],
        implied_all(tx),
        service_page(tx, everything).members,
        endpoint_page(tx, everything).members,
    )


def _project(tx: Tx, name: str, description: str) -> Project:
    found = project_named(tx, name, DEFAULT_DOMAIN)
    if found is None:
        found = Project(
            id=new_hex_id(),
            name=name,
            domain_id=DEFAULT_DOMAIN,
            parent_id=DEFAULT_DOMAIN,
            description=description,
        )
        project_insert(tx, found)
    return found


def _roles(tx: Tx) -> dict[str, Role]:
    known = role_page(tx, Listing(equals={"domain_id": ""})).members
    roles = {role.name: role for role in known}
    for name in _ROLES:
        if name not in roles:
            roles[name] = Role(new_hex_id(), name, options={"immutable": True})
            role_insert(tx, roles[name])
    there = set(implied_all(tx))
    for prior, implied in itertools.pairwise(_LADDER):
        pair = (roles[prior].id, roles[implied].id)
        if pair not in there:
            implied_insert(tx, *pair)
    return roles


def _user(tx: Tx, name: str, password_hash: str) -> User:
    user = User(new_hex_id(), name, DEFAULT_DOMAIN, password_hash=password_hash)
    user_insert(tx, user)
    return user


def _assign(tx: Tx, user: User, projects: dict[str, Project], roles: dict[str, Role]) -> None:
    if user.name == "admin":
        admin = roles["admin"].id
        target = projects["admin"].id
        assignment_ensure(tx, Assignment("user", user.id, "project", target, admin))
        assignment_ensure(tx, Assignment("user", user.id, "system", SYSTEM, admin))
    else:
        member = roles["member"].id
        target = projects["demo"].id
        assignment_ensure(tx, Assignment("user", user.id, "project", target, member))


def _services(tx: Tx, spec: Bootstrap) -> None:
    """Make services and endpoints; a cloud that moved to another address says so."""
    if region_find(tx, spec.region) is None:
        region_insert(tx, Region(spec.region))
    known = {(one.type, one.name): one for one in service_page(tx, Listing()).members}
    endpoints = {
        (one.service_id, one.interface): one
        for one in endpoint_page(tx, Listing(equals={"region_id": spec.region})).members
    }
    for wanted in spec.services:
        service = known.get((wanted.type, wanted.name))
        if service is None:
            extra = {"description": wanted.description}
            service = Service(new_hex_id(), wanted.type, wanted.name, extra=dict(extra))
            service_insert(tx, service)
        for interface in ("public", "internal", "admin"):
            there = endpoints.get((service.id, interface))
            if there is None:
                new = Endpoint(new_hex_id(), service.id, interface, spec.region, wanted.url)
                endpoint_insert(tx, new)
            elif there.url != wanted.url:
                endpoint_change(tx, there, url=wanted.url)

"""Containers: named sets of objects, with who may read and write them."""

from dataclasses import dataclass

from cumulo.services.objectstore import access, accounts, listings, metadata, policies, syncs
from cumulo.services.objectstore.drivers.base import Asked, Head, Row
from cumulo.services.objectstore.refusals import bad, missing, taken, too_large
from cumulo.services.objectstore.settings import MAX_CONTAINER_NAME_LENGTH
from cumulo.services.objectstore.stamps import iso
from cumulo.services.objectstore.visits import Visit, truth

# What only who runs the account sees.
_SECRET = (
    "X-Container-Read",
    "X-Container-Write",
    "X-Container-Meta-Temp-Url-Key",
    "X-Container-Meta-Temp-Url-Key-2",
    "X-Container-Sync-To",
    "X-Container-Sync-Key",
)
_LISTS = ("X-Container-Read", "X-Container-Write")
HIDDEN = "X-Container-Sysmeta-"  # begins the names of headers that are shown to nobody
LOCATIONS = ("X-Versions-Location", "X-History-Location")
VERSIONS_ENABLED = "X-Versions-Enabled"


@dataclass(frozen=True, slots=True)
class Container:
    """One container as a request finds it."""

    account: str
    name: str
    head: Head

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return self.head.headers.get(name, "")


def container_visible(
    visit: Visit, account: str, name: str, *, writes: bool = False, lists: bool = False
) -> Container:
    """Return a container whose objects the caller may read or write."""
    head = find(visit, account, name)
    acl = head.headers.get(_LISTS[writes], "") if head else ""
    access.require(visit, account, name, acl, lists=lists)
    if head is None:
        raise missing()
    return Container(account, name, head)


def find(visit: Visit, account: str, name: str) -> Head | None:
    """Return a container, whoever asks."""
    return visit.cluster.container(account, name).head()


def objects(visit: Visit, container: Container, asked: Asked) -> list[Row | str]:
    """Return the names of objects."""
    return rows(visit, container.account, container.name, asked)


def rows(visit: Visit, account: str, name: str, asked: Asked) -> list[Row | str]:
    """Return names of a container, whoever asks."""
    return listings.page(visit.cluster, account, name, asked)


def summed(visit: Visit, account: str, head: Head) -> Head:
    """Return what a container holds in all, its shards included."""
    return listings.summed(visit.cluster, account, head)


def create(visit: Visit, account: str, name: str) -> bool:
    """Make a container, or set metadata of one; say whether it was not there."""
    access.require_writer(visit, account)
    _check_name(name)
    wanted, old = policies.named(visit.settings, visit.headers), find(visit, account, name)
    if wanted and old and wanted != policies.name_of(visit.settings, old):
        raise taken()
    accounts.ensure(visit, account)
    policy = {policies.HEADER: wanted or visit.settings.policy_names[0]} if old is None else {}
    return make(visit, account, name, _changes(visit, account, name) | policy)


def like(container: Container) -> dict[str, str]:
    """Return the headers of a container that holds parts or versions of another's objects."""
    policy = container.header(policies.HEADER)
    return {policies.HEADER: policy} if policy else {}


def make(visit: Visit, account: str, name: str, changes: dict[str, str]) -> bool:
    """Make a container, whoever asks; say whether it was not there."""
    cluster, policy = visit.cluster, changes.get(policies.HEADER, "")
    with cluster.lock(cluster.place("container", account, name)):
        stamp = cluster.stamps.next()
        is_new = all(
            cluster.container(account, name).write(
                lambda one: one.create(stamp, f"{account}/{name}", changes)
            )
        )
        if is_new and not name.startswith("\0"):
            row = Row(name, stamp, iso(stamp), content_type=policy)
            cluster.account(account).write(lambda one: one.put(row))
    return is_new


def update(visit: Visit, account: str, name: str) -> None:
    """Set a container's metadata."""
    access.require_writer(visit, account)
    if find(visit, account, name) is None:
        raise missing()
    changes, stamp = _changes(visit, account, name), visit.cluster.stamps.next()
    visit.cluster.container(account, name).write(lambda one: one.change(stamp, changes))


def note(visit: Visit, container: Container, headers: dict[str, str]) -> None:
    """Keep something with a container, whoever asks."""
    stamp = visit.cluster.stamps.next()
    where = visit.cluster.container(container.account, container.name)
    where.write(lambda one: one.change(stamp, headers))


def check_deletable(visit: Visit, account: str, name: str) -> None:
    """Refuse to delete what is not there, not empty or not the caller's."""
    access.require_writer(visit, account)
    head = find(visit, account, name)
    if head is None:
        raise missing()
    if summed(visit, account, head).items:
        raise taken()


def delete(visit: Visit, account: str, name: str) -> None:
    """Delete an empty container."""
    check_deletable(visit, account, name)
    remove(visit, account, name)


def remove(visit: Visit, account: str, name: str) -> None:
    """Delete an empty container, whoever asks."""
    cluster = visit.cluster
    with cluster.lock(cluster.place("container", account, name)):
        stamp = cluster.stamps.next()
        if not all(cluster.container(account, name).write(lambda one: one.delete(stamp))):
            raise taken()
        cluster.changed.discard((account, name))
        cluster.account(account).write(lambda one: one.remove(name, stamp))


def is_shown(visit: Visit, account: str, name: str) -> bool:
    """Say whether the caller may see a header of a container in this account."""
    if name.startswith(HIDDEN):
        return False
    return name not in _SECRET or access.is_owner(visit, account)


def has_quota(container: Container) -> bool:
    """Say whether there is anything that the container may not hold."""
    return any(container.header(f"X-Container-Meta-Quota-{unit}") for unit in ("Bytes", "Count"))


def check_quota(visit: Visit, container: Container, size: int, count: int) -> None:
    """Refuse what would be more than the container may hold."""
    most_bytes = container.header("X-Container-Meta-Quota-Bytes")
    most = container.header("X-Container-Meta-Quota-Count")
    if not has_quota(container):
        return
    held = summed(visit, container.account, container.head)
    if most_bytes and held.size + size > int(most_bytes):
        raise too_large("Upload exceeds quota.")
    if most and held.items + count > int(most):
        raise too_large("Upload exceeds quota.")


def _changes(visit: Visit, account: str, name: str) -> dict[str, str]:
    headers, found = visit.headers, metadata.asked("Container", visit.headers)
    for header in _LISTS:
        if header.lower() in headers:
            found[header] = access.cleaned(header, headers[header.lower()])
        elif f"x-remove-{header.lower().removeprefix('x-')}" in headers:
            found[header] = ""
    for quota in ("X-Container-Meta-Quota-Bytes", "X-Container-Meta-Quota-Count"):
        value = found.get(quota, "")
        if value and not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise bad(f"Invalid {quota.rpartition('-')[2].lower()} quota.")
    found |= _versioning(visit, account, name)
    old = find(visit, account, name)
    known = old.headers if old else {}
    found |= syncs.changes(visit, known)
    metadata.check_whole("X-Container-Meta-", known | found)
    return {header: value for header, value in found.items() if is_shown(visit, account, header)}


def _versioning(visit: Visit, account: str, name: str) -> dict[str, str]:
    headers = visit.headers
    found: dict[str, str] = {}
    for header in LOCATIONS:
        value = headers.get(header.lower())
        if f"x-remove-{header.lower().removeprefix('x-')}" in headers or value == "":
            found |= dict.fromkeys(LOCATIONS, "")
        elif value:
            other = LOCATIONS[header == LOCATIONS[0]]
            if headers.get(other.lower()):
                raise bad("Only one of X-Versions-Location or X-History-Location may be specified")
            found |= {header: value.strip("/"), other: ""}
    enabled = headers.get(VERSIONS_ENABLED.lower())
    if enabled is not None:
        old = find(visit, account, name)
        at = any(found.get(one) or (old and old.headers.get(one)) for one in LOCATIONS)
        if truth(enabled) and at:
            raise bad("Cannot enable object versioning on a container with X-Versions-Location")
        found[VERSIONS_ENABLED] = str(truth(enabled))
    return found


def _check_name(name: str) -> None:
    length = len(name.encode())
    if length > MAX_CONTAINER_NAME_LENGTH or "/" in name or "\ufffd" in name:
        raise bad(f"Container name length of {length} longer than {MAX_CONTAINER_NAME_LENGTH}")

"""Accounts: one for each project, made when it first stores something."""

import msgspec

from cumulo.services.objectstore import access, account_lists, metadata
from cumulo.services.objectstore.drivers.base import Asked, Head, Row
from cumulo.services.objectstore.metadata import titled
from cumulo.services.objectstore.refusals import bad, missing, too_large, unmet
from cumulo.services.objectstore.settings import MAX_ACCOUNT_NAME_LENGTH
from cumulo.services.objectstore.updates import report
from cumulo.services.objectstore.visits import Visit

_HIDDEN = "\0\U0010ffff"
_UNITS = ("Bytes", "Count")
_QUOTA = "x-account-quota-"
_OLD_QUOTA = "X-Account-Meta-Quota-Bytes"
SECRET = ("X-Account-Meta-Temp-Url-Key", "X-Account-Meta-Temp-Url-Key-2")


def account_visible(visit: Visit, account: str) -> Head:
    """Return an account the caller may look into; one that is not there yet is empty."""
    _check_name(account)
    access.require(visit, account)
    return head(visit, account)


def head(visit: Visit, account: str) -> Head:
    """Return an account's sums as of now."""
    report(visit.cluster, account)
    found = visit.cluster.account(account).head()
    if found is None:
        now = visit.cluster.stamps.next()
        return Head(put_at=now, created_at=now, items=0, count=0, size=0, headers={})
    return found


def containers(visit: Visit, account: str, asked: Asked) -> list[Row | str]:
    """Return the names of containers; those that hold versions are nobody's to see."""
    if asked.reverse:
        asked = msgspec.structs.replace(asked, end_marker=max(asked.end_marker, _HIDDEN))
    else:
        asked = msgspec.structs.replace(asked, marker=max(asked.marker, _HIDDEN))
    return visit.cluster.account(account).read(lambda index: index.page(asked)).rows


def create(visit: Visit, account: str) -> bool:
    """Make an account; say whether it was not there."""
    _check_name(account)
    access.require_reseller(visit)
    return _set(visit, account, _changes(visit))


def update(visit: Visit, account: str) -> None:
    """Set an account's metadata; quotas only by who runs all accounts."""
    _check_name(account)
    access.require_owner(visit, account)
    changes = _changes(visit)
    if any(name.startswith("X-Account-Quota-") or name == _OLD_QUOTA for name in changes):
        access.require_reseller(visit)
    _set(visit, account, changes)


def delete(visit: Visit, account: str) -> None:
    """Delete an account with all that it holds; its containers go when they are found without."""
    access.require_reseller(visit)
    index = visit.cluster.account(account)
    if index.head() is None:
        raise missing()
    stamp = visit.cluster.stamps.next()
    if not all(index.write(lambda one: one.delete(stamp))):
        raise unmet("The account holds containers; delete them first.")


def ensure(visit: Visit, account: str) -> None:
    """Make an account that is not there."""
    if visit.cluster.account(account).head() is None:
        _set(visit, account, {})


def is_shown(visit: Visit, account: str, name: str) -> bool:
    """Say whether the caller may see a header of this account."""
    if account_lists.is_hidden(name):
        return False
    return name not in SECRET or access.is_owner(visit, account)


def sums(visit: Visit, account: str) -> dict[str, tuple[int, int, int]]:
    """Return containers, objects and bytes of each policy of which the account has any."""
    found: dict[str, tuple[int, int, int]] = {}
    for policy, *numbers in visit.cluster.account(account).read(lambda index: index.sums()):
        name = policy or visit.settings.policy_names[0]
        before = found.get(name, (0, 0, 0))
        one, two, three = (a + b for a, b in zip(before, numbers, strict=True))
        found[name] = (one, two, three)
    return found


def has_quota(visit: Visit, account: str) -> bool:
    """Say whether there is anything that the account may not hold."""
    found = visit.cluster.account(account).head()
    return found is not None and any("Quota" in name for name in found.headers)


def check_quota(visit: Visit, account: str, size: int, count: int, policy: str) -> None:
    """Refuse what would be more than the account may hold."""
    if not has_quota(visit, account):
        return
    found = head(visit, account)
    limit = found.headers.get("X-Account-Quota-Bytes") or found.headers.get(_OLD_QUOTA)
    if limit is not None and found.size + size > int(limit):
        raise too_large("Upload exceeds quota.")
    most = found.headers.get("X-Account-Quota-Count")
    if most is not None and found.count + count > int(most):
        raise too_large("Upload exceeds quota.")
    _check_policy_quota(visit, account, found, (policy, size, count))


def _check_policy_quota(visit: Visit, account: str, head: Head, what: tuple[str, int, int]) -> None:
    policy, size, count = what
    limits = [head.headers.get(f"X-Account-Quota-{w}-Policy-{titled(policy)}") for w in _UNITS]
    if limits == [None, None]:
        return
    _, objects_now, bytes_now = sums(visit, account).get(policy, (0, 0, 0))
    for limit, held in zip(limits, (bytes_now + size, objects_now + count), strict=True):
        if limit is not None and held > int(limit):
            raise too_large("Upload exceeds policy quota.")


def _set(visit: Visit, account: str, changes: dict[str, str]) -> bool:
    index, stamp = visit.cluster.account(account), visit.cluster.stamps.next()
    if changes:
        old = index.head()
        metadata.check_whole("X-Account-Meta-", (old.headers if old else {}) | changes)
    return all(index.write(lambda one: one.create(stamp, account, changes)))


def _changes(visit: Visit) -> dict[str, str]:
    return metadata.asked("Account", visit.headers) | _quotas(visit) | account_lists.asked(visit)


def _quotas(visit: Visit) -> dict[str, str]:
    found, headers = dict[str, str](), visit.headers
    known = {name.lower() for name in visit.settings.policy_names}
    for name, value in headers.items():
        key = name.replace("x-remove-account-quota-", _QUOTA)
        if not key.startswith(_QUOTA):
            continue
        unit, _, policy = key.removeprefix(_QUOTA).partition("-policy-")
        if unit not in ("bytes", "count"):
            raise bad("Quotas are by bytes or count.")
        if policy and policy not in known:
            raise bad(f"There is no policy {policy[:100]!r}.")
        found[titled(key)] = "" if key != name else value
    old = headers.get(_OLD_QUOTA.lower(), "")
    for value in [*found.values(), old]:
        if value and not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise bad("Invalid quota.")
    return found


def _check_name(account: str) -> None:
    if len(account) > MAX_ACCOUNT_NAME_LENGTH or "\ufffd" in account:
        raise unmet(f"Account name length of {len(account)} longer than 256")

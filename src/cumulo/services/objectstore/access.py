"""Who may: by role in one's own account, by a container's access lists, by a signature."""

from urllib.parse import urlparse

from cumulo.auth import Context
from cumulo.services.objectstore import account_lists
from cumulo.services.objectstore.refusals import bad, denied
from cumulo.services.objectstore.visits import Visit

PREFIX = "AUTH_"
_REFERRERS = (".r", ".ref", ".referer", ".referrer")
_READS = ("GET", "HEAD", "OPTIONS")


def account_of(project_id: str) -> str:
    """Return the account of a project."""
    return f"{PREFIX}{project_id}"


def is_owner(visit: Visit, account: str) -> bool:
    """Say whether the caller runs this account, and so sees its keys and lists."""
    if _has(visit, visit.settings.reseller_admin_role):
        return True
    mine = visit.ctx.project_id is not None and account == account_of(visit.ctx.project_id)
    if mine and _has(visit, *visit.settings.operator_roles):
        return True
    return account_lists.ADMIN in account_lists.granted(visit, account)


def may_read_all(visit: Visit, account: str) -> bool:
    """Say whether the caller may read everything in this account."""
    mine = visit.ctx.project_id is not None and account == account_of(visit.ctx.project_id)
    readers = mine or visit.ctx.system_scope is not None
    return readers and _has(visit, *visit.settings.project_reader_roles)


def needs_no_list(visit: Visit, account: str, container: str | None = None) -> bool:
    """Say whether the caller may, whatever the container's own list says."""
    if visit.grant is not None and visit.grant.covers(account, container):
        return True
    if is_owner(visit, account):
        return True
    return visit.method in _READS and may_read_all(visit, account)


def require(
    visit: Visit, account: str, container: str | None = None, acl: str = "", *, lists: bool = False
) -> None:
    """Refuse who may not; `lists` where names are shown and not only what was named."""
    if needs_no_list(visit, account, container):
        return
    if _listed_in(visit, account, acl, lists=lists):
        return
    if not _is_let_in(visit, account, is_account=container is None):
        raise denied(is_known=bool(visit.ctx.user_id))


def require_writer(visit: Visit, account: str) -> None:
    """Refuse who may not make, change and delete the containers of an account."""
    if account_lists.READ_WRITE not in account_lists.granted(visit, account):
        require_owner(visit, account)


def require_owner(visit: Visit, account: str) -> None:
    """Refuse all but who runs the account."""
    if not is_owner(visit, account):
        raise denied(is_known=bool(visit.ctx.user_id))


def require_reseller(visit: Visit) -> None:
    """Refuse all but who runs every account."""
    if not _has(visit, visit.settings.reseller_admin_role):
        raise denied(is_known=bool(visit.ctx.user_id))


def cleaned(header: str, value: str) -> str:
    """Return an access list in its one spelling; `header` says whether it may name referrers."""
    values = []
    for raw in value.split(","):
        entry = raw.strip()
        if not entry:
            continue
        if not entry.startswith(".") and ":" not in entry:
            values.append(entry)
            continue
        first, _, second = (part.strip() for part in entry.partition(":"))
        if not first.startswith("."):
            values.append(entry)
        elif first in _REFERRERS:
            values.append(_referrer(header, entry, second))
        elif entry == ".rlistings":
            values.append(entry)
        else:
            raise bad(f"Unknown designator {first!r} in ACL: {entry!r}")
    return ",".join(values)


def _referrer(header: str, entry: str, host: str) -> str:
    if "write" in header.lower():
        raise bad(f"Referrers not allowed in write ACL: {entry!r}")
    negated = host.startswith("-")
    host = host.removeprefix("-").strip()
    if host not in ("", "*") and host.startswith("*"):
        host = host[1:].strip()
    if not host or host == ".":
        raise bad(f"No host/domain value after referrer designation in ACL: {entry!r}")
    return f".r:{'-' if negated else ''}{host}"


def _is_let_in(visit: Visit, account: str, *, is_account: bool) -> bool:
    """Say whether an account's own list lets the caller do this to it, or to what it holds."""
    lists, reads = account_lists.granted(visit, account), visit.method in ("GET", "HEAD")
    if account_lists.READ_WRITE in lists:
        return reads or not is_account
    return reads and account_lists.READ_ONLY in lists


def _has(visit: Visit, *roles: str) -> bool:
    """Say whether the caller has one of the roles, whose case does not count."""
    return any(role.lower() in visit.ctx.roles for role in roles)


def _listed_in(visit: Visit, account: str, acl: str, *, lists: bool) -> bool:
    entries = [entry for entry in acl.split(",") if entry]
    referrers = [entry[3:] for entry in entries if entry.startswith(".r:")]
    groups = [entry for entry in entries if not entry.startswith(".r:")]
    ctx = visit.ctx
    if ctx.user_id and _names(ctx, groups):
        return True
    if _refers(visit.headers.get("referer", ""), referrers):
        return not lists or ".rlistings" in groups
    mine = ctx.project_id is not None and account == account_of(ctx.project_id)
    return mine and any(group.lower() in ctx.roles for group in groups)


def _names(ctx: Context, groups: list[str]) -> bool:
    """Say whether a list names the caller, by ids, which nobody else can take."""
    projects, users = (ctx.project_id or "", "*"), (ctx.user_id, "*")
    wanted = {f"{project}:{user}" for project in projects for user in users if project}
    return any(group in wanted for group in groups)


def _refers(referer: str, allowed: list[str]) -> bool:
    host, verdict = urlparse(referer).hostname or "unknown", False
    for raw in allowed:
        entry = raw.removeprefix("-")
        if entry in ("*", host) or (entry.startswith(".") and host.endswith(entry)):
            verdict = not raw.startswith("-")
    return verdict

"""Accounts over HTTP."""

from cumulo.services.objectstore import access, account_lists, accounts
from cumulo.services.objectstore.api import answers, bulk
from cumulo.services.objectstore.records import Head
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Call, Reply, Routes, Upload

routes = Routes()
_ACCOUNT = "/v1/{account}"


@routes.get(_ACCOUNT, policy=None, guests=True)
def show_account(call: Call[Tools], account: str) -> Reply:
    """List the containers of an account."""
    visit = answers.visit_of(call, "GET")
    head = accounts.account_visible(visit, account)
    form = answers.format_of(visit)
    rows = accounts.containers(visit, account, answers.asked(visit))
    return answers.listing(rows, "account", account, form, _headers(visit, account, head))


@routes.head(_ACCOUNT, policy=None, guests=True)
def head_account(call: Call[Tools], account: str) -> Reply:
    """Show what an account holds in all, and its metadata."""
    visit = answers.visit_of(call, "HEAD")
    head = accounts.account_visible(visit, account)
    headers = {"Content-Type": answers.format_of(visit), **_headers(visit, account, head)}
    return Reply(status=204, headers=headers)


@routes.put(_ACCOUNT, policy=None, guests=True, status=201)
def create_account(call: Call[Tools], account: str, body: Upload) -> Reply:
    """Make an account, or unpack an archive into containers of it."""
    visit = answers.visit_of(call, "PUT")
    if "extract-archive" in visit.query:
        return bulk.extracted(visit, account, "", body)
    return answers.done(201 if accounts.create(visit, account) else 202)


@routes.post(_ACCOUNT, policy=None, guests=True, status=204)
def update_account(call: Call[Tools], account: str, body: Upload) -> Reply:
    """Set an account's metadata, or delete what the lines of the body name."""
    visit = answers.visit_of(call, "POST")
    if "bulk-delete" in visit.query:
        return bulk.deleted(visit, account, body)
    accounts.update(visit, account)
    return answers.done(204)


@routes.delete(_ACCOUNT, policy=None, guests=True, status=204)
def delete_account(call: Call[Tools], account: str, body: Upload) -> Reply:
    """Delete an account, or what the lines of the body name."""
    visit = answers.visit_of(call, "DELETE")
    if "bulk-delete" in visit.query:
        return bulk.deleted(visit, account, body)
    accounts.delete(visit, account)
    return answers.done(204)


def _headers(visit: Visit, account: str, head: Head) -> dict[str, str]:
    shown = {k: v for k, v in head.headers.items() if accounts.is_shown(visit, account, k)}
    sums: dict[str, str] = {}
    for policy, (items, count, size) in accounts.sums(visit, account).items():
        prefix = f"X-Account-Storage-Policy-{policy}"
        sums[f"{prefix}-Bytes-Used"] = str(size)
        sums[f"{prefix}-Object-Count"] = str(count)
        sums[f"{prefix}-Container-Count"] = str(items)
    if access.is_owner(visit, account):
        shown |= account_lists.shown(head.headers)
    return {**answers.sums("Account", head), **sums, **shown}

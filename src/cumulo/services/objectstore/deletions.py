"""Objects to be deleted later, in queues that are kept as listings are.

The queue of an account is a container of an account of this service's own; its rows are what to
delete, by container and name, unless that was written again since.
"""

from cumulo.auth.context import system
from cumulo.services.objectstore import containers, objects, replicas
from cumulo.services.objectstore.drivers.base import Asked, Row
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.updates import put_row, remove_row
from cumulo.services.objectstore.visits import Grant, Visit

_QUEUES = ".deletions"
_AT_ONCE = 1000


def put_off(visit: Visit, account: str, objects_of: str, names: list[str]) -> None:
    """Have objects of one container deleted soon, by whichever process gets to it."""
    cluster = visit.cluster
    containers.make(visit, _QUEUES, account, {})
    stamp = cluster.stamps.next()
    for name in names:
        put_row(cluster, _QUEUES, account, Row(f"{objects_of}/{name}", stamp))


def carry_out(tools: Tools, account: str) -> None:
    """Delete what was put off in an account."""
    cluster, visit = tools.cluster, Visit(tools, system(), "DELETE", {}, {}, Grant(account))
    rows = containers.rows(visit, _QUEUES, account, Asked(limit=_AT_ONCE))
    for row in rows:
        assert isinstance(row, Row), "nothing is folded without a delimiter"
        where, _, name = row.name.partition("/")
        _delete(visit, (account, where, name), row.stamp)
        remove_row(cluster, _QUEUES, account, row.name, cluster.stamps.next())


def waiting(tools: Tools) -> list[str]:
    """Return the accounts in which anything was ever put off."""
    rows = tools.cluster.account(_QUEUES).read(lambda index: index.page(Asked())).rows
    return [row.name for row in rows if isinstance(row, Row)]


def _delete(visit: Visit, address: tuple[str, str, str], before: str) -> None:
    place = objects.place_of(visit, address)
    known = replicas.states(visit.cluster, place).values()
    newest = max((state.newest[0] for state in known), default="")
    if newest < before:
        objects.remove(visit, *address)

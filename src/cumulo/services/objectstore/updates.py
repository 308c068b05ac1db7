"""News on its way up: from objects to their container's listing, from containers to accounts."""

import msgspec

from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore import listings
from cumulo.services.objectstore.cluster import INTERNAL, Cluster
from cumulo.services.objectstore.drivers.base import DeviceFailed, Row
from cumulo.services.objectstore.policies import HEADER
from cumulo.services.objectstore.stamps import iso


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be written to its index yet."""

    kind: str
    names: list[str]
    row: Row
    is_gone: bool = False


def put_row(cluster: Cluster, account: str, container: str, row: Row) -> None:
    """Show an object in its listing, now or, when no device can be written to, later."""
    _send(cluster, Note(kind="container", names=[account, container], row=row))


def remove_row(cluster: Cluster, account: str, container: str, name: str, stamp: str) -> None:
    """Take an object out of its listing."""
    row = Row(name, stamp)
    _send(cluster, Note(kind="container", names=[account, container], row=row, is_gone=True))


def deliver(cluster: Cluster, content: bytes) -> bool:
    """Write a row that was noted; say whether that is done with."""
    try:
        _write(cluster, msgspec.msgpack.decode(content, type=Note))
    except (Unavailable, DeviceFailed):
        return False
    return True


def report(cluster: Cluster, account: str) -> None:
    """Tell an account what its containers that changed sum up to."""
    changed = [one for one in list(cluster.changed) if one[0] == account]
    for _, container in changed:
        cluster.changed.discard((account, container))
        try:
            report_container(cluster, account, container)
        except (Unavailable, DeviceFailed):
            cluster.changed.add((account, container))


def report_container(cluster: Cluster, account: str, container: str) -> None:
    """Tell an account what one container sums up to; of our own accounts nobody asks."""
    if account.startswith(INTERNAL):
        return
    found = cluster.container(account, container).head()
    if found is None:
        return
    head, above = listings.summed(cluster, account, found), cluster.account(account)
    known = above.read(lambda index: index.get(container)).row
    if known is not None and (known.count, known.size) == (head.items, head.size):
        return
    row = Row(
        container,
        cluster.stamps.next(),
        iso(head.created_at),
        size=head.size,
        count=head.items,
        content_type=head.headers.get(HEADER, ""),  # by which accounts are summed up
    )
    above.write(lambda index: index.put(row))


def _send(cluster: Cluster, note: Note) -> None:
    try:
        _write(cluster, note)
    except Unavailable:
        place = cluster.place("container", *note.names)
        content = msgspec.msgpack.encode(note)
        for device in [*place.primaries, *place.others]:
            try:
                device.note(f"{note.row.stamp}-{place.key}", content)
            except DeviceFailed:
                continue
            return
        raise


def _write(cluster: Cluster, note: Note) -> None:
    account, container = note.names
    if note.is_gone:
        listings.remove(cluster, account, container, note.row.name, note.row.stamp)
    else:
        listings.put(cluster, account, container, note.row)
    cluster.changed.add((account, container))

"""Pushes what changed in a container to the one that is kept like it.

How far that is, is remembered beside each replica's own rows, so that a replica that stands in for
another sends at worst again what is there: what is not newer changes nothing.
"""

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from cumulo.auth.context import system
from cumulo.kit import log
from cumulo.kit.errors import CloudError, Unavailable
from cumulo.services.objectstore import links, listings, manifests, objects, segments, syncs
from cumulo.services.objectstore.drivers.base import DeviceFailed, Index, Row
from cumulo.services.objectstore.drivers.courier import Parcel
from cumulo.services.objectstore.layouts import Reading
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Grant, Visit

LOG = log.get("objectstore")
_TAKEN = range(200, 300)
_NEWER_THERE, _GONE_THERE = 409, 404
_SHOWN = ("X-Object-Meta-", "X-Delete-At", "X-Object-Manifest", "Content-")


def push(tools: Tools, account: str, container: str) -> None:
    """Send all that the other side does not have yet; what fails is sent again next time."""
    cluster, root = tools.cluster, listings.root_of(account, container)
    head = cluster.container(*root).head()
    if head is None or not (to := head.headers.get(syncs.TO)):
        return
    try:
        target = syncs.target_of(tools.settings, tools.own_address, to)
    except CloudError as error:
        LOG.warning("not synchronised", container=container, error=error.message)
        return
    visit = Visit(tools, system(), "GET", {}, {}, Grant(root[0]))
    _Push(visit, root, target, head.headers.get(syncs.KEY, "")).run(account, container)


class _Push:
    def __init__(
        self, visit: Visit, source: tuple[str, str], target: syncs.Target, key: str
    ) -> None:
        self._visit, self._source, self._target, self._key = visit, source, target, key

    def run(self, account: str, container: str) -> None:
        """Send what one index of the container holds, its own or a shard's."""
        cluster = self._visit.cluster
        place = cluster.place("container", account, container)
        for device in place.primaries:
            try:
                index = device.index("container", place.part, place.key)
                if index.head() is not None:
                    self._send_from(index)
                    return
            except DeviceFailed as error:
                cluster.failed(place, device, error)
            except Unavailable as error:
                LOG.info("not synchronised", container=self._source[1], error=error.message)
                return

    def _send_from(self, index: Index) -> None:
        peer = f"sync:{self._target.url}"
        changes = index.changes(index.peer_revision(peer))
        if changes is None or not (changes.rows or changes.gone):
            return
        for row in sorted(changes.rows, key=lambda one: one.stamp):
            self._send(row)
        for name, stamp in changes.gone:
            self._carry("DELETE", name, stamp, {}, "")
        index.told(peer, changes.revision)

    def _send(self, row: Row) -> None:
        reading = objects.find(self._visit, *self._source, row.name)
        if reading is None:
            return  # deleted meanwhile, which the next round tells
        try:
            headers, query, pieces, length = self._parcel(row.name, reading)
            stamp = max(reading.stored.stamp, reading.stored.posted)
            self._carry("PUT", row.name, stamp, headers, query, (pieces, length))
        finally:
            reading.close()

    def _parcel(
        self, name: str, reading: Reading
    ) -> tuple[dict[str, str], str, Iterator[bytes], int]:
        stored = reading.stored
        kept = {k: v for k, v in stored.headers.items() if k.startswith(_SHOWN)}
        headers = {"Content-Type": stored.content_type, **kept}
        headers |= links.headers_of(self._source[0], stored)
        if segments.SLO in stored.system:
            found = links.plain((*self._source, name), reading)
            body = manifests.raw(segments.manifest_of(found))
            return headers, "multipart-manifest=put", iter([body]), len(body)
        return headers, "", reading.pieces(0, stored.size), stored.size

    def _carry(
        self,
        method: str,
        name: str,
        stamp: str,
        headers: dict[str, str],
        query: str,
        body: tuple[Iterator[bytes], int] = (iter(()), 0),
    ) -> None:
        url = f"{self._target.url}/{quote(name)}"
        path = urlsplit(url).path
        headers = headers | syncs.signed(self._target, method, path, stamp, self._key)
        parcel = Parcel(method, url + (f"?{query}" if query else ""), headers, *body)
        status = self._visit.tools.courier.carry(parcel)
        if status in _TAKEN or status == _NEWER_THERE:
            return
        if method == "DELETE" and status == _GONE_THERE:
            return
        raise Unavailable(f"The other container answered {status} to {method} {name}.")

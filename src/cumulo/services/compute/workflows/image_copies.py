"""A guest's disk as an image: copied on its host, then carried into the image service."""

from collections.abc import Iterator
from typing import Any

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.node.api import Node
from cumulo.services.compute import servers
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import reached, tried
from cumulo.services.image import public as images
from cumulo.work import Run

_PIECE = 4 << 20


def copy(run: Run[Any, Tools], host: str, server_id: str, image_id: str) -> None:
    """Let the image have the disk's bytes, or find that it has them."""
    with reached(run, host) as node:
        if run.db.read(images.find_image, images.as_the_cloud(), image_id) is None:
            _upload(run, node, server_id, image_id)
        node.remove_snapshot(server_id, image_id)


def _upload(run: Run[Any, Tools], node: Node, server_id: str, image_id: str) -> None:
    snapshot = node.ensure_snapshot(server_id, image_id)
    pieces = _pieces(run, node, server_id, image_id, snapshot.size)
    image, ctx = run.tools.image, images.as_the_cloud()
    images.upload(run.db, ctx, image.images, image.image_limits, image_id, pieces)


def discard(run: Run[Any, Tools], host: str | None, server_id: str, image_id: str) -> None:
    """Remove what a copy cut short has left on the host."""
    if host is not None:
        with tried(run, host) as node:
            node.remove_snapshot(server_id, image_id)


def settle(run: Run[Any, Tools], event: str) -> None:
    """Say that the server of the run's params has been copied."""
    run.db.write(_settle, run, event)


def _settle(tx: Tx, run: Run[Any, Tools], event: str) -> None:
    params = run.params
    store.server_update(tx, params.server_id, task_state=None)
    actions.event_finish(tx, params.action, event)
    server = store.server_get(tx, params.server_id)
    servers.record(tx, run, server, "copied", image=params.image_id)


def forget(tx: Tx, image_id: str) -> None:
    """Delete an image made of a server, or find it gone."""
    try:
        images.delete_image(tx, images.as_the_cloud(), image_id)
    except NotFound:
        return


def _pieces(
    run: Run[Any, Tools], node: Node, server_id: str, image_id: str, size: int
) -> Iterator[bytes]:
    for offset in range(0, size, _PIECE):
        if run.cancelled():
            raise Conflict("The copy is no longer wanted.")
        yield node.read_snapshot(server_id, image_id, offset, _PIECE)

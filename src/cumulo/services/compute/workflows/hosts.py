"""What workflows do about hosts that do not answer: wait while they may live, and no longer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from cumulo.db import Tx
from cumulo.kit import log
from cumulo.kit.errors import NotFound, Unavailable
from cumulo.node.api import HostError, MetadataPort, Node
from cumulo.node.moving import MovingNode
from cumulo.services.compute import networking, services
from cumulo.services.compute.services import COMPUTE, Health
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.tools import Tools
from cumulo.work import Run

LOG = log.get("compute")


@contextmanager
def reached(run: Run[Any, Tools], host: str) -> Iterator[Node]:
    """Give the host to the block; that it is down is an error, not a reason to wait for ever."""
    try:
        yield run.tools.nodes.on(host)
    except Unavailable as error:
        if _is_down(run, host):
            raise HostError(f"Host {host} is down: {error.message}", host=host) from error
        raise


@contextmanager
def reached_to_move(run: Run[Any, Tools], host: str) -> Iterator[MovingNode]:
    """Give the host, which other hosts reach, to the block."""
    with reached(run, host) as node:
        yield cast(MovingNode, node)


@contextmanager
def tried(run: Run[Any, Tools], host: str) -> Iterator[Node]:
    """Give the host to the block, which puts something back; one that is down is left as it is."""
    try:
        yield run.tools.nodes.on(host)
    except Unavailable as error:
        if not _is_down(run, host):
            raise
        LOG.warning("not put back on a host that is down", host=host, reason=error.message)


def plug_in(run: Run[Any, Tools], server_id: str, host: str) -> list[str]:
    """Bind a server's ports to a host and wait until the network knows; return its networks."""
    run.db.write(networking.bind_ports, server_id, host)
    return await_network(run, server_id, host)


def await_network(run: Run[Any, Tools], server_id: str, host: str) -> list[str]:
    """Wait until the network knows where a server's ports are; return its networks."""
    down, wanted = run.db.read(_prospect, server_id, run.tools.health)
    networking.put_in_force(run.tools.network, server_id, down)
    with reached(run, host) as node:
        for port in wanted:
            node.ensure_metadata(port)
    return [port.network_id for port in wanted]


def _prospect(tx: Tx, server_id: str, health: Health) -> tuple[set[str], list[MetadataPort]]:
    """Return the hosts not to wait for, and where the server's networks answer for metadata."""
    return services.down_hosts(tx, health), networking.metadata_ports(tx, server_id)


def remove_guest(run: Run[Any, Tools], host: str, server_id: str) -> None:
    """Remove a guest; a host that is down or gone is left to the reconciler, which does it then."""
    try:
        run.tools.nodes.on(host).remove_guest(server_id)
    except NotFound:
        LOG.warning("host of a removed server is gone", host=host, server=server_id)
    except HostError as error:
        raise Unavailable(f"{host} could not remove {server_id}: {error.message}") from error
    except Unavailable as error:
        if not _is_down(run, host):
            raise
        LOG.warning("guest left on a host that is down", host=host, reason=error.message)


def _is_down(run: Run[Any, Tools], host: str) -> bool:
    return run.db.read(_down, host, run.tools.health)


def _down(tx: Tx, host: str, health: Health) -> bool:
    service = service_rows.service_find(tx, host, COMPUTE)
    return service is None or not health.is_up(service)

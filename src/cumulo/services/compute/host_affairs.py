"""What a host has to do with: the images and networks of guests that it has or gets."""

from cumulo.db import Tx
from cumulo.services.compute import image_caching, networking
from cumulo.services.compute.store import migrations, shelves
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.servers import Server


def uses_image(tx: Tx, host: str, image_id: str) -> bool:
    """Say whether a guest of the host stands on an image, will, or is rescued from some image."""
    needed = any(_may_need(tx, server, image_id) for server in _servers(tx, host))
    return needed or image_caching.is_wanted(tx, host, image_id)


def has_network(tx: Tx, host: str, network_id: str) -> bool:
    """Say whether a guest of the host is in a network."""
    ports = networking.metadata_ports_on(tx, host)
    return any(port.network_id == network_id for port in ports)


def _servers(tx: Tx, host: str) -> list[Server]:
    moving = (store.server_find(tx, each) for each in migrations.moving_on(tx, host))
    return [*store.servers_on(tx, host), *(server for server in moving if server is not None)]


def _may_need(tx: Tx, server: Server, image_id: str) -> bool:
    if server.image_id == image_id or "rescued" in (server.vm_state, server.task_state):
        return True
    if server.task_state in ("rescuing", "unrescuing"):
        return True
    shelf = shelves.shelf_find(tx, server.id)
    return shelf is not None and shelf.image_id == image_id

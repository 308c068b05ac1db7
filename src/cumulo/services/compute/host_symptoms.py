"""What is not as it should be between servers and the hosts that they are on."""

from collections.abc import Iterator, Mapping

from cumulo.db import Database, Tx
from cumulo.kit.errors import CloudError
from cumulo.kit.symptoms import Symptom, told
from cumulo.node.api import GuestState, MetadataPort, Node, Nodes
from cumulo.services.compute import guests, networking
from cumulo.services.compute.store import migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.servers import Server
from cumulo.work import runs_under_way


def host_symptoms(db: Database, nodes: Nodes, *, mend: bool) -> list[Symptom]:
    """Ask every host what it has, and say what of it nobody owns, or is missing.

    A guest that was half made, or whose disks alone are left, is one too.
    """
    found: list[Symptom] = []
    for name in nodes.names():
        try:
            node = nodes.on(name)
            # The host is read before the database: whatever it has by then had its row by then.
            present, answered = node.guests(), node.metadata_networks()
            owned, busy, ports = db.read(_expected, name)
            found += _guests(name, node, present, owned, busy, mend=mend)
            found += _listeners(name, node, answered, ports, mend=mend)
        except CloudError as error:
            what = f"Host {name} does not answer: {error.message}"
            found.append(Symptom(what=what, remedy="See its log, and whether it runs."))
    return found


def _expected(tx: Tx, host: str) -> tuple[dict[str, Server], set[str], dict[str, MetadataPort]]:
    """Return the servers of a host, those that something is done with, and its listeners."""
    owned = {server.id: server for server in store.servers_on(tx, host)}
    busy = {run.subject for run in runs_under_way(tx) if run.subject}
    ports = {port.network_id: port for port in networking.metadata_ports_on(tx, host)}
    return owned, busy | migrations.moving_on(tx, host), ports


def _guests(
    host: str,
    node: Node,
    present: Mapping[str, GuestState],
    owned: Mapping[str, Server],
    busy: set[str],
    *,
    mend: bool,
) -> Iterator[Symptom]:
    for guest_id in sorted(present.keys() - owned.keys() - busy):
        if mend:
            node.remove_guest(guest_id)
        yield told(f"Guest {guest_id} on {host} is no server's.", is_mended=mend)
    for server in owned.values():
        if server.id in busy:
            continue
        guest = present.get(server.id)
        if guest is None and server.vm_state != "error":
            yield Symptom(
                what=f"Host {host} does not have the guest of server {server.id}.",
                remedy=f"Make it again from its disks: openstack server reboot --hard {server.id}",
            )
        elif guest is not None and guests.is_news(server, guest.power):
            yield Symptom(
                what=f"Server {server.id} is {server.vm_state}, its guest is {guest.power}.",
                remedy="A worker takes note of it within a minute, if one runs.",
            )


def _listeners(
    host: str, node: Node, answered: set[str], ports: Mapping[str, MetadataPort], *, mend: bool
) -> Iterator[Symptom]:
    for network_id in sorted(ports.keys() - answered):
        if mend:
            node.ensure_metadata(ports[network_id])
        what = f"Host {host} does not answer for metadata in network {network_id}."
        yield told(what, is_mended=mend)
    for network_id in sorted(answered - ports.keys()):
        if mend:
            node.remove_metadata(network_id)
        what = f"Host {host} answers for metadata in network {network_id}, where it has no guest."
        yield told(what, is_mended=mend)

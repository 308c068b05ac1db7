"""The port through which a network's guests reach the metadata service, as OVN has it."""

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.ids import new_id
from cumulo.services.network import addresses, journal, macs
from cumulo.services.network.addresses import Holder
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import allocations, changes
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.subnets import Subnet

OWNER = "network:distributed"


def device_of(network_id: str) -> str:
    """Return the device that a network's metadata port belongs to."""
    return f"ovnmeta-{network_id}"


def find_port(tx: Tx, network_id: str) -> Port | None:
    """Return the network's metadata port, once it has one."""
    return port_store.port_made_for(tx, network_id)


def ensure_port(tx: Tx, settings: NetworkSettings, network: Network) -> None:
    """Give the network a metadata port with an address in each subnet that has DHCP, or take it."""
    subnets = [s for s in subnet_store.subnets_of(tx, [network.id]) if s.enable_dhcp]
    served = [s for s in subnets if s.ip_version == 4]
    port = find_port(tx, network.id)
    if port is None and served:
        port = _new_port(tx, settings, network)
    if port is None:
        return
    _give_addresses(tx, port, served)
    changes.mark(tx, "port", [port.id])


def _give_addresses(tx: Tx, port: Port, served: list[Subnet]) -> None:
    """Without a free address the subnet does without metadata, but it does."""
    have = allocations.allocation_map(tx, [port.id])[port.id]
    keep = {subnet.id for subnet in served}
    for fixed in have:
        if fixed.subnet_id not in keep:
            allocations.allocation_delete(tx, port.id, fixed)
    holder = Holder(port.id, port.network_id, port.mac_address, OWNER)
    for subnet in served:
        if subnet.id not in {fixed.subnet_id for fixed in have}:
            addresses.take_any(tx, holder, subnet, len(have))


def _new_port(tx: Tx, settings: NetworkSettings, network: Network) -> Port:
    now = clock.now()
    port = Port(
        id=new_id(),
        project_id=network.project_id,
        name="",
        description="",
        revision_number=1,
        created_at=now,
        updated_at=now,
        network_id=network.id,
        mac_address=macs.fresh(settings),
        admin_state_up=True,
        status="DOWN",
        device_id=device_of(network.id),
        device_owner=OWNER,
        host="",
        vnic_type="normal",
        profile={},
        made_for=network.id,
        port_security_enabled=False,
        allowed_address_pairs=[],
        extra_dhcp_opts=[],
        dns_name="",
        plugged_at=now,
    )
    port_store.port_insert(tx, port)
    journal.created(tx, None, "port", port)
    return port

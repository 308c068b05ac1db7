"""The tables of networks, and who owns which address, MAC and segment.

What must be unique - an address in a subnet, a MAC in a network, a segmentation id - is a key
here, so that two requests can never both have it.
"""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, text_key
from cumulo.services.network.store.columns import JsonText
from cumulo.services.network.store.values import AddressPair, DhcpOption, Pool, Route

_ID = 36
_PROJECT = 64
_NAME = 255


def _standard() -> list[sa.Column[object]]:
    """Return the columns that every resource of this API has."""
    return [
        sa.Column("id", text_key(_ID), primary_key=True),
        sa.Column("project_id", text_key(_PROJECT), nullable=False, index=True),
        sa.Column("name", text_key(_NAME), nullable=False),
        sa.Column("description", text_key(_NAME), nullable=False),
        sa.Column("revision_number", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    ]


qos_policy = sa.Table(
    "network_qos_policy",
    metadata,
    *_standard(),
    sa.Column("is_default", sa.Boolean, nullable=False),
)

qos_rule = sa.Table(
    "network_qos_rule",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("project_id", text_key(_PROJECT), nullable=False),
    sa.Column("qos_policy_id", sa.ForeignKey(qos_policy.c.id), nullable=False),
    sa.Column("kind", text_key(32), nullable=False),
    sa.Column("direction", text_key(16), nullable=False),
    sa.Column("max_kbps", sa.Integer),
    sa.Column("max_burst_kbps", sa.Integer),
    sa.Column("dscp_mark", sa.Integer),
    sa.Column("min_kbps", sa.Integer),
    sa.UniqueConstraint("qos_policy_id", "kind", "direction"),
)

network = sa.Table(
    "network_network",
    metadata,
    *_standard(),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("external", sa.Boolean, nullable=False),
    sa.Column("mtu", sa.Integer, nullable=False),
    sa.Column("port_security_enabled", sa.Boolean, nullable=False),
    sa.Column("network_type", text_key(16), nullable=False),
    sa.Column("physical_network", text_key(64)),
    sa.Column("segmentation_id", sa.Integer),
    sa.Column("availability_zone_hints", JsonText(list[str]), nullable=False),
    sa.Column("dns_domain", text_key(_NAME), nullable=False),
    sa.Column("qos_policy_id", sa.ForeignKey(qos_policy.c.id), index=True),
    sa.Column("vlan_transparent", sa.Boolean),
    sa.Column("is_default", sa.Boolean, nullable=False),
)

# The claim on a segmentation id; a flat network claims its physical network with id 0.  It comes
# before the network, whose row says which segment it got: hence no foreign key.
segment = sa.Table(
    "network_segment",
    metadata,
    sa.Column("network_type", text_key(16), primary_key=True),
    sa.Column("physical_network", text_key(64), primary_key=True),
    sa.Column("segmentation_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("network_id", text_key(_ID), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),  # among its network's segments
    sa.Column("id", text_key(_ID), nullable=False, unique=True),
    sa.Column("name", text_key(_NAME)),
    sa.Column("description", text_key(_NAME)),
    sa.Column("revision_number", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

# Which physical networks each host has a way into, as the backend last said.
host_link = sa.Table(
    "network_host_link",
    metadata,
    sa.Column("host", text_key(255), primary_key=True),
    sa.Column("physical_network", text_key(64), primary_key=True),
)

address_scope = sa.Table(
    "network_address_scope",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("project_id", text_key(_PROJECT), nullable=False, index=True),
    sa.Column("name", text_key(_NAME), nullable=False),
    sa.Column("ip_version", sa.Integer, nullable=False),
)

subnetpool = sa.Table(
    "network_subnetpool",
    metadata,
    *_standard(),
    sa.Column("ip_version", sa.Integer, nullable=False),
    sa.Column("prefixes", JsonText(list[str]), nullable=False),
    sa.Column("default_prefixlen", sa.Integer, nullable=False),
    sa.Column("min_prefixlen", sa.Integer, nullable=False),
    sa.Column("max_prefixlen", sa.Integer, nullable=False),
    sa.Column("default_quota", sa.Integer),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("address_scope_id", sa.ForeignKey(address_scope.c.id), index=True),
)

subnet = sa.Table(
    "network_subnet",
    metadata,
    *_standard(),
    sa.Column("network_id", sa.ForeignKey(network.c.id), nullable=False, index=True),
    sa.Column("ip_version", sa.Integer, nullable=False),
    sa.Column("cidr", text_key(64), nullable=False),
    sa.Column("gateway_ip", text_key(64)),
    sa.Column("enable_dhcp", sa.Boolean, nullable=False),
    sa.Column("ipv6_ra_mode", text_key(32)),
    sa.Column("ipv6_address_mode", text_key(32)),
    sa.Column("allocation_pools", JsonText(list[Pool]), nullable=False),
    sa.Column("dns_nameservers", JsonText(list[str]), nullable=False),
    sa.Column("host_routes", JsonText(list[Route]), nullable=False),
    sa.Column("subnetpool_id", sa.ForeignKey(subnetpool.c.id), index=True),
    sa.Column("service_types", JsonText(list[str]), nullable=False),
    sa.Column("segment_id", text_key(_ID), index=True),
)

port = sa.Table(
    "network_port",
    metadata,
    *_standard(),
    sa.Column("network_id", sa.ForeignKey(network.c.id), nullable=False),
    sa.Column("mac_address", text_key(32), nullable=False),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("device_id", text_key(255), nullable=False, index=True),
    sa.Column("device_owner", text_key(255), nullable=False),
    sa.Column("host", text_key(255), nullable=False),
    sa.Column("vnic_type", text_key(64), nullable=False),
    sa.Column("profile", JsonText(dict[str, object]), nullable=False),
    # The server or network that it was made for by the cloud, and with which it goes.
    sa.Column("made_for", text_key(_ID), nullable=False),
    sa.Column("port_security_enabled", sa.Boolean, nullable=False),
    sa.Column("allowed_address_pairs", JsonText(list[AddressPair]), nullable=False),
    sa.Column("extra_dhcp_opts", JsonText(list[DhcpOption]), nullable=False),
    sa.Column("dns_name", text_key(_NAME), nullable=False),
    sa.Column("plugged_at", UtcDateTime, nullable=False),
    sa.Column("qos_policy_id", sa.ForeignKey(qos_policy.c.id), index=True),
    sa.Column("dns_domain", text_key(_NAME), nullable=False),
    sa.UniqueConstraint("network_id", "mac_address"),
    sa.Index(None, "network_id", "made_for"),
)

# Ports that get addresses once it is known on which host, and so in which segment, they are.
deferred_port = sa.Table(
    "network_deferred_port",
    metadata,
    sa.Column("port_id", sa.ForeignKey(port.c.id), primary_key=True),
)

# `ip_key` is the address in hexadecimal, so that it sorts as a number does.
allocation = sa.Table(
    "network_ip_allocation",
    metadata,
    sa.Column("subnet_id", sa.ForeignKey(subnet.c.id), primary_key=True),
    sa.Column("ip_key", text_key(32), primary_key=True),
    sa.Column("ip_address", text_key(64), nullable=False, index=True),
    sa.Column("port_id", sa.ForeignKey(port.c.id), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
)

security_group = sa.Table(
    "network_security_group",
    metadata,
    *_standard(),
    sa.Column("stateful", sa.Boolean, nullable=False),
)

default_security_group = sa.Table(
    "network_default_security_group",
    metadata,
    sa.Column("project_id", text_key(_PROJECT), primary_key=True),
    sa.Column("security_group_id", sa.ForeignKey(security_group.c.id), nullable=False, index=True),
)

# What new security groups begin with.  Rules that the cloud itself begins with are not here, but
# those of them that an operator took away are.
default_rule = sa.Table(
    "network_default_security_group_rule",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("description", text_key(_NAME), nullable=False),
    sa.Column("direction", text_key(16), nullable=False),
    sa.Column("ethertype", text_key(8), nullable=False),
    sa.Column("protocol", text_key(40)),
    sa.Column("port_range_min", sa.Integer),
    sa.Column("port_range_max", sa.Integer),
    sa.Column("remote_ip_prefix", text_key(64)),
    sa.Column("remote_group_id", text_key(_ID)),
    sa.Column("remote_address_group_id", text_key(_ID)),
    sa.Column("used_in_default_sg", sa.Boolean, nullable=False),
    sa.Column("used_in_non_default_sg", sa.Boolean, nullable=False),
    sa.Column("sameness", text_key(200), nullable=False, unique=True),
    sa.Column("removed", sa.Boolean, nullable=False),
)

address_group = sa.Table(
    "network_address_group",
    metadata,
    *_standard(),
    sa.Column("addresses", JsonText(list[str]), nullable=False),
)

# `sameness` spells what the rule permits; two rules of a group may not permit the same.
security_group_rule = sa.Table(
    "network_security_group_rule",
    metadata,
    *(column for column in _standard() if column.name != "name"),
    sa.Column("security_group_id", sa.ForeignKey(security_group.c.id), nullable=False),
    sa.Column("direction", text_key(16), nullable=False),
    sa.Column("ethertype", text_key(8), nullable=False),
    sa.Column("protocol", text_key(40)),
    sa.Column("port_range_min", sa.Integer),
    sa.Column("port_range_max", sa.Integer),
    sa.Column("remote_ip_prefix", text_key(64)),
    sa.Column("remote_group_id", sa.ForeignKey(security_group.c.id), index=True),
    sa.Column("sameness", text_key(200), nullable=False),
    sa.Column("remote_address_group_id", sa.ForeignKey(address_group.c.id), index=True),
    sa.UniqueConstraint("security_group_id", "sameness"),
)

port_security_group = sa.Table(
    "network_port_security_group",
    metadata,
    sa.Column("port_id", sa.ForeignKey(port.c.id), primary_key=True),
    sa.Column(
        "security_group_id", sa.ForeignKey(security_group.c.id), primary_key=True, index=True
    ),
)

router = sa.Table(
    "network_router",
    metadata,
    *_standard(),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("enable_snat", sa.Boolean, nullable=False),
    sa.Column("routes", JsonText(list[Route]), nullable=False),
    sa.Column("availability_zone_hints", JsonText(list[str]), nullable=False),
    sa.Column("ha", sa.Boolean, nullable=False),
    sa.Column("distributed", sa.Boolean, nullable=False),
    sa.Column("enable_default_route_ecmp", sa.Boolean, nullable=False),
    sa.Column("enable_default_route_bfd", sa.Boolean, nullable=False),
)

# A router's legs; what a port's device_id says is for people and can be changed by its owner.
router_port = sa.Table(
    "network_router_port",
    metadata,
    sa.Column("port_id", sa.ForeignKey(port.c.id), primary_key=True),
    sa.Column("router_id", sa.ForeignKey(router.c.id), nullable=False, index=True),
    sa.Column("kind", text_key(16), nullable=False),  # interface, gateway
    sa.Column("position", sa.Integer, nullable=False),  # among several gateways
)

# A router has one leg in a subnet; the key says so, whoever comes first.
router_subnet = sa.Table(
    "network_router_subnet",
    metadata,
    sa.Column("router_id", sa.ForeignKey(router.c.id), primary_key=True),
    sa.Column("subnet_id", sa.ForeignKey(subnet.c.id), primary_key=True, index=True),
    sa.Column("port_id", sa.ForeignKey(port.c.id), nullable=False, index=True),
)

floatingip = sa.Table(
    "network_floatingip",
    metadata,
    *(column for column in _standard() if column.name != "name"),
    sa.Column("floating_network_id", sa.ForeignKey(network.c.id), nullable=False),
    sa.Column("floating_ip_address", text_key(64), nullable=False, index=True),
    sa.Column("floating_port_id", sa.ForeignKey(port.c.id), nullable=False, unique=True),
    sa.Column("port_id", sa.ForeignKey(port.c.id), index=True),
    sa.Column("fixed_ip_address", text_key(64)),
    sa.Column("router_id", sa.ForeignKey(router.c.id), index=True),
    sa.Column("dns_name", text_key(_NAME), nullable=False),
    sa.Column("dns_domain", text_key(_NAME), nullable=False),
    sa.Column("status", text_key(16), nullable=False),
    sa.Column("qos_policy_id", sa.ForeignKey(qos_policy.c.id), index=True),
    sa.UniqueConstraint("floating_network_id", "port_id", "fixed_ip_address"),
)

port_forwarding = sa.Table(
    "network_port_forwarding",
    metadata,
    *(column for column in _standard() if column.name != "name"),
    sa.Column("floatingip_id", sa.ForeignKey(floatingip.c.id), nullable=False),
    sa.Column("internal_port_id", sa.ForeignKey(port.c.id), nullable=False, index=True),
    sa.Column("internal_ip_address", text_key(64), nullable=False),
    sa.Column("protocol", text_key(8), nullable=False),
    sa.Column("external_port", sa.Integer, nullable=False),
    sa.Column("internal_port", sa.Integer, nullable=False),
    sa.UniqueConstraint("floatingip_id", "protocol", "external_port"),
)

trunk = sa.Table(
    "network_trunk",
    metadata,
    *_standard(),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("port_id", sa.ForeignKey(port.c.id), nullable=False, unique=True),
)

# A port is in one trunk, and a tag leads to one port.
subport = sa.Table(
    "network_subport",
    metadata,
    sa.Column("port_id", sa.ForeignKey(port.c.id), primary_key=True),
    sa.Column("trunk_id", sa.ForeignKey(trunk.c.id), nullable=False),
    sa.Column("segmentation_type", text_key(16), nullable=False),
    sa.Column("segmentation_id", sa.Integer, nullable=False),
    sa.UniqueConstraint("trunk_id", "segmentation_id"),
)

# What a project was given when it asked for all that it needs at once.
auto_topology = sa.Table(
    "network_auto_topology",
    metadata,
    sa.Column("project_id", text_key(_PROJECT), primary_key=True),
    sa.Column("network_id", sa.ForeignKey(network.c.id), nullable=False, index=True),
    sa.Column("router_id", sa.ForeignKey(router.c.id), nullable=False, index=True),
)

rbac_policy = sa.Table(
    "network_rbac_policy",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("project_id", text_key(_PROJECT), nullable=False, index=True),
    sa.Column("object_type", text_key(32), nullable=False),
    sa.Column("object_id", text_key(_ID), nullable=False),
    sa.Column("action", text_key(32), nullable=False),
    sa.Column("target_project", text_key(_PROJECT), nullable=False),
    sa.UniqueConstraint("object_id", "action", "target_project"),
)

# What operators wrote about the backend's parts, which are nobody's rows.
agent = sa.Table(
    "network_agent",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("description", text_key(_NAME), nullable=False),
)

tag = sa.Table(
    "network_tag",
    metadata,
    sa.Column("resource_id", text_key(_ID), primary_key=True),
    sa.Column("tag", text_key(255), primary_key=True),
)

# What the backend has not been told yet.  A row is one change; whoever carries it out claims it
# first and deletes just the rows that were claimed, so that a newer change is never lost.
change = sa.Table(
    "network_change",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("unit", text_key(16), nullable=False),
    sa.Column("unit_id", text_key(_ID), nullable=False, index=True),
    sa.Column("due", sa.Double, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claimed_by", text_key(_ID)),
)

"""How things are called in OVN: as people who know OpenStack's networks there expect."""

from cumulo.services.network.drivers.ovn.rows import Row, row_id, unit_mark

DROP_GROUP = "neutron_pg_drop"


def switch_name(network_id: str) -> str:
    """Return the name of a network's logical switch."""
    return f"neutron-{network_id}"


def switch_id(network_id: str) -> str:
    """Return the UUID of a network's logical switch."""
    return row_id("Logical_Switch", network_id)


def bare_switch(network_id: str) -> Row:
    """Return a switch to put ports into before its network comes."""
    return Row(
        table="Logical_Switch",
        key=network_id,
        unit=unit_mark("network", network_id),
        columns={"name": switch_name(network_id)},
    )


def port_row_id(port_id: str) -> str:
    """Return the UUID of a port's logical switch port, whose name is the port's id."""
    return row_id("Logical_Switch_Port", port_id)


def router_port_name(port_id: str) -> str:
    """Return the name of the router's side of a port."""
    return f"lrp-{port_id}"


def port_group_name(group_id: str) -> str:
    """Return the name of a security group's port group; names in matches have no dashes."""
    return f"pg_{group_id.replace('-', '_')}"


def port_group_id(group_id: str) -> str:
    """Return the UUID of a security group's port group."""
    return row_id("Port_Group", group_id)


def bare_port_group(group_id: str) -> Row:
    """Return a port group without rules, to put ports into before its security group comes."""
    return Row(
        table="Port_Group",
        key=group_id,
        unit=unit_mark("security_group", group_id),
        columns={"name": port_group_name(group_id)},
    )

"""Rows become structs by position: both must say the same, in the same order."""

import msgspec
import pytest
import sqlalchemy as sa

from cumulo.services.network.store import (
    floatingips,
    networks,
    ports,
    routers,
    security_groups,
    sharing,
    subnets,
    tables,
)


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (networks.Network, tables.network),
        (subnets.Subnet, tables.subnet),
        (ports.Port, tables.port),
        (routers.Router, tables.router),
        (floatingips.FloatingIp, tables.floatingip),
        (security_groups.SecurityGroup, tables.security_group),
        (security_groups.Rule, tables.security_group_rule),
        (sharing.Grant, tables.rbac_policy),
    ],
)
def test_a_struct_has_its_tables_columns(kind: type[msgspec.Struct], table: sa.Table) -> None:
    assert [field.name for field in msgspec.structs.fields(kind)] == table.columns.keys()

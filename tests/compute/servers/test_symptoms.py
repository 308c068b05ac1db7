"""What the doctor finds between servers, placement, ports, quotas and work; and mends."""

import pytest
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.quota import quota_usage
from cumulo.services.compute.public import symptoms
from cumulo.services.compute.reconcile import mend
from cumulo.services.compute.store import server_tables, tables
from cumulo.services.network.store import tables as network_tables
from cumulo.services.placement.store import tables as placement_tables
from tests.audit import disagreements
from tests.client import Client
from tests.compute.servers.conftest import Boot
from tests.compute.servers.mover import Mover

SERVER = server_tables.server


def wrong(one: Mover, *, mended: bool = False) -> list[str]:
    return [found.what for found in one.cloud.db.write(symptoms, mend=mended)]


def spoil(one: Mover, statement: sa.Executable) -> None:
    def run(tx: Tx) -> None:
        tx.execute(statement)

    one.cloud.db.write(run)


def settled(one: Mover) -> list[str]:
    one.cloud.tick()
    cloud = one.cloud
    return disagreements(cloud.db, cloud.cloud.outside.nodes, cloud.driver)


def test_in_a_sound_cloud_there_is_nothing(one: Mover, boot: Boot) -> None:
    boot()
    assert one.do("resize", {"flavorRef": "2"}) == 202
    assert wrong(one) == []
    assert one.do("confirmResize") == 204
    assert one.do("shelve") == 202
    assert wrong(one) == []


def allocation_lost(one: Mover) -> sa.Executable:
    return sa.delete(placement_tables.allocation)


def use_miscounted(one: Mover) -> sa.Executable:
    return sa.update(placement_tables.inventory).values(used=7)


def quota_miscounted(one: Mover) -> sa.Executable:
    q = quota_usage.c
    return sa.update(quota_usage).where(q.service == "compute").values(used=q.used + 3)


def port_astray(one: Mover) -> sa.Executable:
    p = network_tables.port
    return sa.update(p).where(p.c.device_id == one.id).values(host="elsewhere")


def task_without_work(one: Mover) -> sa.Executable:
    return sa.update(SERVER).values(task_state="rebooting")


def making_lost(one: Mover) -> sa.Executable:
    return sa.update(SERVER).values(vm_state="building", task_state="spawning")


@pytest.mark.parametrize(
    "harm",
    [
        allocation_lost,
        use_miscounted,
        quota_miscounted,
        port_astray,
        task_without_work,
        making_lost,
    ],
)
def test_what_an_operator_would_mend_by_hand_is_mended(one: Mover, harm) -> None:  # type: ignore[no-untyped-def]
    spoil(one, harm(one))
    found = wrong(one)
    assert found
    assert found == wrong(one), "looking changes nothing"
    mend(one.tools)
    assert wrong(one) == []
    assert one.status == ("ERROR" if harm is making_lost else "ACTIVE")


def test_what_a_deleted_server_left_is_taken_away(one: Mover, ann: Client, boot: Boot) -> None:
    group = {"name": "g", "policies": ["affinity"]}
    ann.post("/v2.1/os-server-groups", {"server_group": group})
    gone = one.id
    kept = boot()
    spoil(one, sa.update(SERVER).where(SERVER.c.id == gone).values(is_deleted=True, host=None))
    m, g = tables.server_group_member, tables.server_group
    uuid = sa.select(g.c.uuid).scalar_subquery()
    values = {"server_group": uuid, "server_id": gone, "added_at": sa.func.current_timestamp()}
    spoil(one, sa.insert(m).values(values))
    assert len(wrong(one)) >= 3
    wrong(one, mended=True)
    assert wrong(one) == []
    one.cloud.tick()
    assert ann.get(f"/v2.1/servers/{kept['id']}").json()["server"]["status"] == "ACTIVE"
    assert {kept["id"]} == set(one.cloud.nodes["node1"].guests())


def test_a_lost_deletion_is_told_of(one: Mover, ann: Client) -> None:
    spoil(one, sa.update(SERVER).values(task_state="deleting"))
    found = one.cloud.db.write(symptoms, mend=True)
    assert [(each.is_mended, "openstack server delete" in each.remedy) for each in found] == [
        (False, True)
    ]
    assert ann.delete(f"/v2.1/servers/{one.id}").status == 204
    one.cloud.work()
    assert wrong(one) == []

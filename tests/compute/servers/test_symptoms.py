"""What the doctor finds between servers, placement, ports, quotas and work; and mends."""

import msgspec
import pytest
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.quota import quota_usage
from cumulo.services.compute.public import host_symptoms, symptoms
from cumulo.services.compute.reconcile import mend
from cumulo.services.compute.store import server_tables, tables
from cumulo.services.network.public import symptoms as network_symptoms
from cumulo.services.network.reconcile import tell
from cumulo.services.network.store import tables as network_tables
from cumulo.services.placement.store import tables as placement_tables
from tests.audit import disagreements
from tests.client import Client
from tests.compute.servers.conftest import Boot
from tests.compute.servers.mover import Mover
from tests.network.drivers.plans import group
from tests.node.bench import metadata_port as port_of

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


def outside(one: Mover, *, mended: bool = False) -> list[str]:
    cloud = one.cloud
    nodes = cloud.cloud.outside.nodes
    found = host_symptoms(cloud.db, nodes, mend=mended)
    return [each.what for each in found + network_symptoms(cloud.db, cloud.driver, mend=mended)]


def test_on_hosts_and_in_the_network_of_a_sound_cloud_there_is_nothing(one: Mover) -> None:
    one.cloud.tick()
    assert outside(one) == []
    assert one.do("resize", {"flavorRef": "2"}) == 202
    one.cloud.tick()
    assert outside(one) == []


def test_guests_and_listeners_of_nobody_are_found_and_removed(one: Mover) -> None:
    one.cloud.tick()
    node, spec = one.node, one.node.spec(one.id)
    stray = msgspec.structs.replace(spec, id="11111111-2222-4333-8444-555555555555")
    node.ensure_guest(stray)
    node.remove_metadata(spec_network(one))
    node.ensure_metadata(port_of("99999999-2222-4333-8444-555555555555"))
    told = outside(one)
    assert [line.split()[0] for line in told] == ["Guest", "Host", "Host"]
    assert outside(one, mended=True) == told
    assert outside(one) == []
    assert list(node.guests()) == [one.id]


def test_a_guest_that_is_missing_or_otherwise_is_told(one: Mover) -> None:
    one.cloud.tick()
    one.node.power_off(one.id)
    assert outside(one) == [f"Server {one.id} is active, its guest is stopped."]
    one.node.remove_guest(one.id)
    assert outside(one) == [f"Host {one.host} does not have the guest of server {one.id}."]
    one.node.script.fail("guests")
    assert outside(one)[0].startswith(f"Host {one.host} does not answer")


def test_what_the_backend_has_or_lacks_is_found_and_mended(one: Mover) -> None:
    one.cloud.tick()
    network, port = spec_network(one), one.node.spec(one.id).nics[0].port_id
    one.cloud.driver.remove("port", port)
    stray = group("stray")
    one.cloud.driver.sync_security_group(stray)
    told = outside(one)
    assert told == [
        f"The backend lacks port {port}.",
        f"The backend has security_group {stray.id}, which is gone.",
    ]
    assert outside(one, mended=True) == told
    tell(one.cloud.cloud.network)
    assert outside(one) == []
    assert network in one.cloud.driver.present().networks


def spec_network(one: Mover) -> str:
    return next(iter(one.node.metadata_networks()))

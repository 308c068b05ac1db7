"""Servers put on hosts behind compute's back, for tests of what is said about hosts."""

from cumulo.db import Database, Tx
from cumulo.kit import clock
from cumulo.services.compute import hypervisors
from cumulo.services.compute.store import servers as store
from cumulo.services.placement import public as placement


def put(db: Database, server_id: str, host: str = "one", *, project_id: str = "p1") -> None:
    """Put a server of 2 VCPUs, 1 GiB and a disk of 10 GiB on a host, in placement too."""

    def add(tx: Tx) -> None:
        found = hypervisors.hypervisor_of(tx, host)
        assert found is not None
        values: dict[str, object] = {
            **dict.fromkeys(("user_id", "name", "hostname", "flavor_id", "reservation_id"), "x"),
            **{name: {} for name in ("image", "image_properties", "scheduler_hints")},
            **dict.fromkeys(("created_at", "updated_at"), clock.now()),
            **dict.fromkeys(("power_state", "launch_index"), 0),
        }
        store.server_insert(
            tx,
            **values,
            id=server_id,
            project_id=project_id,
            is_deleted=False,
            vm_state="active",
            host=host,
            flavor={"root_gib": 10},
            vcpus=2,
            memory_mib=1024,
            personality=[],
            config_drive=False,
            disk_config="MANUAL",
        )
        held = {found.uuid: {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 10}}
        placement.claim(tx, server_id, project_id, "x", held)

    db.write(add)


def change(db: Database, server_id: str, **values: object) -> None:
    """Change what is stored of the server."""

    def update(tx: Tx) -> None:
        store.server_update(tx, server_id, **values)

    db.write(update)


def take_away(db: Database, server_id: str) -> None:
    """Let the server be gone."""
    change(db, server_id, is_deleted=True, host=None)
    db.write(placement.release, server_id)

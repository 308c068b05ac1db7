"""What is not as it should be between the database and what moves the packets."""

from cumulo.db import Database, Tx
from cumulo.kit.errors import CloudError
from cumulo.kit.symptoms import Symptom, told
from cumulo.services.network.drivers.base import NetworkDriver, Present, Unit
from cumulo.services.network.loading import UNPLUGGED
from cumulo.services.network.store import changes, inventory

UNITS: tuple[tuple[Unit, str], ...] = (
    ("router", "routers"),
    ("port", "ports"),
    ("network", "networks"),
    ("security_group", "security_groups"),
)


def symptoms(db: Database, driver: NetworkDriver, *, mend: bool) -> list[Symptom]:
    """Say what the backend has that is nobody's, and what it lacks."""
    try:
        # The backend is read first: what it has and the database then has not is gone for good.
        present = driver.present()
        wanted, told_soon = db.read(_wanted)
        found: list[Symptom] = []
        for unit, field in UNITS:
            here, there = getattr(wanted, field) - told_soon, getattr(present, field) - told_soon
            for unit_id in sorted(there - getattr(wanted, field)):
                if mend:
                    driver.remove(unit, unit_id)
                found.append(
                    told(f"The backend has {unit} {unit_id}, which is gone.", is_mended=mend)
                )
            missing = sorted(here - getattr(present, field))
            if mend:
                db.write(changes.mark, unit, missing)
            found += [told(f"The backend lacks {unit} {one}.", is_mended=mend) for one in missing]
    except CloudError as error:
        what = f"The network's backend does not answer: {error.message}"
        return [Symptom(what=what, remedy="See the logs of OVN's databases.")]
    return found


def _wanted(tx: Tx) -> tuple[Present, set[str]]:
    """Return all that there should be, and what the backend is about to be told of."""
    return owned(tx), changes.marked(tx)


def owned(tx: Tx) -> Present:
    """Return all that the backend should have."""
    return Present(
        networks=inventory.ids(tx, "network"),
        ports=inventory.ids(tx, "port") - inventory.ports_owned_by(tx, UNPLUGGED),
        routers=inventory.ids(tx, "router"),
        security_groups=inventory.ids(tx, "security_group"),
    )

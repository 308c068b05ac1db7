"""What operators wrote about agents."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.network.store.tables import agent


def descriptions(tx: Tx) -> dict[str, str]:
    """Return what was written, by the agents' ids."""
    return {row[0]: row[1] for row in tx.execute(sa.select(agent.c.id, agent.c.description))}


def description_set(tx: Tx, agent_id: str, description: str) -> None:
    """Write about an agent."""
    insert_absent(tx, agent, id=agent_id, description=description)
    change = sa.update(agent).where(agent.c.id == agent_id)
    tx.execute(change.values(description=description))

"""One number that grows whenever a change may affect what a token is worth.

Whatever is remembered about a token holds while the number stands.  A token also carries the
number it was issued at: those of a user, project or domain issued before its `tokens_since` are
void, which needs no clock and no list.
"""

import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.tables import generation

_SELECT = sa.select(generation.c.generation).where(generation.c.id == 1)
_PEEK = str(_SELECT.compile(compile_kwargs={"literal_binds": True}))
_ADVANCE = sa.update(generation).where(generation.c.id == 1)


def generation_get(tx: Tx) -> int:
    """Return the number as it stands; nothing has been changed yet when there is none."""
    return tx.scalar(_SELECT) or 0


def generation_peek(db: Database) -> int:
    """Return the number as it stands, outside of any transaction: every request asks."""
    return db.peek(_PEEK) or 0


def generation_advance(tx: Tx) -> int:
    """Make everything remembered about tokens stale, at the end of this transaction."""
    if not tx.execute(_ADVANCE.values(generation=generation.c.generation + 1)).rowcount:
        insert_absent(tx, generation, id=1, generation=0)
        tx.execute(_ADVANCE.values(generation=generation.c.generation + 1))
    return generation_get(tx)

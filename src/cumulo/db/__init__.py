"""The database: one engine, explicit transactions, statements not sessions."""

from cumulo.db.engine import Database as Database
from cumulo.db.engine import LostRace as LostRace
from cumulo.db.engine import Tx as Tx
from cumulo.db.engine import after_commit as after_commit
from cumulo.db.engine import metadata as metadata
from cumulo.db.engine import ring_after_commit as ring_after_commit

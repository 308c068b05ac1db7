"""The database: one engine, explicit transactions, statements not sessions."""

from cumulo.db.engine import Database as Database
from cumulo.db.engine import LostRace as LostRace
from cumulo.db.engine import Tx as Tx
from cumulo.db.engine import metadata as metadata

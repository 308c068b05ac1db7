"""Statements that each database spells in its own way."""

import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.db.quota import quota_usage
from cumulo.db.statements import among
from tests.spending import spending


def test_among_finds_the_rows_of_any_number_of_values(db: Database) -> None:
    names = [f"p'{number}\\" for number in range(1500)]
    row = {"service": "s", "resource": "r", "used": 1}
    db.write(
        lambda tx: tx.execute(
            sa.insert(quota_usage), [{**row, "project_id": name} for name in names]
        )
    )

    def found(tx: Tx, wanted: list[str]) -> set[str]:
        u = quota_usage.c
        return set(tx.scalars(sa.select(u.project_id).where(among(tx, u.project_id, wanted))))

    assert db.read(found, names[::2]) == set(names[::2])
    assert db.read(found, ["P'1\\", "none"]) == set()
    assert db.read(found, []) == set()


def test_among_sends_one_parameter_where_it_can(sqlite: Database) -> None:
    u = quota_usage.c
    with spending(sqlite) as spent:
        sqlite.read(
            lambda tx: tx.execute(sa.select(u.used).where(among(tx, u.project_id, ["a", "b"])))
        )
    assert spent.statements[0].count("?") == 1

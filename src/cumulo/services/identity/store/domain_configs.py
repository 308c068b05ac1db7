"""Statements on what domains have configured of their own, an option a row."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.identity.store.tables import domain_config

Config = dict[str, dict[str, object]]


def config_get(tx: Tx, domain_id: str) -> Config:
    """Return what a domain has configured, by group and option."""
    c = domain_config.c
    select = sa.select(domain_config).where(c.domain_id == domain_id)
    found: Config = {}
    for row in tx.execute(select.order_by(c.section, c.option)):
        found.setdefault(row.section, {})[row.option] = row.held.get("value")
    return found


def config_set(tx: Tx, domain_id: str, config: Config) -> None:
    """Configure these options; others stay."""
    for section, options in config.items():
        for option, value in options.items():
            config_unset(tx, domain_id, section, option)
            row = {"section": section, "option": option, "held": {"value": value}}
            tx.execute(sa.insert(domain_config).values(domain_id=domain_id, **row))


def config_unset(
    tx: Tx, domain_id: str, section: str | None = None, option: str | None = None
) -> None:
    """Configure nothing any more, or none of a group, or not one option."""
    c = domain_config.c
    where = [c.domain_id == domain_id]
    where += [c.section == section] if section else []
    where += [c.option == option] if option else []
    tx.execute(sa.delete(domain_config).where(*where))

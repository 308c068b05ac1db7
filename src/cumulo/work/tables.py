"""Where work lives between one step and the next, and what is told of it afterwards."""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, long_text, text_key

# `due_at` is when a worker may next take the run: the next try of a run that waits, the end of
# the lease of one that is carried on (then it has an owner), NULL when it is finished.
# `fence` counts the takings: who took it before the last one can no longer record.
run = sa.Table(
    "work_run",
    metadata,
    sa.Column("id", text_key(36), primary_key=True),
    sa.Column("kind", text_key(64), nullable=False),
    sa.Column("subject", text_key(128)),
    sa.Column("turn", sa.Integer),
    sa.Column("params", long_text(), nullable=False),
    sa.Column("state", text_key(16), nullable=False),  # running | unwinding | done | undone
    sa.Column("cancelled", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("log", long_text(), nullable=False),
    sa.Column("error", long_text()),
    sa.Column("waits_for", long_text()),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("owner", text_key(255)),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("due_at", sa.Double),
    sa.Column("request_id", text_key(64)),
    sa.Column("user_id", text_key(64)),
    sa.Column("project_id", text_key(64)),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("finished_at", UtcDateTime(), index=True),
    sa.UniqueConstraint("subject", "turn"),
    sa.Index("ix_work_run_due_at", "due_at", "id"),
    sa.Index("ix_work_run_request_id", "request_id"),
)

reconciler = sa.Table(
    "work_reconciler",
    metadata,
    sa.Column("name", text_key(64), primary_key=True),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("owner", text_key(255)),
    sa.Column("lease_until", sa.Double, nullable=False),
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False, index=True),
    sa.Column("request_id", text_key(64)),
    sa.Column("user_id", text_key(64)),
    sa.Column("project_id", text_key(64)),
    sa.Column("resource", text_key(64), nullable=False),
    sa.Column("resource_id", text_key(255), nullable=False),
    sa.Column("action", text_key(64), nullable=False),
    sa.Column("before", long_text()),
    sa.Column("after", long_text()),
    sa.Index("ix_event_resource", "resource", "resource_id", "id"),
    sa.Index("ix_event_project_id", "project_id", "id"),
    sqlite_autoincrement=True,
)

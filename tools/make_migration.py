"""Write the next step of the database's history from the tables as they are.

    python -m tools.make_migration "say what changes"
    python -m tools.make_migration --initial     replace the history by one first step

The second form is for before the first release only.
"""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa

from cumulo.db import Database, Tx, metadata, migrations

SOURCE = Path(__file__).parent.parent / "src"


def import_tables(source: Path = SOURCE) -> list[str]:
    """Import every module that makes tables; return their names."""
    names = []
    for path in sorted(source.rglob("*.py")):
        if migrations.HERE not in path.parents and "sa.Table(" in path.read_text():
            names.append(".".join(path.relative_to(source).with_suffix("").parts))
            importlib.import_module(names[-1])
    return names


def write_step(
    message: str, history: Path = migrations.HERE, tables: sa.MetaData = metadata
) -> Path | None:
    """Compare the end of the history with the tables; return the step between, if any."""
    with tempfile.TemporaryDirectory() as place:
        db = Database(f"sqlite:///{place}/history.db")
        try:
            return db.write(_write_step, message, history, tables)
        finally:
            db.close()


def _write_step(tx: Tx, message: str, history: Path, tables: sa.MetaData) -> Path | None:
    from alembic import command
    from alembic.script import ScriptDirectory

    last = migrations.head(history)
    if last:
        migrations.migrate(tx, last, history)
    config = migrations.alembic_config(tx, history, tables)
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    number = f"{int(last or 0) + 1:04}"
    command.revision(config, message, autogenerate=True, rev_id=number)
    step = ScriptDirectory.from_config(config).get_revision(number)
    path = Path(step.path)
    if "\n    pass\n" in path.read_text():
        path.unlink()
        return None
    subprocess.run([Path(sys.executable).with_name("ruff"), "format", "-q", path], check=True)
    return path


def main() -> None:
    """Write the step that the arguments ask for."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    import_tables()
    message = sys.argv[1]
    if message == "--initial":
        message = "initial"
        for path in (migrations.HERE / "versions").glob("[0-9]*.py"):
            path.unlink()
    step = write_step(message)
    print(f"wrote {step}" if step else "the history is up to date")


if __name__ == "__main__":
    main()

"""The skeleton of a new noun is in order and works as it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.scaffold import ROOT, scaffold

SKIPPED = shutil.ignore_patterns(".*")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of this tree to write into."""
    for folder in ("src", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=SKIPPED)
    (tmp_path / "tests/compute").mkdir(parents=True)
    for name in (
        "__init__.py",
        "ceph.py",
        "client.py",
        "conftest.py",
        "ports.py",
        "stores.py",
        "servers.py",
        "waiting.py",
    ):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(tree: Path, *argv: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(tree / "src")}
    done = subprocess.run(
        [sys.executable, "-m", *argv], cwd=tree, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.walk
def test_a_new_noun_is_in_order_and_passes_its_test(tree: Path) -> None:
    written = [str(path) for path in scaffold(tree, "compute", "spare_part")]
    run(tree, "ruff", "format", *written)
    run(tree, "ruff", "check", *written)
    assert "7 passed" in run(tree, "pytest", "tests/compute/test_spare_parts.py")


def test_what_exists_is_not_overwritten(tree: Path) -> None:
    with pytest.raises(FileExistsError):
        scaffold(tree, "compute", "flavor")
    with pytest.raises(FileNotFoundError, match="no service weather"):
        scaffold(tree, "weather", "cloud")
    with pytest.raises(ValueError, match="singular"):
        scaffold(tree, "compute", "Spare-Part")

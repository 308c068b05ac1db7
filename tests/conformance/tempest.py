"""Tempest: where it is, how it is told of a cloud, what it says of one."""

import fnmatch
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
_ROOT = HERE.parent.parent
_RESULT = re.compile(r"^\{\d+\} (.+?) (?:\[[\d.]+s\] )?\.\.\. (ok|FAILED|SKIPPED)(?:: (.*))?$")
SELECTIONS = {
    "smoke": r"\[.*\bsmoke\b.*\]",
    "identity": r"^tempest\.api\.identity",
    "identity_rules": r"^keystone_tempest_plugin\.tests\.(rbac|api)",
    "compute": r"^tempest\.api\.compute",
    "network": r"^tempest\.api\.network",
    "network_scenarios": r"^tempest\.scenario\.test_(network|security_groups)",
    "network_more": r"^neutron_tempest_plugin\.api\.(admin\.)?test_"
    r"(subnet|router|qos|address_group|port|trunk|quota|security_group|network|shared|default)",
    "volume": r"^tempest\.api\.volume",
    "volume_more": r"^cinder_tempest_plugin\.",
    "image": r"^tempest\.api\.image",
    "object_storage": r"^tempest\.api\.object_storage",
    "everything": r"^tempest\.api",
}


class Outcome(NamedTuple):
    """How the tests of a run ended, by their names without tags."""

    passed: frozenset[str]
    failed: frozenset[str]
    skipped: Mapping[str, str]  # with the reason


def program() -> Path | None:
    """Return the tempest command: of $TEMPEST, of .tempest, or of the path."""
    made = _ROOT / ".tempest/bin/tempest"
    found = os.environ.get("TEMPEST") or (str(made) if made.exists() else shutil.which("tempest"))
    return Path(found) if found else None


def write_settings(workspace: Path, values: Mapping[str, str]) -> Path:
    """Fill the template in; return the file."""
    text = (HERE / "tempest.conf").read_text()
    for name, value in {**values, "workspace": str(workspace)}.items():
        text = text.replace(f"@{name}@", value)
    left = re.findall(r"@\w+@", text)
    assert not left, f"nothing is known for {left} of tempest.conf"
    (workspace / "logs").mkdir(exist_ok=True)
    path = workspace / "tempest.conf"
    path.write_text(text)
    path.chmod(0o600)
    return path


def run(tempest: Path, workspace: Path, regex: str, workers: int) -> Outcome:
    """Run the tests that match; what it prints stays in the workspace as `output`."""
    settings = workspace / "tempest.conf"
    command: list[str | Path] = [
        tempest,
        "run",
        "--config-file",
        settings,
        "--regex",
        regex,
        "-w",
        str(workers),
    ]
    env = {**os.environ, "PATH": f"{tempest.parent}:{os.environ['PATH']}"}
    output = workspace / "output"
    with output.open("wb") as out:
        subprocess.run(
            command, cwd=workspace, env=env, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    return outcome_of(output.read_text(errors="replace"))


def outcome_of(output: str) -> Outcome:
    """Read what a run printed."""
    found: dict[str, dict[str, str]] = {"ok": {}, "FAILED": {}, "SKIPPED": {}}
    for line in output.splitlines():
        if match := _RESULT.match(line):
            name = re.sub(r"\[[^\]]*\]$", "", match[1])
            found[match[2]][name] = match[3] or ""
    assert any(found.values()), f"no test ran:\n{output[-2000:]}"
    return Outcome(frozenset(found["ok"]), frozenset(found["FAILED"]), found["SKIPPED"])


def known_failures(path: Path = HERE / "known_failures.tsv") -> dict[str, str]:
    """Return the tests that are known to fail, each with its reason."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    known = dict(line.split("\t") for line in lines)
    assert len(known) == len(lines), f"{path.name} names a test twice"
    return known


def reason(name: str, known: Mapping[str, str]) -> str | None:
    """Return why a test is known to fail; a listed name that ends in `*` stands for a group."""
    if name in known:
        return known[name]
    return next(
        (known[one] for one in known if _is_group(one) and fnmatch.fnmatchcase(name, one)), None
    )


def complaints(outcome: Outcome, known: Mapping[str, str]) -> list[str]:
    """Return what is wrong: failures nobody knew of, and listed tests that pass.

    A group passes when none of its tests fails any more.
    """
    new = [name for name in sorted(outcome.failed) if reason(name, known) is None]
    mended = [name for name in sorted(known) if _is_mended(name, outcome)]
    return [f"fails, and is not listed: {name}" for name in new] + [
        f"passes, so take it off the list: {name}" for name in mended
    ]


def _is_mended(name: str, outcome: Outcome) -> bool:
    if not _is_group(name):
        return name in outcome.passed
    return bool(fnmatch.filter(outcome.passed, name)) and not fnmatch.filter(outcome.failed, name)


def _is_group(name: str) -> bool:
    return name.endswith("*")

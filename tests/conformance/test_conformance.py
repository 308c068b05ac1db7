"""The reading of Tempest's words, and, where it is installed, its smoke tests."""

from pathlib import Path

import pytest

from tests.conformance import tempest
from tests.conformance.__main__ import run

PRINTED = """
{0} tempest.api.a.Test.test_one [0.5s] ... ok
{1} tempest.api.a.Test.test_two[id-1,smoke] [1.25s] ... FAILED
{1} setUpClass (tempest.api.b.Other) ... SKIPPED: Other skipped as swift is not available
Captured traceback: ... ok
"""


def test_what_a_run_printed_is_read() -> None:
    outcome = tempest.outcome_of(PRINTED)
    assert outcome.passed == {"tempest.api.a.Test.test_one"}
    assert outcome.failed == {"tempest.api.a.Test.test_two"}
    assert list(outcome.skipped.values()) == ["Other skipped as swift is not available"]


def test_a_run_without_tests_is_no_success() -> None:
    with pytest.raises(AssertionError, match="no test ran"):
        tempest.outcome_of("Traceback (most recent call last)\n")


def test_new_failures_and_mended_ones_are_complained_about() -> None:
    outcome = tempest.outcome_of(PRINTED)
    known = {"tempest.api.a.Test.test_one": "broken", "tempest.api.c.Test.test_else": "broken"}
    assert tempest.complaints(outcome, known) == [
        "fails, and is not listed: tempest.api.a.Test.test_two",
        "passes, so take it off the list: tempest.api.a.Test.test_one",
    ]
    assert tempest.complaints(outcome, {"tempest.api.a.Test.test_two": "broken"}) == []


def test_a_group_is_listed_until_none_of_it_fails() -> None:
    outcome = tempest.outcome_of(PRINTED)
    assert tempest.complaints(outcome, {"tempest.api.a.*": "not built"}) == []
    mended = outcome._replace(failed=frozenset())
    assert tempest.complaints(mended, {"tempest.api.a.*": "not built"}) == [
        "passes, so take it off the list: tempest.api.a.*"
    ]
    assert tempest.complaints(mended, {"tempest.api.b.*": "not built"}) == []


def test_every_known_failure_has_a_reason() -> None:
    assert all(reason.strip() for reason in tempest.known_failures().values())


@pytest.mark.real
@pytest.mark.timeout(1200)
def test_smoke(tmp_path: Path) -> None:
    program = tempest.program()
    if program is None:
        pytest.skip("Tempest is not installed: `make conformance` does it, or set $TEMPEST")
    outcome = run(program, tmp_path / "workspace", tempest.SELECTIONS["smoke"])
    wrong = tempest.complaints(outcome, tempest.known_failures())
    assert not wrong, "\n".join(wrong)

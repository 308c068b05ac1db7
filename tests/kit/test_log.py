"""What is logged, and from which level on."""

from collections.abc import Iterator

import pytest
import structlog

from cumulo.kit import log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    log.set_level("INFO")


def test_each_part_speaks_from_its_own_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    quiet, loud = log.get("quiet"), log.get("loud")
    log.setup("info")
    structlog.configure(cache_logger_on_first_use=False)
    log.set_level("ERROR", "cumulo.quiet")
    log.set_level("DEBUG", "cumulo.loud")
    for one in (quiet, loud, structlog.get_logger("unnamed")):
        one.debug("a detail")
        one.warning("a worry")
    told = capsys.readouterr().err.splitlines()
    assert [("detail" in line, "part=loud" in line) for line in told] == [
        (True, True),
        (False, True),
        (False, False),
    ]


def test_who_would_log_often_may_ask_first() -> None:
    log.get("busy")
    log.set_level("WARNING", "cumulo.busy")
    assert [log.is_wanted(level, "busy") for level in ("INFO", "WARNING")] == [False, True]
    assert log.is_wanted("INFO", "unheard-of")

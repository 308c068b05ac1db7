"""A real browser shows a guest's screen through the edge and noVNC."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.web.relay import VIEWER, RelayServer, files_in
from tests.browser import LIT, browser
from tests.node.bench import Bench
from tests.ports import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture(params=["fake_bench", "libvirt_bench"])
def shown(request: pytest.FixtureRequest) -> Iterator[tuple[Bench, str, RelayServer]]:
    """A guest, and the edge with a token that opens its screen."""
    bench: Bench = request.getfixturevalue(request.param)
    guest_id = bench.booted()
    relay = RelayServer(
        files_in(VIEWER),
        lambda token: bench.node.open_console(guest_id, "vnc"),
        "127.0.0.1",
        free_port(),
    )
    relay.start()
    yield bench, guest_id, relay
    relay.stop()


class Interrupted(dict[str, Path]):
    """The viewer's files, one of which a browser does not get when it asks for the first time."""

    LATE = "/novnc/core/util/logging.js"
    asked = 0

    def get(self, path: str, default: Any = None) -> Any:
        self.asked += path == self.LATE
        return default if path == self.LATE and self.asked == 1 else super().get(path, default)


@pytest.fixture
def interrupted(fake_bench: Bench) -> Iterator[tuple[Interrupted, RelayServer]]:
    """The edge as a browser sees it whose machine's network changes."""
    guest_id, files = fake_bench.booted(), Interrupted(files_in(VIEWER))
    relay = RelayServer(
        files, lambda token: fake_bench.node.open_console(guest_id, "vnc"), "127.0.0.1", free_port()
    )
    relay.start()
    yield files, relay
    relay.stop()


def test_a_viewer_that_was_interrupted_loads_again(
    interrupted: tuple[Interrupted, RelayServer], tmp_path: Path
) -> None:
    files, relay = interrupted
    with browser(tmp_path) as page:
        page.go(f"http://127.0.0.1:{relay.port}/vnc_lite.html?path=%3Ftoken%3Dgood")
        eventually(lambda: page.evaluate(LIT) > 500, 60, lambda: page.evaluate("document.title"))
    assert files.asked == 2


def test_a_browser_shows_the_screen(shown: tuple[Bench, str, RelayServer], tmp_path: Path) -> None:
    bench, guest_id, relay = shown
    with browser(tmp_path) as page:
        page.go(f"http://127.0.0.1:{relay.port}/vnc_lite.html?path=%3Ftoken%3Dgood")
        eventually(lambda: page.evaluate(LIT) > 500, 60, lambda: page.evaluate("document.title"))
        status = 'document.getElementById("status").textContent'
        assert page.evaluate(status).startswith("Connected")
        bench.node.ensure_power(guest_id, "stopped", timeout_s=0)
        eventually(lambda: "ended" in page.evaluate(status), 30)

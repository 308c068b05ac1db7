"""From the launch of a real guest to its screen, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.guest.build import build_guest
from tests.browser import LIT
from tests.chaos.inside import inside
from tests.dashboard.chromium import Chromium, chromium
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud
from tests.walks.conftest import real as real
from tests.walks.conftest import state as state

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def browser(real: CommandCloud) -> Iterator[Chromium]:
    """A browser on the machine that the cloud is on."""
    base = f"http://127.0.0.1:{real.ports['dashboard']}"
    with inside(real.net), chromium(base, real.prefix) as window:
        window.look(dark=False, width=1280)
        window.sign_in("admin", real.environment("admin")["OS_PASSWORD"])
        window.wait_for("Overview")
        yield window


def test_from_the_launch_to_the_console(browser: Chromium, tmp_path: Path) -> None:
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    image = build_guest(tmp_path, cache, print)
    browser.open("/images/new")
    browser.fill(name="guest", format="qcow2")
    browser.press("Go on to the upload")
    browser.one("input[type=file]").send_keys(str(image))
    browser.press("Upload")
    browser.wait_for("active")
    browser.open("/admin/flavors/new")
    browser.fill(name="tiny", ram="256", disk="1")
    browser.press("Create")
    browser.wait_for("The flavor is made.")
    browser.open("/networks/new")
    browser.fill(name="lan", cidr="10.1.0.0/24")
    browser.press("Create")
    browser.wait_for("10.1.0.0/24")

    browser.open("/servers/new")
    browser.fill(name="shown", image="guest", flavor="tiny")
    browser.press("Which hosts would take it?")
    browser.wait_for("Where it would go")
    browser.press("Launch")
    eventually(lambda: "ACTIVE" in browser.text, 120, lambda: browser.text, every_s=0.5)
    at = browser.path
    browser.press("Console")
    with browser.framed():
        browser.wait_for("Connected")
        eventually(lambda: browser.script(f"return {LIT}") > 500, 120, every_s=0.2)

    def log() -> str:
        browser.open(f"{at}/log")
        return browser.text

    eventually(lambda: "GUEST-READY" in log(), 240, log, every_s=2)
    browser.open(at)
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")

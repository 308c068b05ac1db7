"""The jobs of a project and of a cloud in a real browser, on an emulated cloud that serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard import things
from tests.dashboard.chromium import CONTRAST, LOADED, OVERFLOW, Chromium, chromium
from tests.walks.clouds import CommandCloud
from tests.walks.conftest import emulated as emulated
from tests.walks.conftest import state as state

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
_FIRST_PAINT = 300_000


@pytest.fixture(scope="module")
def browser(emulated: CommandCloud) -> Iterator[Chromium]:
    with chromium(f"http://127.0.0.1:{emulated.ports['dashboard']}") as window:
        window.look(dark=False, width=1280)
        window.sign_in("admin", emulated.environment("admin")["OS_PASSWORD"])
        window.wait_for("Overview")
        yield window


def test_from_an_upload_to_a_server_that_is_gone_again(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "small.qcow2"
    file.write_bytes(things.QCOW2)
    browser.open("/images/new")
    browser.fill(name="small", format="qcow2", visibility="private")
    browser.press("Go on to the upload")
    browser.one("input[type=file]").send_keys(str(file))
    browser.press("Upload")
    browser.wait_for("active")

    browser.open("/admin/flavors/new")
    browser.fill(name="tiny", ram="64")
    browser.press("Create")
    browser.wait_for("The flavor is made.")
    browser.open("/networks/new")
    browser.fill(name="lan", cidr="10.1.0.0/24")
    browser.press("Create")
    browser.wait_for("10.1.0.0/24")
    browser.open("/key-pairs/new")
    browser.fill(name="mine")
    browser.press("Create")
    browser.wait_for("PRIVATE KEY")

    browser.open("/servers/new")
    browser.fill(name="web", image="small", flavor="tiny", key="mine", user_data="#!/bin/sh")
    browser.press("Launch")
    browser.wait_for("ACTIVE")  # the page is told; nobody loads it anew
    assert "10.1.0." in browser.text
    browser.press("Stop", sure=True)
    browser.wait_for("SHUTOFF")
    browser.press("Start")
    browser.wait_for("ACTIVE")
    browser.press("Log")
    browser.wait_for("login")
    browser.open("/servers")
    browser.one("[name=id]").click()
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")
    assert [each for each in browser.complaints() if "favicon" not in each] == []


def test_search_and_sort_as_one_types(browser: Chromium) -> None:
    browser.open("/admin/flavors")
    browser.one("input[type=search]").send_keys("tin")
    browser.wait_for("tiny")
    browser.press("VCPUs")
    browser.wait_for("VCPUs ▴")
    browser.one("input[type=search]").send_keys("nothing of the kind")
    browser.wait_for("Nothing is found.")


def test_people_and_networks(browser: Chromium) -> None:
    browser.open("/admin/projects/new")
    browser.fill(name="lab")
    browser.press("Create")
    browser.wait_for("Who works in it")
    browser.press("Give a role")
    browser.fill(who="demo", role="member")
    browser.press("Give")
    browser.wait_for("It is changed.")
    browser.open("/security-groups/new")
    browser.fill(name="web")
    browser.press("Create")
    browser.press("New rule")
    browser.fill(direction="in", protocol="tcp", low="80")
    browser.press("Create")
    browser.wait_for("IPv4 tcp 80")
    browser.open("/containers/new")
    browser.fill(name="box")
    browser.press("Create")
    browser.one("input[type=file]").send_keys(__file__)
    browser.press("Upload")
    browser.wait_for(Path(__file__).name)


def test_it_loads_little_and_nothing_from_elsewhere(browser: Chromium) -> None:
    browser.cdp("Network.clearBrowserCache")
    browser.open("/servers")
    loaded = browser.script(LOADED)
    assert {name.startswith(browser.base) for name, _ in loaded} == {True}
    page = len(browser.driver.page_source)
    assert page + sum(size for _, size in loaded) < _FIRST_PAINT


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_it(browser: Chromium, dark: bool, width: int) -> None:
    browser.look(dark=dark, width=width)
    for path in ("/", "/servers/new", "/networks", "/admin/users", "/access", "/path", "/topology"):
        browser.open(path)
        assert browser.script(CONTRAST) == [], path
        assert browser.script(OVERFLOW) <= 0, path
    browser.look(dark=False, width=1280)


def test_it_works_by_keyboard(browser: Chromium) -> None:
    browser.open("/servers")
    active = browser.driver.switch_to.active_element
    active.send_keys("\ue004")  # the tabulator
    assert browser.script("return document.activeElement.className") == "skip"
    unnamed = browser.script(
        "return [...document.querySelectorAll('input, select, textarea, button, a')].filter((e) => "
        "e.type !== 'hidden' && !e.labels?.length && !e.ariaLabel && !e.textContent.trim())"
        ".map((e) => e.outerHTML)"
    )
    assert unnamed == []

"""The jobs of a project and of a cloud in a real browser, on an emulated cloud that serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from cumulo.services.dashboard.cloud import Cloud as View
from tests.browser import LIT
from tests.dashboard import things
from tests.dashboard.chromium import CONTRAST, LOADED, OVERFLOW, Chromium, chromium
from tests.dashboard.screenshots import signed_in
from tests.dashboard.test_attacks import HOSTILE
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud
from tests.walks.conftest import emulated as emulated
from tests.walks.conftest import state as state

pytestmark = [pytest.mark.walk, pytest.mark.timeout(300)]
_FIRST_PAINT = 300_000


@pytest.fixture(scope="module")
def browser(emulated: CommandCloud) -> Iterator[Chromium]:
    with chromium(f"http://127.0.0.1:{emulated.ports['dashboard']}") as window:
        window.look(dark=False, width=1280)
        window.sign_in("admin", emulated.environment("admin")["OS_PASSWORD"])
        window.wait_for("Overview")
        yield window


@pytest.fixture(scope="module")
def view(emulated: CommandCloud) -> View:
    """The APIs, as the administrator reaches them."""
    address = f"http://127.0.0.1:{emulated.ports['identity']}/v3"
    return signed_in(address, emulated.environment("admin")["OS_PASSWORD"])


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


def test_everything_that_is_done_with_a_server(browser: Chromium) -> None:
    browser.open("/servers/new")
    browser.fill(name="worked", image="small", flavor="tiny", description="for <all>")
    browser.press("Which hosts would take it?")
    browser.wait_for("Where it would go")
    assert browser.one("[name=name]").get_attribute("value") == "worked"
    browser.press("Launch")
    browser.wait_for("ACTIVE")
    at = browser.path
    for button, sure, status in (
        ("Pause", False, "PAUSED"),
        ("Unpause", False, "ACTIVE"),
        ("Suspend", False, "SUSPENDED"),
        ("Resume", False, "ACTIVE"),
        ("Rescue", True, "RESCUE"),
        ("Unrescue", False, "ACTIVE"),
        ("Shelve", True, "SHELVED_OFFLOADED"),
        ("Unshelve", False, "ACTIVE"),
        ("Reboot hard", True, "ACTIVE"),
    ):
        browser.press(button, sure=sure)
        browser.wait_for("Begun.")
        browser.wait_for_state(status)
    browser.press("Lock")
    browser.press("Stop", sure=True)
    browser.wait_for_state("SHUTOFF")  # administrators may
    browser.press("Unlock")
    browser.press("Start")
    browser.wait_for_state("ACTIVE")

    browser.press("Resize")
    browser.fill(flavor="m1.nano")
    browser.press("Resize")
    browser.wait_for_state("VERIFY_RESIZE")
    browser.press("Confirm the resize")
    browser.wait_for_state("ACTIVE")
    browser.press("Make an image")
    browser.fill(name="copied")
    browser.press("Make an image")
    browser.wait_for("Begun.")
    browser.wait_for_state("ACTIVE")
    browser.press("Rebuild")
    browser.fill(image="small")
    browser.press("Rebuild")
    browser.wait_for("Begun.")
    browser.wait_for_state("ACTIVE")

    browser.press("Console")
    with browser.framed():
        eventually(lambda: browser.script(f"return {LIT}") > 500)
    browser.open(at)
    browser.press("History")
    browser.wait_for("rebuild")
    browser.press("Server")
    browser.press("Why")
    browser.wait_for("How its host was chosen")
    browser.one("main table a").click()
    browser.wait_for("What a request did")
    browser.wait_for("done")
    browser.open(at)
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")


def test_a_refusal_shows_its_reason(browser: Chromium) -> None:
    browser.open("/admin/flavors/new")
    browser.fill(name="vast", ram="64", disk="900000")
    browser.press("Create")
    browser.wait_for("The flavor is made.")
    browser.open("/servers/new")
    browser.fill(name="large", image="small", flavor="vast")
    browser.press("Launch")
    browser.wait_for("DISK_GB: requested 900000")
    browser.press("Why")
    browser.wait_for("What would help")
    browser.press("Server")
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")
    browser.open("/networks/new")
    browser.fill(name="bad", cidr="10.1.0.0/99")
    browser.press("Create")
    browser.wait_for("10.1.0.0/99")
    assert browser.one("[name=name]").get_attribute("value") == "bad"


def test_what_a_guest_writes_is_only_shown(
    browser: Chromium, emulated: CommandCloud, view: View
) -> None:
    browser.open("/servers/new")
    browser.fill(name="hostile", image="small", flavor="tiny")
    browser.press("Launch")
    browser.wait_for("ACTIVE")
    at = browser.path
    wish = {"remote_console": {"protocol": "serial", "type": "serial"}}
    path = f"{at}/remote-consoles"
    url = view.post("compute", path, wish)["remote_console"]["url"]
    with connect(url, subprotocols=[Subprotocol("binary")]) as socket:
        socket.send(HOSTILE.encode())
    browser.complaints()
    browser.open(f"{at}/log")
    browser.wait_for("<img src=x onerror=alert(1)>")
    assert browser.script("return document.querySelectorAll('main img, main script').length") == 0
    assert browser.complaints() == []
    browser.open(at)
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")


def test_disks(browser: Chromium) -> None:
    browser.open("/volumes/new")
    browser.fill(name="data", size="1")
    browser.press("Create")
    browser.wait_for_state("available")
    at = browser.path
    browser.press("Extend")
    browser.fill(size="2")
    browser.press("Extend")
    browser.wait_for("2 GiB")
    browser.press("Snapshot")
    browser.fill(name="before")
    browser.press("Snapshot")
    browser.wait_for_state("available")
    browser.open(at)
    browser.press("Back up")
    browser.fill(name="kept")
    browser.press("Back up")
    browser.wait_for_state("available")
    browser.choose("kept")
    browser.press("Restore", sure=True)
    browser.wait_for("Begun for 1.")
    browser.open("/servers/new")
    browser.fill(name="pieced", flavor="tiny", snapshot="before", volume_size="2")
    browser.tick("data")
    browser.press("Launch")
    browser.wait_for_state("ACTIVE")
    browser.wait_for("data")
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")
    for path in ("/snapshots", "/backups", "/volumes"):
        browser.open(path)
        browser.wait_for("available")
        browser.one("[data-all]").click()
        browser.press("Delete", sure=True)
        browser.wait_for("There is no")


def test_networks(browser: Chromium) -> None:
    browser.open("/networks/new")
    browser.fill(name="world", cidr="203.0.113.0/24")
    browser.tick("External")
    browser.press("Create")
    browser.wait_for("203.0.113.0/24")
    browser.open("/routers/new")
    browser.fill(name="way", outside="world")
    browser.press("Create")
    browser.press("Add an interface")
    browser.fill(subnet="10.1.0.0")
    browser.press("Add")
    browser.wait_for("10.1.0.1")
    browser.open("/ports/new")
    browser.fill(name="door", network="lan")
    browser.press("Create")
    browser.wait_for("The port is made.")
    browser.open("/server-groups/new")
    browser.fill(name="apart", policy="anti-affinity")
    browser.press("Create")
    browser.wait_for("The server group is made.")
    browser.open("/servers/new")
    browser.fill(name="reached", image="small", flavor="tiny", server_group="apart")
    browser.tick("door")
    browser.press("Launch")
    browser.wait_for_state("ACTIVE")
    browser.press("Floating IP")
    browser.fill(pool="world")
    browser.press("Associate")
    browser.wait_for("203.0.113.")
    browser.open("/topology")
    browser.driver.find_element("xpath", "//*[name()='a'][contains(., 'reached')]").click()
    browser.wait_for_state("ACTIVE")
    browser.open("/path")
    browser.fill(**{"from": "reached", "to": "10.1.0.1", "protocol": "icmp"})
    browser.press("Follow it")
    browser.wait_for("There:")
    browser.open("/servers")
    browser.choose("reached")
    browser.press("Delete", sure=True)
    browser.wait_for("There is no server yet.")
    browser.open("/floating-ips")
    browser.choose("203.0.113.")
    browser.press("Release", sure=True)
    browser.wait_for("There is no")


def test_a_list_whose_request_broke_off_is_drawn_all_the_same(
    browser: Chromium, view: View
) -> None:
    browser.open("/networks")
    browser.block("*/networks*")
    broken = "window.broken = 0; document.addEventListener('htmx:sendError', () => window.broken++)"
    browser.script(broken)
    network = view.post("network", "/networks", {"network": {"name": "late"}})["network"]
    eventually(lambda: browser.script("return window.broken") > 0)
    assert "late" not in browser.text
    browser.block()
    browser.wait_for("late")
    view.delete("network", f"/networks/{network['id']}")


def test_search_and_sort_as_one_types(browser: Chromium) -> None:
    browser.open("/admin/flavors")
    browser.one("input[type=search]").send_keys("tin")
    browser.wait_for("tiny")
    browser.press("VCPUs")
    browser.wait_for("VCPUs ▴")
    browser.one("input[type=search]").send_keys("nothing of the kind")
    browser.wait_for("Nothing is found.")


def test_the_cloud(browser: Chromium) -> None:
    for path, title, more in (
        ("domains", "The domain is made.", {}),
        ("roles", "The role is made.", {}),
        ("users", "The user is made.", {"password": "his-secret"}),
        ("aggregates", "The aggregate is made.", {}),
    ):
        browser.open(f"/admin/{path}/new")
        browser.fill(name="fresh", **more)
        browser.press("Create")
        browser.wait_for(title)
    browser.press("Add a host")
    browser.fill(host="node1")
    browser.press("Add")
    browser.wait_for("It is changed.")
    browser.choose("node1")
    browser.press("Remove", sure=True)
    browser.wait_for("Removed: 1.")
    browser.open("/admin/projects?q=demo")
    browser.press("demo")
    browser.press("Quotas")
    browser.fill(**{"Compute.instances": "3"})
    browser.press("Change")
    browser.wait_for("0 / 3")
    browser.open("/admin/flavors?q=vast")
    browser.press("vast")
    browser.press("Extra specs")
    browser.fill(specs="note=large")
    browser.press("Change")
    browser.wait_for("large")
    browser.open("/admin/services?q=node1")
    browser.choose("nova-compute")
    browser.press("Disable", sure=True)
    browser.wait_for("disabled")
    browser.choose("nova-compute")
    browser.press("Enable")
    browser.wait_for("enabled")
    for path, words in (
        ("/admin/hypervisors", "node1"),
        ("/admin/agents", "node1"),
        ("/admin/servers", "All servers"),
        ("/admin/networks", "lan"),
        ("/admin/images", "small"),
        ("/events", "aggregate"),
    ):
        browser.open(path)
        browser.wait_for(words)


def test_long_lists_have_pages(browser: Chromium, view: View) -> None:
    for number in range(60):
        group = {"name": f"many-{number:02}", "description": ""}
        view.post("identity", "/groups", {"group": group})
    browser.open("/admin/groups")
    browser.press("Name")
    browser.wait_for("many-49")
    assert "many-50" not in browser.text
    browser.press("Next page")
    browser.wait_for("many-59")
    browser.one("[data-all]").click()
    browser.press("Delete", sure=True)
    browser.wait_for("Deleted: 10.")


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


def test_who_signs_in_and_where(browser: Chromium, view: View, emulated: CommandCloud) -> None:
    compute = next(one for one in view.catalog if one["type"] == "compute")
    view.post("identity", "/regions", {"region": {"id": "Second"}})
    endpoint = {"service_id": compute["id"], "interface": "public", "region_id": "Second"}
    endpoint["url"] = view.base("compute")
    view.post("identity", "/endpoints", {"endpoint": endpoint})
    project = view.post("identity", "/projects", {"project": {"name": "other"}})["project"]["id"]
    role = view.get("identity", "/roles", name="admin")["roles"][0]["id"]
    view.put("identity", f"/projects/{project}/users/{view.scope().user_id}/roles/{role}")
    browser.driver.delete_all_cookies()
    browser.sign_in("admin", "wrong")
    browser.wait_for("The request you have made requires authentication.")
    browser.fill(domain="Default")
    browser.sign_in("admin", emulated.environment("admin")["OS_PASSWORD"])
    browser.wait_for("Overview")
    browser.open("/scopes")
    browser.press("other")
    browser.wait_for_project("other")
    browser.fill_look(region="Second", language="fr", theme="dark")
    browser.wait_for("Serveurs")
    assert "Second" in browser.one(".where").text
    assert browser.script("return document.documentElement.dataset.theme") == "dark"
    browser.fill_look(region="RegionOne", language="en", theme="")
    browser.wait_for("Overview")
    browser.open("/scopes")
    browser.press("admin")
    browser.wait_for_project("admin")


def test_programs(browser: Chromium) -> None:
    browser.open("/access")
    browser.wait_for("clouds.yaml")
    browser.press("New application credential")
    browser.fill(name="ci", expires="2090-01-01 00:00")
    browser.press("Create")
    browser.wait_for("application_credential_secret")
    browser.press("Done")
    browser.choose("ci")
    browser.press("Delete", sure=True)
    browser.wait_for("Deleted: 1.")


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

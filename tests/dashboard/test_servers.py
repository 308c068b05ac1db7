"""What somebody does with servers in a browser."""

from typing import Any
from urllib.parse import urlencode

from tests.dashboard import things
from tests.dashboard.browser import HOST
from tests.dashboard.conftest import Sight


def test_a_life(sight: Sight, parts: dict[str, Any]) -> None:
    browser = sight.admin()
    shown = browser.send("/servers/new", "/servers", name="alive", **parts, count="1")
    assert "The server is being made." in shown.notices, shown.text
    at = shown.url
    sight.emulated.work()
    assert "ACTIVE" in browser.get(at).text
    for button, status in (
        ("stop", "SHUTOFF"),
        ("start", "ACTIVE"),
        ("pause", "PAUSED"),
        ("unpause", "ACTIVE"),
    ):
        assert "Begun." in browser.press(at, button).notices
        sight.emulated.work()
        assert status in browser.get(at).text
    assert "login" in browser.get(f"{at}/log").text
    told = browser.get(f"{at}/history").text
    assert "create" in told
    assert "pause" in told
    shown = browser.send(f"{at}/edit", name="www", description="x", metadata="a=b", tags="one\ntwo")
    assert "It is changed." in shown.notices
    assert "a: b" in browser.get(at).text
    assert "Begun for 1." in browser.press("/servers", "delete", id=at.rsplit("/")[-1]).notices
    sight.emulated.work()
    assert "www" not in browser.get("/servers").text


def test_a_refusal_is_told_with_its_reason_and_what_was_written(
    sight: Sight, parts: dict[str, Any]
) -> None:
    browser = sight.admin()
    shown = browser.send("/servers/new", "/servers", name="many", **parts, count="500")
    assert shown.status in (400, 403)
    assert "Quota" in shown.notices
    assert 'value="500"' in shown.text


def test_no_valid_host_says_why(sight: Sight, parts: dict[str, Any]) -> None:
    admin = sight.people.as_("admin")
    huge = {"flavor": {"name": "huge", "vcpus": 16, "ram": 10_000, "disk": 900_000}}
    chosen = {**parts, "flavor": str(admin.post("compute", "/flavors", huge)["flavor"]["id"])}
    browser = sight.admin()
    at = browser.send("/servers/new", "/servers", name="big", **chosen, count="1").url
    sight.emulated.work()
    assert "No valid host" in browser.get(at).notices
    assert "node2: Placement: DISK_GB: requested 900000" in browser.get(at).notices
    assert "No valid host" in browser.get(f"{at}/history").notices


def test_which_hosts_would_take_it(sight: Sight, parts: dict[str, Any]) -> None:
    browser = sight.admin()
    page, preview = "/servers/new", "/servers/preview"
    headers, shown = {"Origin": f"http://{HOST}"}, browser.get(page)
    sent = {**dict(shown.form("/servers").fields), "name": "dreamt", **parts}
    shown = browser.request("POST", preview, urlencode(sent).encode(), headers)
    assert "node1" in shown.text
    assert 'value="dreamt"' in shown.text
    sent["zone"], sent["flavor"] = "mars", "nothing"
    shown = browser.request("POST", preview, urlencode(sent).encode(), headers)
    assert (shown.status, "nothing" in shown.notices) == (200, True)
    assert "dreamt" not in browser.get("/servers").text
    assert preview not in sight.demo().get(page).text


def test_from_ports_and_volumes(sight: Sight, parts: dict[str, Any]) -> None:
    admin, browser = sight.people.as_("admin"), sight.admin()
    port = {"name": "reserved", "network_id": parts["network"]}
    port_id = admin.post("network", "/ports", {"port": port})["port"]["id"]
    root, data = (
        admin.post("volume", "/volumes", {"volume": {"size": 1, **more}})["volume"]["id"]
        for more in ({"imageRef": parts["image"]}, {})
    )
    sight.emulated.work()
    wish = {"name": "pieced", "flavor": parts["flavor"], "port": [port_id]}
    wish |= {"volume": root, "further_volume": [data], "security_group": []}
    at = browser.send("/servers/new", "/servers", **wish).url
    sight.emulated.work()
    shown = browser.get(at)
    assert "ACTIVE" in shown.text, shown.notices
    assert {f"/ports/{port_id}", f"/volumes/{root}", f"/volumes/{data}"} <= shown.links()
    browser.press(at, "delete")
    sight.emulated.work()
    for one in (root, data):
        admin.delete("volume", f"/volumes/{one}")
    sight.emulated.work()


def test_why_it_is_where_it_is(sight: Sight, parts: dict[str, Any]) -> None:
    demo = sight.people.as_("demo")
    own = {"image": things.image(demo, "own"), "network": things.network(demo, "own")}
    made = things.server(demo, "asked", **{**parts, **own})
    sight.emulated.work()
    assert "node2" in sight.admin().get(f"/servers/{made}/why").text
    theirs = sight.demo().get(f"/servers/{made}/why")
    assert "create" in theirs.text
    assert "node2" not in theirs.text

"""What somebody does with servers in a browser."""

from typing import Any

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

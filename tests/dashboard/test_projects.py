"""What somebody does in a project besides servers: images, networks, keys, objects, access."""

from urllib.parse import quote

import pytest

from cumulo.services.dashboard import sessions
from tests.dashboard import things
from tests.dashboard.browser import HOST, Browser
from tests.dashboard.conftest import Sight


@pytest.fixture(scope="module")
def browser(sight: Sight) -> Browser:
    return sight.admin()


def put(browser: Browser, path: str, content: bytes) -> tuple[int, str]:
    """Upload as the script of the page does."""
    proof = sessions.csrf_of(browser.cookies[sessions.SESSION])
    headers = {"Origin": f"http://{HOST}", "X-CSRF-Token": proof}
    answer = browser.request("PUT", path, content, headers)
    return answer.status, answer.text


def test_images(sight: Sight, browser: Browser) -> None:
    wish = {"name": "tiny", "format": "qcow2", "visibility": "private", "tags": "a\nb"}
    at = browser.send("/images/new", "/images", properties="os_distro=debian", **wish).url
    assert 'data-upload="' + at in browser.get(at).text
    status, told = put(browser, f"{at}/file", things.QCOW2)
    assert (status, told) == (200, "It is uploaded.")
    assert "active" in browser.get(at).text
    status, told = put(browser, f"{at}/file", things.QCOW2)
    assert status == 409
    assert "active" in told
    shown = browser.send(f"{at}/edit", name="small", tags="c", properties="os_version=13")
    assert "It is changed." in shown.notices
    assert "os_version" in shown.text
    assert "os_distro" not in shown.text
    assert "deactivated" in browser.press(at, "deactivate").text
    assert "small" in browser.get("/images?q=smal").text
    assert "It is deleted." in browser.press(at, "delete").notices


def test_a_network_with_a_way_out(sight: Sight, browser: Browser) -> None:
    outside = things.network(
        sight.people.as_("admin"), "outside", "203.0.113.0/24", **{"router:external": True}
    )
    wish = {"name": "inside", "subnet_name": "v4", "cidr": "10.9.0.0/24", "dns": "9.9.9.9"}
    net = browser.send("/networks/new", "/networks", **wish).url
    assert "10.9.0.0/24" in browser.get(net).text
    bad = browser.send("/networks/new", "/networks", **{**wish, "cidr": "10.9.0.0/99"})
    assert "10.9.0.0/99" in bad.notices
    shown = browser.send(f"{net}/subnets/new", f"{net}/subnets", cidr="fd00::/64", subnet_name="v6")
    assert "fd00::/64" in shown.text
    subnet = next(link for link in browser.get(net).links() if link.startswith("/subnets/"))
    assert "It is changed." in browser.send(f"{subnet}/edit", name="four").notices
    router = browser.send("/routers/new", "/routers", name="way", outside=outside).url
    subnet_id = next(
        option.attributes["value"]
        for option in browser.get(f"{router}/interfaces/new").document.all("option")
        if "10.9.0.0" in option.text
    )
    path = f"{router}/interfaces"
    assert "10.9.0.1" in browser.send(f"{path}/new", path, subnet=subnet_id).text
    assert "way" in browser.get("/topology").text
    told = browser.send("/floating-ips/new", "/floating-ips", network=outside).notices
    assert "203.0.113." in told
    assert "203.0.113." in browser.get("/floating-ips?q=203").text
    interface = browser.get(router).form(f"{path}/actions")
    assert ("action", "remove") in interface.buttons
    refused = browser.press("/routers", "delete", id=router.rpartition("/")[2]).notices
    assert "ports still attached" in refused


def test_security_groups(browser: Browser) -> None:
    at = browser.send("/security-groups/new", "/security-groups", name="web").url
    rules = f"{at}/rules"
    wish = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "low": "443"}
    assert "IPv4 tcp 443" in browser.send(f"{rules}/new", rules, **wish, prefix="10.0.0.0/8").text
    again = browser.send(f"{rules}/new", rules, **wish, prefix="10.0.0.0/8")
    assert "already exists" in again.notices
    rule = browser.get(at).text.partition('name="id" value="')[2].partition('"')[0]
    assert "Deleted: 1." in browser.press(at, "delete", f"{rules}/actions", id=rule).notices


def test_key_pairs(browser: Browser) -> None:
    shown = browser.send("/key-pairs/new", "/key-pairs", name="made", key="")
    assert "PRIVATE KEY" in shown.text
    assert "made" in browser.get("/key-pairs").text
    bad = browser.send("/key-pairs/new", "/key-pairs", name="bad", key="nonsense")
    assert bad.status == 400
    assert ">nonsense</textarea>" in bad.text.replace("\n", "")
    assert "ssh-" in browser.get("/key-pairs/made").text
    assert "Deleted: 1." in browser.press("/key-pairs", "delete", id="made").notices


def test_server_groups(browser: Browser) -> None:
    wish = {"name": "apart", "policy": "anti-affinity", "most": "2"}
    shown = browser.send("/server-groups/new", "/server-groups", **wish)
    assert "max_server_per_host: 2" in shown.text
    assert "It is deleted." in browser.press(shown.url, "delete").notices


def test_objects(browser: Browser) -> None:
    at = browser.send("/containers/new", "/containers", name="my things").url
    assert at == "/containers/my%20things"
    page = b"<html><script>alert(1)</script></html>"
    assert put(browser, f"{at}/objects/{quote('a/b/page.html')}", page)[0] == 200
    assert put(browser, f"{at}/objects/top%3F.txt", b"x")[0] == 200
    assert "a/" in browser.get(at).text
    assert "page.html" in browser.get(f"{at}?prefix=a%2Fb%2F").text
    got = browser.request("GET", f"{at}/objects/a/b/page.html")
    assert got.body == page
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
    assert "sandbox" in got.headers["content-security-policy"]
    shown = browser.send(at, f"{at}/actions", ("action", "delete"), id=["top?.txt"])
    assert "Deleted: 1." in shown.notices
    assert "conflict" in browser.press("/containers", "delete", id="my things").notices


def test_access(sight: Sight, browser: Browser) -> None:
    assert "http://127.0.0.1:8774/v2.1" in browser.get("/access").text
    assert "export OS_USERNAME=admin" in browser.get("/access/openrc").text
    assert "auth_url: http://127.0.0.1:5000/v3" in browser.get("/access/clouds.yaml").text
    wish = {"name": "ci", "role": ["reader"], "expires": "2090-01-01 00:00"}
    shown = browser.send("/access/credentials/new", "/access/credentials", **wish)
    assert "application_credential_secret" in shown.text
    assert "2090-01-01" in browser.get("/access").text
    bad = browser.send("/access/credentials/new", "/access/credentials", name="x", expires="soon")
    assert "soon" in bad.notices


def test_scopes_and_looks(sight: Sight) -> None:
    browser = sight.admin()
    shown = browser.get("/scopes")
    assert "system" in shown.text
    browser.send("/scopes", "/scopes", ("id", "all"), kind="system")
    assert browser.get("/").status == 200
    browser.send("/", "/look", language="fr", theme="dark")
    text = browser.get("/").text
    assert '<html lang="fr" data-theme="dark">' in text


def test_volumes(sight: Sight, browser: Browser) -> None:
    at = browser.send("/volumes/new", "/volumes", name="data", size="1").url
    sight.emulated.work()
    assert "available" in browser.get(at).text
    assert "It is changed." in browser.send(f"{at}/edit", name="disk", metadata="a=b").notices
    assert "a: b" in browser.get(at).text
    shown = browser.send(f"{at}/snapshot", name="before")
    assert shown.url == "/snapshots", shown.notices
    sight.emulated.work()
    assert "available" in browser.get("/snapshots").text
    assert "snapshot" in browser.press(at, "delete").notices
    snapshot = first(browser, "/snapshots")
    assert "Deleted: 1." in browser.press("/snapshots", "delete", id=snapshot).notices
    sight.emulated.work()
    assert "Begun." in browser.send(f"{at}/extend", size="2").notices
    sight.emulated.work()
    assert "2 GiB" in browser.get(at).text
    assert browser.send(f"{at}/extend", size="1").status == 400
    assert "It is deleted." in browser.press(at, "delete").notices
    sight.emulated.work()
    assert "There is no volume yet." in browser.get("/volumes").text


def first(browser: Browser, page: str) -> str:
    """Return the id of what stands first in a list."""
    return browser.get(page).text.partition('name="id" value="')[2].partition('"')[0]


def test_backups(sight: Sight, browser: Browser) -> None:
    at = browser.send("/volumes/new", "/volumes", name="kept", size="1").url
    sight.emulated.work()
    shown = browser.send(f"{at}/backup", name="copy")
    assert shown.url == "/backups", shown.notices
    sight.emulated.work()
    assert "available" in browser.get("/backups").text
    backup = first(browser, "/backups")
    assert "Begun for 1." in browser.press("/backups", "restore", id=backup).notices
    sight.emulated.work()
    assert browser.get("/volumes").text.count("available") == 2
    assert "Begun for 1." in browser.press("/backups", "delete", id=backup).notices

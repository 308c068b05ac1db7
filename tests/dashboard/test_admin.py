"""What those who run the cloud do in a browser."""

import re

import pytest

from tests.dashboard import things
from tests.dashboard.browser import Browser
from tests.dashboard.conftest import Sight


@pytest.fixture(scope="module")
def browser(sight: Sight) -> Browser:
    return sight.admin()


def choice(browser: Browser, page: str, name: str) -> str:
    """Return the value of an option by its words."""
    return next(
        option.attributes["value"]
        for option in browser.get(page).document.all("option")
        if option.text == name
    )


def test_a_project_with_a_user(sight: Sight, browser: Browser) -> None:
    at = browser.send("/admin/projects/new", "/admin/projects", name="lab", tags="a").url
    wish = {"name": "ann", "password": "her-secret", "email": "ann@example.org"}
    user = browser.send("/admin/users/new", "/admin/users", **wish).url
    role = choice(browser, f"{at}/roles/new", "member")
    who = choice(browser, f"{at}/roles/new", "ann")
    shown = browser.send(f"{at}/roles/new", f"{at}/roles", who=who, role=role)
    assert "ann" in shown.text
    assert "lab" in browser.get(user).text
    hers = sight.browser()
    assert "lab" in hers.sign_in("ann", "her-secret").text
    assert "/admin/users" not in hers.get("/").text
    assert hers.get("/admin/users").status == 403
    quotas = f"{at}/quotas"
    shown = browser.send(quotas, quotas, **{"Compute.instances": "3", "Network.port": "-1"})
    assert "0 / 3" in shown.text
    bad = browser.send(quotas, quotas, **{"Compute.instances": "many"})
    assert "many is not a whole number" in bad.notices
    key = f"{who}/roles/{role}"
    assert "Removed: 1." in browser.press(at, "revoke", f"{at}/roles/actions", id=key).notices
    assert hers.get("/servers").url.startswith("/sign-in")
    assert "It is changed." in browser.send(f"{user}/edit", name="anna").notices
    assert "It is deleted." in browser.press(user, "delete").notices
    assert "It is deleted." in browser.press(at, "delete").notices


def test_groups_roles_and_domains(browser: Browser) -> None:
    role = browser.send("/admin/roles/new", "/admin/roles", name="auditor").url
    group = browser.send("/admin/groups/new", "/admin/groups", name="team").url
    who = choice(browser, f"{group}/users/new", "demo")
    assert "demo" in browser.send(f"{group}/users/new", f"{group}/users", user=who).text
    domain = browser.send("/admin/domains/new", "/admin/domains", name="other").url
    given = {
        "who": choice(browser, f"{domain}/roles/new", "team (group)"),
        "role": choice(browser, f"{domain}/roles/new", "auditor"),
    }
    assert "team" in browser.send(f"{domain}/roles/new", f"{domain}/roles", **given).text
    told = browser.press(group, "remove", f"{group}/users/actions", id=who).notices
    assert "Removed: 1." in told
    assert "disable" in browser.press(domain, "delete").notices.lower()
    browser.send(f"{domain}/edit", name="other", enabled=[])
    for at in (domain, group, role):
        assert "It is deleted." in browser.press(at, "delete").notices


def test_flavors(browser: Browser) -> None:
    wish = {
        "name": "big",
        "vcpus": "4",
        "ram": "8192",
        "disk": "20",
        "specs": "hw:cpu_policy=shared",
    }
    at = browser.send("/admin/flavors/new", "/admin/flavors", **wish).url
    assert "hw:cpu_policy" in browser.get(at).text
    shown = browser.send(f"{at}/specs", specs="hw:mem_page_size=small")
    assert "hw:mem_page_size" in shown.text
    assert "hw:cpu_policy" not in shown.text
    assert browser.send(f"{at}/access/new", f"{at}/access", project="x").status == 409
    assert "It is deleted." in browser.press(at, "delete").notices


def test_a_flavor_for_some_projects(browser: Browser) -> None:
    wish = {"name": "theirs", "ram": "64", "public": []}
    at = browser.send("/admin/flavors/new", "/admin/flavors", **wish).url
    project = choice(browser, f"{at}/access/new", "demo")
    assert (
        "It is changed."
        in browser.send(f"{at}/access/new", f"{at}/access", project=project).notices
    )
    assert f"/admin/projects/{project}" in browser.get(at).links()
    told = browser.press(at, "remove", f"{at}/access/actions", id=project).notices
    assert "Removed: 1." in told
    assert f"/admin/projects/{project}" not in browser.get(at).links()
    assert "It is deleted." in browser.press(at, "delete").notices


def test_aggregates(browser: Browser) -> None:
    at = browser.send("/admin/aggregates/new", "/admin/aggregates", name="ssd").url
    assert "node1" in browser.send(f"{at}/hosts/new", f"{at}/hosts", host="node1").text
    shown = browser.send(f"{at}/edit", metadata="ssd=true")
    assert "ssd: true" in shown.text
    assert "ssd: true" not in browser.send(f"{at}/edit", metadata="").text
    told = browser.press(at, "remove", f"{at}/hosts/actions", id="node1").notices
    assert "Removed: 1." in told
    assert "It is deleted." in browser.press(at, "delete").notices


def test_hosts_and_their_servers(sight: Sight, browser: Browser) -> None:
    demo, admin = sight.people.as_("demo"), sight.people.as_("admin")
    made = things.server(
        demo, "theirs", things.image(demo), things.flavor(admin, "s"), things.network(demo)
    )
    sight.emulated.work()
    shown = browser.get("/admin/servers")
    assert "theirs" in shown.text
    assert "node" in shown.text
    # Other tests have servers there, too.
    assert re.search(r"\b[1-9]\d* / ", browser.get("/admin/hypervisors").text)
    assert "private" in browser.get("/admin/networks").text
    for kind, path, words in (
        ("router", "/routers", {"name": "theirs"}),
        ("port", "/ports", {"name": "theirs", "network_id": things.network(demo, "theirs")}),
        ("network", "/networks", {"name": "theirs"}),
        ("security_group", "/security-groups", {"name": "theirs"}),
    ):
        demo.post("network", path, {kind: words})
        assert "theirs" not in browser.get(path).text
    assert "theirs" in browser.get("/admin/routers").text
    outside = things.network(admin, "world", "198.51.100.0/24", **{"router:external": True})
    body = {"floatingip": {"floating_network_id": outside}}
    demo.post("network", "/floatingips", body)
    assert "198.51.100." not in browser.get("/floating-ips").text
    assert "198.51.100." in browser.get("/admin/floating-ips").text
    demo.post("volume", "/volumes", {"volume": {"name": "theirs", "size": 1}})
    assert "theirs" in browser.get("/admin/volumes").text
    assert "cirros" in browser.get("/admin/images").text
    links = browser.get("/admin/hypervisors").links()
    hosts = [browser.get(link).text for link in links if link.startswith("/admin/hypervisors/")]
    assert any(made in text for text in hosts)
    assert "Begun for 1." in browser.press("/admin/servers", "stop", id=made).notices
    assert "nova-compute" in browser.get("/admin/services").text
    assert browser.get("/admin/agents").status == 200

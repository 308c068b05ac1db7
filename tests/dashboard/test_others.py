"""Pages and forms of a thing that is another project's: to who asks, it is not there."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from cumulo.services.dashboard import sessions
from cumulo.services.dashboard.api import OPERATIONS
from cumulo.services.dashboard.cloud import Cloud as View
from tests.dashboard import things
from tests.dashboard.browser import HOST, Browser, Form, Shown
from tests.dashboard.conftest import Sight

pytestmark = pytest.mark.walk
SECRET = "hush-hush"
OURS = ("/sign-out", "/look", "/scopes")


@pytest.fixture(scope="module")
def sight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sight]:
    """A cloud of these tests: what is made here is counted elsewhere."""
    made = Sight(tmp_path_factory.mktemp("others"))
    yield made
    made.emulated.close()


@pytest.fixture(scope="module")
def victims(sight: Sight) -> dict[str, str]:
    """Return one of everything that the first administrator's project has, by its page."""
    sight.report()
    admin = sight.people.as_("admin")
    network = things.network(admin, SECRET, "10.66.0.0/24")
    image = things.image(admin, SECRET, visibility="private")
    disk = {"name": SECRET, "size": 1}
    volume = admin.post("volume", "/volumes", {"volume": disk})["volume"]["id"]
    found = {
        "servers": things.server(admin, SECRET, image, things.flavor(admin), network),
        "images": image,
        "networks": network,
        "subnets": admin.get("network", "/subnets", network_id=network)["subnets"][0]["id"],
        "volumes": volume,
    }
    for page, noun, more in (
        ("ports", "port", {"network_id": network}),
        ("routers", "router", {}),
        ("security-groups", "security_group", {}),
    ):
        spec = {noun: {"name": SECRET, **more}}
        found[page] = admin.post("network", f"/{page}", spec)[noun]["id"]
    group = {"server_group": {"name": SECRET, "policy": "affinity"}}
    found["server-groups"] = admin.post("compute", "/os-server-groups", group)["server_group"]["id"]
    sight.emulated.work()
    for noun in ("snapshot", "backup"):
        spec = {noun: {"volume_id": volume, "name": SECRET}}
        found[f"{noun}s"] = admin.post("volume", f"/{noun}s", spec)[noun]["id"]
        sight.emulated.work()
    return found


def pages(victims: dict[str, str]) -> Iterator[str]:
    """Every page of a thing of theirs."""
    for operation in OPERATIONS:
        found = re.match(r"/([a-z-]+)/\{(?!name|request_id|container)\w+\}", operation.path)
        if operation.method == "GET" and found:
            yield operation.path.replace(found[0], f"/{found[1]}/{victims[found[1]]}")


def state(view: View, victims: dict[str, str]) -> list[Any]:
    """All that may be seen of them, but for when they were looked at."""
    of_service = {
        "compute": {"servers": "/servers", "server-groups": "/os-server-groups"},
        "image": {"images": "/images"},
        "volume": {name: f"/{name}" for name in ("volumes", "snapshots", "backups")},
        "network": {
            name: f"/{name}"
            for name in ("networks", "subnets", "ports", "routers", "security-groups")
        },
    }
    return [
        view.get(service, f"{path}/{victims[name]}")
        for service, paths in of_service.items()
        for name, path in paths.items()
    ]


def sent(browser: Browser, form: Form, ids: list[str], button: tuple[str, str] | None) -> Shown:
    """Send a form of somebody else's page as one's own."""
    fields = [(name, value) for name, value in form.fields if name != sessions.CSRF_FIELD]
    fields += [("id", one) for one in ids] + ([button] if button else [])
    proof = sessions.csrf_of(browser.cookies[sessions.SESSION])
    body = urlencode([(sessions.CSRF_FIELD, proof), *fields]).encode()
    return browser.request("POST", form.action, body, {"Origin": f"http://{HOST}"})


def forms(shown: Shown) -> list[Form]:
    return [
        each
        for each in shown.document.forms
        if each.method == "post" and each.action not in OURS
    ]  # fmt: skip


def test_no_page_shows_what_is_another_projects(sight: Sight, victims: dict[str, str]) -> None:
    admin, demo, opened, looked = sight.admin(), sight.demo(), [], 0
    for page in pages(victims):
        assert admin.get(page).status == 200, page
        shown = demo.get(page)
        opened += [(page, shown.status)] if shown.status != 404 else []
        assert SECRET not in shown.text, page
        looked += 1
    assert not opened, "\n".join(map(str, opened))
    assert looked > 30
    for page in ("", *victims, "events", "topology", "admin/servers", "admin/networks"):
        assert SECRET not in demo.get(f"/{page}").text, page
    for name, other in (("servers", "ports"), ("ports", "servers")):
        between = f"from={victims[name]}&to={victims[other]}"
        assert SECRET not in demo.get(f"/path?{between}").text, name


def test_no_form_changes_what_is_another_projects(sight: Sight, victims: dict[str, str]) -> None:
    """Every form of every page of theirs, sent with every button by somebody else."""
    admin, demo, tried = sight.admin(), sight.demo(), 0
    view = sight.people.as_("admin")
    before = state(view, victims)
    there = [*pages(victims), *(f"/{name}" for name in victims if name != "subnets")]
    for page in there:
        shown = admin.get(page)
        boxes = [
            element.attributes["value"]
            for element in shown.document.all("input")
            if element.attributes.get("name") == "id" and "value" in element.attributes
        ]
        for form in forms(shown):
            buttons: list[tuple[str, str] | None] = [*form.buttons]
            for button in buttons or [None]:
                answer = sent(demo, form, boxes, button)
                assert answer.status in (200, 303, 400, 403, 404, 409), (form, answer.status)
                assert SECRET not in answer.text.replace(f'value="{SECRET}"', ""), form
                tried += 1
    assert tried > 60
    name = quote(f"/images/{victims['images']}/file")
    assert demo.request("PUT", name, b"x", {"X-Csrf-Token": csrf(demo)}).status == 404
    sight.emulated.work()
    assert state(view, victims) == before


def csrf(browser: Browser) -> str:
    return sessions.csrf_of(browser.cookies[sessions.SESSION])

"""`make screenshots`: every page, in light and dark, on a wide and on a narrow screen.

Prints what cannot be read well (contrast below WCAG AA) and what is wider than its screen.
"""

import re
import sys
import tempfile
from pathlib import Path

from cumulo.services.dashboard.cloud import Cloud as View
from cumulo.services.dashboard.transport import Transport
from tests.dashboard import things
from tests.dashboard.chromium import CONTRAST, OVERFLOW, Chromium, chromium
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud, write_ports

_TALLEST = 2400
_NOT_YET = ("", "Connecting", "noVNC needs JavaScript.")
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def main(target: Path) -> None:
    """Start a cloud with something of everything, and take the pictures of it."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cumulo-") as directory:
        cloud = CommandCloud(Path(directory) / "s")
        cloud.state.mkdir()
        settings = cloud.state / "cumulo.toml"
        write_ports(settings)
        settings.write_text(f"{settings.read_text()}[emulated]\nhosts = 3\n")
        cloud.up("--emulate")
        try:
            password = cloud.environment("admin")["OS_PASSWORD"]
            fill(signed_in(f"http://127.0.0.1:{cloud.ports['identity']}/v3", password))
            with chromium(f"http://127.0.0.1:{cloud.ports['dashboard']}") as browser:
                take(browser, password, target)
        finally:
            cloud.down("--purge")


def signed_in(auth_url: str, password: str) -> View:
    """Return the APIs as the administrator reaches them."""
    view, domain = View(Transport(dict), auth_url), {"name": "Default"}
    user = {"name": "admin", "domain": domain, "password": password}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": "admin", "domain": domain}}
    told = view.ask(
        "POST", "identity", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}}
    )
    view.token = told.headers["x-subject-token"]
    view.catalog = told.json()["token"]["catalog"]
    return view


def fill(view: View) -> None:
    """Make what a small cloud has."""
    image = things.image(view, "debian-13", tags=["stable"], os_distro="debian")
    things.image(view, "alpine-3.24")
    small = things.flavor(view, "m1.small", disk=20, ram=2048)
    large = things.flavor(view, "d1.store", disk=20_000, ram=4096)
    flat = {"router:external": True, "provider:network_type": "flat"}
    flat |= {"provider:physical_network": "physnet1"}
    outside = things.network(view, "public", "203.0.113.0/24", **flat)
    front, back = things.network(view, "front"), things.network(view, "back", "10.8.0.0/24")
    way = {"name": "gateway", "external_gateway_info": {"network_id": outside}}
    router = view.post("network", "/routers", {"router": way})["router"]["id"]
    for net in (front, back):
        subnet = view.get("network", "/subnets", network_id=net)["subnets"][0]["id"]
        body = {"subnet_id": subnet}
        view.put("network", f"/routers/{router}/add_router_interface", body)
    things.server(view, "archive", image, large, back)
    for number in range(1, 5):
        more = {"metadata": {"tier": "web"}, "tags": ["web"]}
        things.server(view, f"web-{number}", image, small, front, **more)
    things.server(view, "database", image, small, back)
    fill_disks(view, image)
    fill_admin(view)
    view.post("network", "/floatingips", {"floatingip": {"floating_network_id": outside}})
    group = {"name": "web", "description": "HTTP and HTTPS"}
    made = view.post("network", "/security-groups", {"security_group": group})["security_group"]
    rule = {"security_group_id": made["id"], "direction": "ingress", "protocol": "tcp"}
    rule |= {"port_range_min": 443, "port_range_max": 443}
    view.post("network", "/security-group-rules", {"security_group_rule": rule})
    view.ask("PUT", "object-store", "/backups").read()
    view.ask("PUT", "object-store", "/backups/2026/november.tar", body=b"x" * 9000).read()
    view.ask("PUT", "object-store", "/backups/readme.txt", body=b"x").read()
    policy = {"name": "apart", "policy": "anti-affinity"}
    view.post("compute", "/os-server-groups", {"server_group": policy})
    old = {"OpenStack-API-Version": "compute 2.91"}  # the last that makes keys
    view.ask("POST", "compute", "/os-keypairs", {"keypair": {"name": "laptop"}}, headers=old)
    view.post("network", "/ports", {"port": {"name": "reserved", "network_id": back}})


def fill_disks(view: View, image: str) -> None:
    """Make volumes, and copies of one."""
    for wish in ({"name": "root", "size": 2, "imageRef": image}, {"name": "data", "size": 2}):
        made = view.post("volume", "/volumes", {"volume": wish})["volume"]["id"]

    def is_there() -> bool:
        return bool(view.get("volume", f"/volumes/{made}")["volume"]["status"] == "available")

    eventually(is_there, within_s=60.0, every_s=0.1)
    copy = {"name": "nightly", "volume_id": made}
    view.post("volume", "/backups", {"backup": copy})
    eventually(is_there, within_s=60.0, every_s=0.1)
    view.post("volume", "/snapshots", {"snapshot": copy})


def fill_admin(view: View) -> None:
    """Make what those have who run the cloud."""
    aggregate = {"aggregate": {"name": "fast-disks"}}
    made = view.post("compute", "/os-aggregates", aggregate)["aggregate"]["id"]
    body = {"add_host": {"host": "node3"}}
    view.post("compute", f"/os-aggregates/{made}/action", body)
    project = view.post("identity", "/projects", {"project": {"name": "research"}})["project"]
    user = {"name": "ann", "email": "ann@example.org"}
    ann = view.post("identity", "/users", {"user": user})["user"]["id"]
    team = view.post("identity", "/groups", {"group": {"name": "physics"}})["group"]["id"]
    view.put("identity", f"/groups/{team}/users/{ann}")
    roles = view.get("identity", "/roles", name="member")["roles"]
    view.put("identity", f"/projects/{project['id']}/users/{ann}/roles/{roles[0]['id']}")
    secret = {"name": "m1.huge", "vcpus": 8, "ram": 65536, "disk": 100}
    secret |= {"os-flavor-access:is_public": False}
    view.post("compute", "/flavors", {"flavor": secret})
    credential = {"application_credential": {"name": "ci", "description": "builds"}}
    me = view.scope().user_id
    view.post("identity", f"/users/{me}/application_credentials", credential)


def take(browser: Chromium, password: str, target: Path) -> None:
    """Open every page that links lead to, once of each kind, and take it four times."""
    browser.open("/sign-in")
    snap(browser, "/sign-in", target)
    browser.look(dark=False, width=1280)
    browser.sign_in("admin", password)
    browser.wait_for("Overview")
    seen, rest = set[str](), ["/"]
    while rest:
        path = rest.pop(0)
        kind = _ID.sub("ID", path)
        if kind in seen or path.startswith(("/access/", "/containers/backups/objects")):
            continue
        seen.add(kind)
        snap(browser, path, target)
        links = (
            "return [...document.querySelectorAll('main a[href], nav a[href]')]"
            ".map((a) => new URL(a.getAttribute('href'), location).pathname)"
        )
        rest += browser.script(links)
    browser.open("/servers")
    broken = browser.driver.find_element("link text", "archive").get_attribute("href") or ""
    for page in ("", "/why", "/history"):
        snap(browser, broken.removeprefix(browser.base) + page, target, f"broken{page}")
    browser.open("/servers?q=web-1")
    found = browser.driver.find_element("link text", "web-1").get_attribute("href") or ""
    way = f"/path?from={found.rpartition('/')[2]}&to=10.8.0.1&protocol=icmp"
    snap(browser, way, target, "path-followed")
    for each in browser.complaints():
        print(each, file=sys.stderr)


def snap(browser: Chromium, path: str, target: Path, name: str = "") -> None:
    """Take one page four times."""
    name = (name or _ID.sub("ID", path)).strip("/").replace("/", "-") or "overview"
    for dark in (False, True):
        for width in (1280, 390):
            browser.look(dark=dark, width=width)
            browser.open(path)
            if path.endswith("/console"):
                with browser.framed():  # it says so, too, where noVNC was not installed
                    eventually(lambda: browser.one("#status").text not in _NOT_YET)
            height = browser.script("return document.documentElement.scrollHeight")
            look = f"{'dark' if dark else 'light'}-{width}"
            for bad in browser.script(CONTRAST):
                print(f"{path} {look}: hard to read: {bad}")
            if browser.script(OVERFLOW) > 0:
                print(f"{path} {look}: wider than the screen")
            browser.look(dark=dark, width=width, height=min(max(height, 700), _TALLEST))
            browser.driver.save_screenshot(str(target / f"{name}-{look}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots"))

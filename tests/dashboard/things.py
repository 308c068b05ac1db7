"""What pages show: things made through the APIs, as any client makes them."""

from typing import Any

import msgspec

from cumulo.app import Cloud
from cumulo.services.dashboard.cloud import Cloud as View
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.transport import Transport


class People:
    """The first users, each with the APIs as they reach them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._views: dict[str, View] = {}

    def as_(self, name: str) -> View:
        if name not in self._views:
            self._views[name] = self._signed_in(name, f"{name}-secret")
        return self._views[name]

    def _signed_in(self, name: str, password: str) -> View:
        tools = self._cloud.dashboard
        view = View(Transport(self._cloud._local_apps), tools.auth_url)
        domain = {"name": "Default"}
        user = {"name": name, "domain": domain, "password": password}
        scope = {"project": {"name": name, "domain": domain}}
        proof = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": proof, "scope": scope}}
        told = view.ask("POST", "identity", "/auth/tokens", body)
        view.token = told.headers["x-subject-token"]
        view.catalog = told.json()["token"]["catalog"]
        return view


QCOW2 = (b"QFI\xfb" + (3).to_bytes(4) + bytes(16) + (1 << 20).to_bytes(8)).ljust(1 << 16, b"\0")


def image(view: View, name: str = "cirros", **more: Any) -> str:
    wish = {"name": name, "disk_format": "qcow2", "container_format": "bare", **more}
    made: str = view.post("image", "/images", wish)["id"]
    kind = {"Content-Type": "application/octet-stream"}
    view.ask("PUT", "image", f"/images/{made}/file", body=QCOW2, headers=kind).read()
    return made


def network(view: View, name: str = "private", cidr: str = "10.7.0.0/24", **more: Any) -> str:
    made: str = view.post("network", "/networks", {"network": {"name": name, **more}})["network"][
        "id"
    ]
    subnet = {"network_id": made, "cidr": cidr, "ip_version": 4, "name": f"{name}-subnet"}
    view.post("network", "/subnets", {"subnet": subnet})
    return made


def flavor(view: View, name: str = "small", disk: int = 1) -> str:
    body = {"flavor": {"name": name, "vcpus": 1, "ram": 64, "disk": disk}}
    return str(view.post("compute", "/flavors", body)["flavor"]["id"])


def server(view: View, name: str, image: str, flavor: str, network: str, **more: Any) -> str:
    spec = {
        "name": name,
        "imageRef": image,
        "flavorRef": flavor,
        "networks": [{"uuid": network}],
        **more,
    }
    return str(view.post("compute", "/servers", {"server": spec})["server"]["id"])


def hostile(view: View, name: str) -> None:
    """Make one of everything, and call all of it `name`."""
    made = image(view, name, tags=[name.replace(",", "")], note=name)
    net = network(view, name)
    small = flavor(view, "hostile")
    tag = name.replace("/", "").replace(",", "")[:60]
    more = {"description": name, "metadata": {"a key": name}, "tags": [tag]}
    server(view, name, made, small, net, **more)
    words = {"name": name, "description": name}
    view.post("network", "/routers", {"router": words})
    view.post("network", "/ports", {"port": {**words, "network_id": net}})
    group = view.post("network", "/security-groups", {"security_group": words})["security_group"]
    rule = {"security_group_id": group["id"], "direction": "ingress", "description": name}
    view.post("network", "/security-group-rules", {"security_group_rule": rule})
    outside = network(view, name, "203.0.113.0/24", **{"router:external": True})
    floating = {"floating_network_id": outside, "description": name}
    view.post("network", "/floatingips", {"floatingip": floating})
    plain = "".join(sign for sign in name if sign.isalnum() or sign in " @._-")
    view.post(
        "compute", "/os-server-groups", {"server_group": {"name": plain, "policy": "affinity"}}
    )
    container = part(name.replace("/", ""))
    view.ask("PUT", "object-store", f"/{container}").read()
    view.ask("PUT", "object-store", f"/{container}/{part(name)}", body=b"x").read()
    short = {**words, "name": name[:64]}
    view.post("identity", "/projects", {"project": {**short, "tags": [tag]}})
    view.post("identity", "/users", {"user": {**short, "email": name}})
    view.post("identity", "/groups", {"group": short})
    view.post("identity", "/roles", {"role": short})
    view.post("identity", "/domains", {"domain": short})
    view.post("compute", "/os-aggregates", {"aggregate": {"name": name}})
    volume = {**words, "size": 1, "metadata": {"key": name}}
    view.post("volume", "/volumes", {"volume": volume})
    me = view.scope().user_id
    credential = {"application_credential": words}
    view.post("identity", f"/users/{me}/application_credentials", credential)


def json(text: bytes) -> Any:
    return msgspec.json.decode(text)

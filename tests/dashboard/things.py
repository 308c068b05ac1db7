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

    def as_(self, name: str) -> View:
        """Sign in anew: what a test did may have ended the tokens of before."""
        tools = self._cloud.dashboard
        view = View(Transport(self._cloud._local_apps), tools.auth_url)
        domain = {"name": "Default"}
        user = {"name": name, "domain": domain, "password": f"{name}-secret"}
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


def flavor(view: View, name: str = "small", disk: int = 1, ram: int = 64) -> str:
    body = {"flavor": {"name": name, "vcpus": 1, "ram": ram, "disk": disk}}
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
    """Make one of everything, and call all of it `name`, wherever an API takes words."""
    tag = name.replace("/", "").replace(",", "")[:60]
    net = _hostile_networks(view, name, tag)
    _hostile_servers(view, name, tag, net)
    _hostile_volumes(view, name)
    _hostile_people(view, name, tag)
    container = part(name.replace("/", ""))
    view.ask("PUT", "object-store", f"/{container}").read()
    kind = {"Content-Type": name}
    view.ask("PUT", "object-store", f"/{container}/{part(name)}", body=b"x", headers=kind).read()
    view.ask("PUT", "object-store", f"/{container}/{part(f'{name}/x')}", body=b"x").read()


def _hostile_networks(view: View, name: str, tag: str) -> str:
    words = {"name": name, "description": name}
    net = network(view, name, description=name)
    subnet = view.get("network", "/subnets", network_id=net)["subnets"][0]["id"]
    view.put("network", f"/subnets/{subnet}", {"subnet": words})
    port = view.post("network", "/ports", {"port": {**words, "network_id": net}})["port"]["id"]
    router = view.post("network", "/routers", {"router": words})["router"]["id"]
    view.put("network", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    group = view.post("network", "/security-groups", {"security_group": words})["security_group"]
    rule = {"security_group_id": group["id"], "direction": "ingress", "description": name}
    view.post("network", "/security-group-rules", {"security_group_rule": rule})
    outside = network(view, name, "203.0.113.0/24", **{"router:external": True})
    floating = {"floating_network_id": outside, "description": name}
    one = view.post("network", "/floatingips", {"floatingip": floating})["floatingip"]["id"]
    for path in (
        f"/networks/{net}", f"/subnets/{subnet}", f"/ports/{port}", f"/routers/{router}",
        f"/security-groups/{group['id']}", f"/floatingips/{one}",
    ):  # fmt: skip
        view.put("network", f"{path}/tags", {"tags": [tag]})
    return net


def _hostile_servers(view: View, name: str, tag: str, net: str) -> None:
    made = image(view, name, tags=[name.replace(",", "")], note=name, os_distro=name)
    size = {"name": name, "vcpus": 1, "ram": 64, "disk": 1, "description": name}
    small = view.post("compute", "/flavors", {"flavor": size})["flavor"]["id"]
    specs = {"extra_specs": {"note": name}}
    view.post("compute", f"/flavors/{small}/os-extra_specs", specs)
    zone = "".join(sign for sign in name if sign not in ":,")
    aggregate = {"aggregate": {"name": name, "availability_zone": zone}}
    number = view.post("compute", "/os-aggregates", aggregate)["aggregate"]["id"]
    body: Any = {"set_metadata": {"metadata": {"note": name}}}
    view.post("compute", f"/os-aggregates/{number}/action", body)
    body = {"binary": "nova-compute", "host": "node2", "disabled_reason": name}
    service = view.get("compute", "/os-services", binary="nova-compute")["services"][-1]["id"]
    body = {"status": "disabled", "disabled_reason": name}
    view.put("compute", f"/os-services/{service}", body)
    more = {"description": name, "metadata": {"a key": name}, "tags": [tag]}
    server_id = server(view, name, made, str(small), net, **more)
    body = {"lock": {"locked_reason": name}}
    view.post("compute", f"/servers/{server_id}/action", body)
    server(view, name, made, str(small), net, **more)
    plain = "".join(sign for sign in name if sign.isalnum() or sign in " @._-")
    group = {"server_group": {"name": plain, "policy": "affinity"}}
    view.post("compute", "/os-server-groups", group)


def _hostile_volumes(view: View, name: str) -> None:
    words = {"name": name, "description": name}
    kind = {**words, "extra_specs": {"note": name}}
    view.post("volume", "/types", {"volume_type": kind})
    volume = {**words, "size": 1, "metadata": {"key": name}}
    made = view.post("volume", "/volumes", {"volume": volume})["volume"]["id"]
    view.put("volume", f"/volumes/{made}/metadata", {"metadata": {name: name}})


def hostile_copies(view: View, name: str) -> None:
    """Copy the volumes of that name, which are made by now."""
    made = view.get("volume", "/volumes")["volumes"][0]["id"]
    copy = {"name": name, "description": name, "metadata": {"key": name}, "volume_id": made}
    view.post("volume", "/snapshots", {"snapshot": copy})
    view.post("volume", "/backups", {"backup": copy})


def _hostile_people(view: View, name: str, tag: str) -> None:
    short = {"name": name[:64], "description": name}
    project = view.post("identity", "/projects", {"project": {**short, "tags": [tag]}})["project"]
    user = view.post("identity", "/users", {"user": {**short, "email": name}})["user"]["id"]
    group = view.post("identity", "/groups", {"group": short})["group"]["id"]
    role = view.post("identity", "/roles", {"role": short})["role"]["id"]
    domain = view.post("identity", "/domains", {"domain": short})["domain"]["id"]
    view.put("identity", f"/groups/{group}/users/{user}")
    for where in (f"projects/{project['id']}", f"domains/{domain}"):
        view.put("identity", f"/{where}/users/{user}/roles/{role}")
    credential = {"application_credential": {"name": name, "description": name}}
    me = view.scope().user_id
    view.post("identity", f"/users/{me}/application_credentials", credential)
    region = view.post("identity", "/regions", {"region": {"id": "elsewhere", "description": name}})
    service = {"service": {"type": name, "name": name, "description": name}}
    one = view.post("identity", "/services", service)["service"]["id"]
    endpoint = {"service_id": one, "interface": "public", "url": f"http://x/{name}"}
    endpoint["region_id"] = region["region"]["id"]
    view.post("identity", "/endpoints", {"endpoint": endpoint})


def json(text: bytes) -> Any:
    return msgspec.json.decode(text)

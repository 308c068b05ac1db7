"""What Tempest expects to find in a cloud: images, flavors, a network to the outside."""

import json
import urllib.request
from typing import Any

import msgspec

from tests.walks.clouds import CommandCloud

# The head of a qcow2 file of 1 MiB: nobody boots it, but it is what it says it is.
_DISK = (b"QFI\xfb" + (3).to_bytes(4) + bytes(16) + (1 << 20).to_bytes(8)).ljust(1 << 16, b"\0")

# What the two kinds of cloud can do, as tempest.conf spells it.
EMULATED = {
    "hosts": "2",
    "run_validation": "false",
    "moves": "true",
    "cards": "tenant",
    "personality": "true",
    "build_timeout": "60",
    "img_file": "/nonexistent",
    "backends": "fake,other",
}
REAL = {
    "hosts": "1",
    "run_validation": "true",
    "moves": "false",  # there is one host
    "cards": "",  # a way into a physical network whose bandwidth could be promised
    "personality": "false",
    "build_timeout": "300",
    "backends": "file,other",
}


class Administrator:
    """Speaks to a cloud's APIs over HTTP with the administrator's token."""

    def __init__(self, auth_url: str, auth: dict[str, str]) -> None:
        user = {"name": auth["username"], "password": auth["password"]}
        domain = {"domain": {"name": "Default"}}
        scope = {"project": {"name": auth["project_name"], **domain}}
        password = {"methods": ["password"], "password": {"user": {**user, **domain}}}
        body = {"auth": {"identity": password, "scope": scope}}
        self._token = ""
        answer = self._request("POST", f"{auth_url}/auth/tokens", body)
        self._token = answer.headers["X-Subject-Token"]
        self._urls = {
            service["type"]: service["endpoints"][0]["url"]
            for service in json.loads(answer.read())["token"]["catalog"]
        }

    def get(self, service: str, path: str) -> Any:
        """Return what stands at a path."""
        return json.loads(self._request("GET", self._urls[service] + path).read())

    def post(self, service: str, path: str, body: dict[str, Any]) -> Any:
        """Make something and return it."""
        return json.loads(self._request("POST", self._urls[service] + path, body).read())

    def upload(self, image_id: str, content: bytes) -> None:
        """Give an image its bytes."""
        self._request("PUT", f"{self._urls['image']}/v2/images/{image_id}/file", content)

    def _request(self, method: str, url: str, body: dict[str, Any] | bytes | None = None) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        kind = "application/json" if data is not body else "application/octet-stream"
        headers = {"X-Auth-Token": self._token, "Content-Type": kind}
        request = urllib.request.Request(url, data, headers, method=method)
        return urllib.request.urlopen(request, timeout=60)


def prepare(cloud: CommandCloud, disk: bytes = _DISK) -> dict[str, str]:
    """Fill a cloud that runs; return what the placeholders of tempest.conf stand for.

    Its images are of `disk`.
    """
    clouds = msgspec.yaml.decode((cloud.state / "clouds.yaml").read_bytes())
    auth = clouds["clouds"]["cumulo"]["auth"]
    admin = Administrator(auth["auth_url"], auth)
    network = _public_network(admin)
    pool = {"name": "default", "is_default": True, "shared": True, "prefixes": ["10.200.0.0/16"]}
    pool["default_prefixlen"] = 26
    admin.post("network", "/v2.0/subnetpools", {"subnetpool": pool})
    admin.post("identity", "/roles", {"role": {"name": "ResellerAdmin"}})
    shared = {"name": "multiattach", "extra_specs": {"multiattach": "<is> True"}}
    admin.post("block-storage", "/types", {"volume_type": shared})
    extensions = admin.get("network", "/v2.0/extensions")["extensions"]
    return {
        "auth_url": auth["auth_url"],
        "admin_password": auth["password"],
        "image": _image(admin, "tempest", disk),
        "image_alt": _image(admin, "tempest-alt", disk),
        "flavor": _flavor(admin, "42", ram=128, disk=1),
        "flavor_alt": _flavor(admin, "84", ram=192, disk=2),
        "public_network": network,
        "extensions": ",".join(sorted(one["alias"] for one in extensions)),
        "nothing": "http://127.0.0.1:9",
    }


def _image(admin: Administrator, name: str, disk: bytes) -> str:
    spec = {"name": name, "disk_format": "qcow2", "container_format": "bare"}
    made = admin.post("image", "/v2/images", {**spec, "visibility": "public"})
    admin.upload(made["id"], disk)
    return str(made["id"])


def _flavor(admin: Administrator, flavor_id: str, *, ram: int, disk: int) -> str:
    spec = {"id": flavor_id, "name": f"tempest-{flavor_id}", "vcpus": 1, "ram": ram, "disk": disk}
    return str(admin.post("compute", "/flavors", {"flavor": spec})["flavor"]["id"])


def _public_network(admin: Administrator) -> str:
    provider = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
    spec = {"name": "public", "router:external": True, "is_default": True, **provider}
    network = admin.post("network", "/v2.0/networks", {"network": spec})["network"]
    subnet = {"network_id": network["id"], "cidr": "203.0.113.0/24", "ip_version": 4}
    subnet |= {"gateway_ip": "203.0.113.1", "enable_dhcp": False}
    admin.post("network", "/v2.0/subnets", {"subnet": subnet})
    return str(network["id"])

"""One of every kind of resource, made in order and deleted in the reverse."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.chaos.inside import Speaker

DISK = b"a disk that no firmware would start from".ljust(1 << 20, b"\0")
_NOVA, _NEUTRON, _KEYSTONE = "/v2.1", "/v2.0", "/v3"


class Maker:
    """Makes resources that are deleted when the stack is closed, the last one first."""

    def __init__(self, speak: Speaker, stack: ExitStack) -> None:
        self.speak, self._stack = speak, stack

    def later(self, act: Callable[[], object]) -> None:
        self._stack.callback(act)

    def make(self, service: str, path: str, kind: str, **fields: Any) -> Any:
        made = self.speak.make(service, path, {kind: fields})
        key = made["name"] if kind == "keypair" else made["id"]
        self._stack.callback(self.speak.delete, service, f"{path}/{key}")
        return made

    def put(self, service: str, path: str, json: Any = None) -> Any:
        answer = self.speak("PUT", service, path, json)
        assert answer.status in (200, 201, 204), answer.text
        return answer

    def post(self, service: str, path: str, json: Any) -> None:
        answer = self.speak("POST", service, path, json)
        assert answer.status in (200, 202), answer.text


@contextmanager
def one_of_each(speak: Speaker, number: int, *, boots: bool) -> Iterator[str]:
    """Make everything there is, hand out the network's id, and delete it again."""
    with ExitStack() as stack:
        maker = Maker(speak, stack)
        _identity(maker, number)
        flavor = _compute(maker, number)
        image = _image(maker)
        network = one_of_each_network(maker)
        if boots:
            _server(maker, flavor, image, network)
        yield network


def _identity(maker: Maker, number: int) -> None:
    def make(path: str, kind: str, **fields: Any) -> str:
        return str(maker.make("identity", f"{_KEYSTONE}/{path}", kind, **fields)["id"])

    project = make("projects", "project", name=f"project{number}", domain_id="default")
    user = make("users", "user", name=f"user{number}", password="secret", domain_id="default")
    group = make("groups", "group", name=f"group{number}", domain_id="default")
    role = make("roles", "role", name=f"role{number}")
    maker.put("identity", f"{_KEYSTONE}/groups/{group}/users/{user}")
    maker.put("identity", f"{_KEYSTONE}/projects/{project}/users/{user}/roles/{role}")
    maker.put("identity", f"{_KEYSTONE}/projects/{project}/groups/{group}/roles/{role}")
    region = make("regions", "region", description="another")
    service = make("services", "service", name="barbican", type="key-manager")
    url = {"interface": "public", "url": "http://controller:9311", "region_id": region}
    make("endpoints", "endpoint", service_id=service, **url)
    make("credentials", "credential", type="cert", blob="{}", user_id=user, project_id=project)


def _compute(maker: Maker, number: int) -> str:
    def make(path: str, kind: str, **fields: Any) -> Any:
        return maker.make("compute", f"{_NOVA}/{path}", kind, **fields)

    flavor = make("flavors", "flavor", name=f"flavor{number}", ram=64, vcpus=1, disk=1)["id"]
    specs = {"extra_specs": {"hw:cpu_policy": "shared"}}
    maker.post("compute", f"{_NOVA}/flavors/{flavor}/os-extra_specs", specs)
    make("os-keypairs", "keypair", name=f"key{number}")
    make("os-server-groups", "server_group", name="group", policies=["affinity"])
    aggregate = make("os-aggregates", "aggregate", name=f"aggregate{number}")["id"]
    hosts = maker.speak("GET", "compute", f"{_NOVA}/os-hypervisors").json()["hypervisors"]
    action = f"{_NOVA}/os-aggregates/{aggregate}/action"
    host = {"host": hosts[0]["hypervisor_hostname"]}
    maker.post("compute", action, {"add_host": host})
    maker.later(lambda: maker.post("compute", action, {"remove_host": host}))
    return str(flavor)


def _image(maker: Maker) -> str:
    speak = maker.speak
    record = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
    image_id = str(speak.make("image", "/v2/images", record)["id"])
    maker.later(lambda: speak.delete("image", f"/v2/images/{image_id}"))
    kind = {"Content-Type": "application/octet-stream"}
    sent = speak("PUT", "image", f"/v2/images/{image_id}/file", body=DISK, headers=kind)
    assert sent.status == 204, sent.text
    return image_id


def one_of_each_network(maker: Maker) -> str:
    """Make what the network service has, and return the network inside."""

    def make(path: str, kind: str, **fields: Any) -> str:
        return str(maker.make("network", f"{_NEUTRON}/{path}", kind, **fields)["id"])

    group = make("security-groups", "security_group", name="web")
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
    make("security-group-rules", "security_group_rule", security_group_id=group, **rule)
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
    outside = make("networks", "network", name="outside", **flat, **{"router:external": True})
    where = {"cidr": "203.0.113.0/24", "ip_version": 4, "gateway_ip": "203.0.113.1"}
    make("subnets", "subnet", network_id=outside, enable_dhcp=False, **where)
    inside = make("networks", "network", name="inside")
    subnet = make("subnets", "subnet", network_id=inside, cidr="10.8.0.0/24", ip_version=4)
    way_out = {"network_id": outside}
    router = make("routers", "router", name="router", external_gateway_info=way_out)
    leg = {"subnet_id": subnet}
    maker.put("network", f"{_NEUTRON}/routers/{router}/add_router_interface", leg)
    off = f"{_NEUTRON}/routers/{router}/remove_router_interface"
    maker.later(lambda: maker.put("network", off, leg))
    port = make("ports", "port", network_id=inside, security_groups=[group])
    make("floatingips", "floatingip", floating_network_id=outside, port_id=port)
    maker.put("network", f"{_NEUTRON}/networks/{inside}/tags/blue")
    return inside


def _server(maker: Maker, flavor: str, image: str, network: str) -> None:
    speak = maker.speak
    spec = {"name": "web", "flavorRef": flavor, "imageRef": image, "config_drive": True}
    spec |= {"networks": [{"uuid": network}], "metadata": {"role": "web"}}
    server_id = speak.make("compute", f"{_NOVA}/servers", {"server": spec})["id"]

    def gone() -> None:
        speak.delete("compute", f"{_NOVA}/servers/{server_id}")
        speak.await_status(server_id, "gone")

    maker.later(gone)
    speak.await_status(server_id, "ACTIVE")

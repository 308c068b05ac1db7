"""One of each noun, made through the APIs, so that paths and bodies name what is there."""

import base64
from collections.abc import Mapping
from typing import Any

from tests.client import Client
from tests.cloud import Emulated

ADMIN = {"identity": "root:system:admin"}
PROJECT = "11111111111111111111111111111111"
ROOT = f"root:{PROJECT}:admin"
_KEY = base64.b64encode(b"\0\0\0\x0bssh-ed25519" + b"\0\0\0\x20" + bytes(32)).decode()


def token(service: str) -> str:
    """Return who may do everything."""
    return ADMIN.get(service, ROOT)


class Things:
    """What is there, by the name that a service's paths and bodies have for it."""

    def __init__(self, cloud: Emulated) -> None:
        self._cloud = cloud
        cloud.cloud.prepare()
        self.ids: dict[str, dict[str, str]] = {}
        for service, make in _MAKERS.items():
            self.ids[service] = {"project_id": PROJECT, "tenant_id": PROJECT, "tag": "red"}
            make(self, cloud.client(service, token(service)), self.ids[service])

    def named(self, service: str) -> Mapping[str, str]:
        return self.ids[service]

    def identity(self, api: Client, ids: dict[str, str]) -> None:
        ids["domain_id"] = made(api, "/v3/domains", domain={"name": "fuzzy"})
        within = {"domain_id": ids["domain_id"]}
        ids["project_id"] = made(api, "/v3/projects", project={"name": "p", **within})
        user = {"name": "u", "password": "first-secret", **within}
        ids["user_id"] = made(api, "/v3/users", user=user)
        ids["group_id"] = made(api, "/v3/groups", group={"name": "g", **within})
        ids["role_id"] = made(api, "/v3/roles", role={"name": "one"})
        ids["implied_role_id"] = made(api, "/v3/roles", role={"name": "two"})
        ids["region_id"] = made(api, "/v3/regions", region={"id": "north"})
        ids["service_id"] = made(api, "/v3/services", service={"type": "dns", "name": "d"})
        place = {"service_id": ids["service_id"], "interface": "public", "url": "http://x:1/"}
        ids["endpoint_id"] = made(api, "/v3/endpoints", endpoint=place)
        ids["policy_id"] = made(api, "/v3/policies", policy={"type": "text/plain", "blob": "{}"})
        secret = {"type": "cert", "blob": "b", "user_id": ids["user_id"]}
        ids["credential_id"] = made(api, "/v3/credentials", credential=secret)
        given(api.put(f"/v3/projects/{ids['project_id']}/tags/red"))
        ids["value"] = "red"
        for where in ("projects/{project_id}", "domains/{domain_id}", "system"):
            for who in ("users/{user_id}", "groups/{group_id}"):
                path = f"/v3/{where}/{who}/roles/{{role_id}}".format(**ids)
                given(api.put(path))
        given(api.put("/v3/groups/{group_id}/users/{user_id}".format(**ids)))
        given(api.put("/v3/roles/{role_id}/implies/{implied_role_id}".format(**ids)))

    def image(self, api: Client, ids: dict[str, str]) -> None:
        spec = {"name": "i", "disk_format": "raw", "container_format": "bare", "tags": ["red"]}
        ids["image_id"] = made(api, "/v2/images", **spec)
        self._filled = made(api, "/v2/images", **spec)
        binary = {"content-type": "application/octet-stream"}
        file = f"/v2/images/{self._filled}/file"
        given(api.put(file, body=b"disk" * 1000, headers=binary))
        given(api.post(f"/v2/images/{ids['image_id']}/members", {"member": PROJECT}))
        ids["member_id"] = PROJECT
        kind = {"name": "OS::Nova::Flavor"}
        inside: dict[str, Any] = {"objects": [{"name": "o"}], "tags": [{"name": "t"}]}
        inside |= {"properties": {"p": {"title": "p", "type": "string"}}}
        space = {"namespace": "hw", "visibility": "public", "resource_type_associations": [kind]}
        given(api.post("/v2/metadefs/namespaces", {**space, **inside}))
        ids |= {"namespace_name": "hw", "object_name": "o", "property_name": "p"}
        ids |= {"tag_name": "t", "name": kind["name"]}

    def network(self, api: Client, ids: dict[str, str]) -> None:
        ids["network_id"] = made(api, "/v2.0/networks", network={"name": "n"})
        subnet = {"network_id": ids["network_id"], "cidr": "10.1.0.0/24", "ip_version": 4}
        ids["subnet_id"] = made(api, "/v2.0/subnets", subnet=subnet)
        ids["port_id"] = made(api, "/v2.0/ports", port={"network_id": ids["network_id"]})
        ids["router_id"] = made(api, "/v2.0/routers", router={"name": "r"})
        ids["security_group_id"] = made(api, "/v2.0/security-groups", security_group={"name": "s"})
        rule = {"security_group_id": ids["security_group_id"], "direction": "ingress"}
        ids["security_group_rule_id"] = made(
            api, "/v2.0/security-group-rules", security_group_rule=rule
        )
        outside = {"name": "out", "router:external": True}
        ids["floating_network_id"] = made(api, "/v2.0/networks", network=outside)
        subnet = {"network_id": ids["floating_network_id"], "cidr": "10.2.0.0/24", "ip_version": 4}
        made(api, "/v2.0/subnets", subnet=subnet)
        floating = {"floating_network_id": ids["floating_network_id"]}
        ids["floatingip_id"] = made(api, "/v2.0/floatingips", floatingip=floating)
        shared = {"object_type": "network", "object_id": ids["network_id"], "target_tenant": "x"}
        shared["action"] = "access_as_shared"
        ids["rbac_policy_id"] = made(api, "/v2.0/rbac-policies", rbac_policy=shared)
        ids["object_id"] = ids["network_id"]
        agents = api.get("/v2.0/agents").json()["agents"]
        ids["agent_id"] = agents[0]["id"] if agents else "0"
        ids["alias"] = "router"
        for noun in ("networks", "subnets", "ports", "routers", "floatingips", "security-groups"):
            one = ids[f"{noun.replace('-', '_')[:-1]}_id"]
            given(api.put(f"/v2.0/{noun}/{one}/tags/red"))

    def compute(self, api: Client, ids: dict[str, str]) -> None:
        newest = api.at("compute 2.104")
        ids["image_id"] = ids["imageRef"] = self._filled
        ids["flavor_id"] = ids["flavorRef"] = "1"
        ids["network_id"] = ids["uuid"] = self.ids["network"]["network_id"]
        given(
            api.post("/v2.1/flavors/1/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}})
        )
        spec = {"name": "s", "imageRef": self._filled, "flavorRef": "1"}
        network = {"networks": [{"uuid": ids["network_id"]}]}
        ids["server_id"] = made(newest, "/v2.1/servers", server={**spec, **network})
        self._cloud.work()
        given(newest.post(f"/v2.1/servers/{ids['server_id']}/metadata", {"metadata": {"key": "v"}}))
        given(newest.put(f"/v2.1/servers/{ids['server_id']}/tags/red"))
        ids["key"] = "key"
        zone = {"name": "a", "availability_zone": "z"}
        ids["aggregate_id"] = made(api, "/v2.1/os-aggregates", aggregate=zone)
        ids["host"] = ids["host_name"] = self._cloud.names[0]
        found = newest.get("/v2.1/os-hypervisors").json()["hypervisors"]
        ids["hypervisor_id"] = found[0]["id"]
        ids["service_id"] = newest.get("/v2.1/os-services").json()["services"][0]["id"]
        key = {"name": "k", "public_key": f"ssh-ed25519 {_KEY}", "type": "ssh"}
        given(newest.post("/v2.1/os-keypairs", {"keypair": key}))
        ids["name"], ids["public_key"] = "k", key["public_key"]
        group = {"name": "g", "policy": "affinity"}
        ids["group_id"] = made(newest, "/v2.1/os-server-groups", server_group=group)
        path = f"/v2.1/servers/{ids['server_id']}/os-instance-actions"
        ids["request_id"] = newest.get(path).json()["instanceActions"][0]["request_id"]
        ids |= {"alias": "servers", "version_id": "v2.1", "policy": "affinity"}

    def placement(self, api: Client, ids: dict[str, str]) -> None:
        newest = api.at("placement 1.39")
        found = newest.get("/resource_providers").json()["resource_providers"]
        ids["uuid"], ids["resource_class"] = found[0]["uuid"], "VCPU"
        ids["consumer_uuid"] = self.ids["compute"]["server_id"]
        given(newest.put("/resource_classes/CUSTOM_GOLD"))
        given(newest.put("/traits/CUSTOM_FAST"))
        ids["name"] = "CUSTOM_GOLD"

    def volume(self, api: Client, ids: dict[str, str]) -> None:
        newest = api.at("volume 3.71")
        noted = {"key": "value"}
        volume = {"size": 1, "name": "v", "metadata": noted}
        ids["volume_id"] = ids["volume_uuid"] = made(newest, "/v3/volumes", volume=volume)
        ids["source_volid"] = made(newest, "/v3/volumes", volume={"size": 1})
        offered = made(newest, "/v3/volumes", volume={"size": 1})
        self._cloud.work()
        taken = {"volume_id": ids["volume_id"], "metadata": noted}
        ids["snapshot_id"] = made(newest, "/v3/snapshots", snapshot=taken)
        kept = {"volume_id": ids["source_volid"]}
        ids["backup_id"] = made(newest, "/v3/backups", backup=kept)
        self._cloud.work()
        offer = {"volume_id": offered}
        ids["transfer_id"] = made(newest, "/v3/volume-transfers", transfer=offer)
        wanted = {"volume_uuid": ids["source_volid"]}
        ids["attachment_id"] = made(newest, "/v3/attachments", attachment=wanted)
        specs = {"name": "t", "extra_specs": noted, "os-volume-type-access:is_public": False}
        ids["type_id"] = made(newest, "/v3/types", volume_type=specs)
        ids["qos_id"] = made(newest, "/v3/qos-specs", qos_specs={"name": "q", **noted})
        kind = {"name": "g", "group_specs": noted}
        group_type = made(newest, "/v3/group_types", group_type=kind)
        spec = {"name": "g", "group_type": group_type, "volume_types": [ids["type_id"]]}
        ids["group_id"] = made(newest, "/v3/groups", group=spec)
        ids["host"] = "node1@fake"
        ids |= {"key": "key", "name": "default", "alias": "os-hosts", "new_type": ids["type_id"]}


_MAKERS = {
    "identity": Things.identity,
    "image": Things.image,
    "network": Things.network,
    "compute": Things.compute,
    "placement": Things.placement,
    "volume": Things.volume,
}


def given(answer: Any) -> Any:
    assert answer.status < 300, answer.text
    return answer


def made(api: Client, path: str, **body: Any) -> str:
    """Make something; return its id."""
    answer = given(api.post(path, body)).json()
    inner = answer.get(next(iter(body)), answer)
    return str((inner if isinstance(inner, dict) else answer)["id"])

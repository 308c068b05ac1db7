"""A server in a cloud, what is done with it, and what there is of it."""

from typing import Any

from cumulo.node.drivers.fake import FakeNode
from tests.client import Client
from tests.cloud import Emulated

SMALL, LARGE = "1", "2"


class Mover:
    """A server of p1 in a cloud, and what is done with it."""

    def __init__(self, cloud: Emulated, ann: Client, server: dict[str, Any]) -> None:
        self.cloud, self.ann, self.id = cloud, ann, server["id"]
        self.root = cloud.client("compute", "root:p1:admin")
        self.tools = cloud.cloud.compute

    def do(
        self, action: str, body: Any = None, *, by: Client | None = None, work: bool = True
    ) -> int:
        status = (by or self.ann).post(f"/v2.1/servers/{self.id}/action", {action: body}).status
        if work:
            self.cloud.work()
        return status

    @property
    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self.root.get(f"/v2.1/servers/{self.id}").json()["server"]
        return found

    @property
    def status(self) -> str:
        shown = self.shown
        assert shown["OS-EXT-STS:task_state"] is None
        return str(shown["status"])

    @property
    def host(self) -> str:
        return str(self.shown["OS-EXT-SRV-ATTR:host"])

    @property
    def node(self) -> FakeNode:
        return self.cloud.nodes[self.host]

    def guests(self) -> dict[str, str]:
        """Return the power of the server's guests by host."""
        found = {name: node.guests().get(self.id) for name, node in self.cloud.nodes.items()}
        return {name: guest.power for name, guest in found.items() if guest is not None}

    def held(self) -> int:
        """Return the memory that is held on all hosts, for whoever."""
        providers = self.cloud.client("placement", "root:p1:admin")
        total = 0
        for one in providers.get("/resource_providers").json()["resource_providers"]:
            used = providers.get(f"/resource_providers/{one['uuid']}/usages").json()["usages"]
            total += used.get("MEMORY_MB", 0)
        return total

    def counted(self) -> tuple[int, int]:
        used = self.ann.get("/v2.1/limits").json()["limits"]["absolute"]
        return used["totalCoresUsed"], used["totalRAMUsed"]


def mover_in(cloud: Emulated, image: str, network: str) -> Mover:
    ann = cloud.client("compute")
    spec = {"name": "web", "flavorRef": SMALL, "imageRef": image, "networks": [{"uuid": network}]}
    server = ann.post("/v2.1/servers", {"server": spec}).json()["server"]
    cloud.work()
    return Mover(cloud, ann, server)

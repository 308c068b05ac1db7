from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.mover import Mover, mover_in

Boot: TypeAlias = Callable[..., dict[str, Any]]
DISK = b"a disk that no firmware would start from" + bytes(4096)


@pytest.fixture
def ann(emulated: Emulated) -> Client:
    """A member of project p1."""
    return emulated.client("compute")


@pytest.fixture
def root(emulated: Emulated) -> Client:
    """An administrator of another project."""
    return emulated.client("compute", "root:p0:admin")


@pytest.fixture
def image(emulated: Emulated) -> str:
    """A public image that servers start from."""
    return image_in(emulated)


def image_in(emulated: Emulated) -> str:
    """Make a public image that servers start from."""
    images = emulated.client("image", "root:p0:admin")
    wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
    image_id = images.post("/v2/images", {**wanted, "visibility": "public"}).json()["id"]
    put = images.request(
        "PUT",
        f"/v2/images/{image_id}/file",
        body=DISK,
        headers={"content-type": "application/octet-stream"},
    )
    assert put.status == 204
    return str(image_id)


@pytest.fixture
def network(emulated: Emulated) -> str:
    """A network of p1 with a subnet."""
    client = emulated.client("network")
    made = client.post("/v2.0/networks", {"network": {"name": "private"}}).json()["network"]
    subnet = {"network_id": made["id"], "cidr": "10.1.0.0/24", "ip_version": 4}
    assert client.post("/v2.0/subnets", {"subnet": subnet}).status == 201
    return str(made["id"])


@pytest.fixture
def boot(emulated: Emulated, ann: Client, image: str, network: str) -> Boot:
    """Boots a server of p1 and returns it with its details once all work is done."""

    def boot_one(**wanted: Any) -> dict[str, Any]:
        spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
        answer = ann.post("/v2.1/servers", {"server": {**spec, **wanted}})
        assert answer.status == 202, answer.text
        emulated.work()
        shown = ann.get(f"/v2.1/servers/{answer.json()['server']['id']}").json()["server"]
        assert isinstance(shown, dict)
        return shown

    return boot_one


@pytest.fixture
def one(emulated: Emulated, image: str, network: str) -> Mover:
    """A server of p1."""
    return mover_in(emulated, image, network)

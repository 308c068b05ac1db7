"""The image service as tests hold it: its edge, its files, its worker."""

import dataclasses
from typing import Any

from cumulo.auth import Policy
from cumulo.services.image.api import FAMILY, OPERATIONS
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.policy import RULES
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import WORKFLOWS
from cumulo.web.edge import Api, Edge
from cumulo.work import Worker
from tests.client import Answer, Client, authenticate

MIB = 1 << 20
BYTES = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OLD_PATCH = {"Content-Type": "application/openstack-images-v2.0-json-patch"}


class Service:
    def __init__(self, tools: ImageTools) -> None:
        self.tools = tools
        api = Api(
            name="image",
            port=9292,
            operations=OPERATIONS,
            policy=Policy(RULES),
            family=FAMILY,
            tools=tools,
            slash_counts=True,
        )
        self.edge = Edge(api, tools.db, authenticate)

    def client(self, token: str | None) -> Client:
        return Client(self.edge, token)

    def limited(self, **limits: int) -> "Service":
        """Return the same service with other limits."""
        changed = {**{n: getattr(self.tools.image_limits, n) for n in _NAMES}, **limits}
        return Service(dataclasses.replace(self.tools, image_limits=ImageLimits(**changed)))

    def work(self) -> None:
        """Let every workflow run to its end."""
        Worker(self.tools.db, WORKFLOWS, self.tools).run_pending()

    def files(self) -> list[str]:
        """Return what lies in the store."""
        return sorted(one.image_id for one in self.tools.images.present())


_NAMES = ImageLimits.__struct_fields__


def create(client: Client, **fields: Any) -> str:
    """Create an image record; return its id."""
    given = {"name": "img", "disk_format": "raw", "container_format": "bare", **fields}
    answer = client.post("/v2/images", given)
    assert answer.status == 201, answer.text
    image_id: str = answer.json()["id"]
    return image_id


def upload(client: Client, image_id: str, content: bytes, **headers: str) -> Answer:
    url = f"/v2/images/{image_id}/file"
    return client.put(url, body=content, headers={**BYTES, **headers})


def active(client: Client, content: bytes = b"disk" * 1000, **fields: Any) -> str:
    """Create an image with data; return its id."""
    image_id = create(client, **fields)
    answer = upload(client, image_id, content)
    assert answer.status == 204, answer.text
    return image_id


def show(client: Client, image_id: str) -> Any:
    answer = client.get(f"/v2/images/{image_id}")
    assert answer.status == 200, answer.text
    return answer.json()


def names(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/v2/images{query}")
    assert answer.status == 200, answer.text
    return [image["name"] for image in answer.json()["images"]]


def patch(client: Client, image_id: str, *changes: dict[str, Any]) -> Answer:
    return client.patch(f"/v2/images/{image_id}", list(changes), headers=PATCH)

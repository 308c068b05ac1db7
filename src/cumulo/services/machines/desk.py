"""What members may ask of the cloud: each only what has to do with its own guests."""

import http.client
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound, Unavailable
from cumulo.node.certificates import Authority
from cumulo.node.controller import ImageFacts, Membership, MetadataAnswer, MetadataQuestion
from cumulo.node.signatures import NETWORK, PEER, SIGNATURE, sign
from cumulo.services.image import public as images
from cumulo.services.machines import machines

_PIECE = 8 << 20
_ANSWER = 4 << 20
_TIMEOUT_S = 30.0
_METHODS = ("GET", "HEAD", "POST", "PUT")


@dataclass(frozen=True, kw_only=True)
class DeskTools:
    """What the desk is given to work with."""

    db: Database
    authority: Authority
    own: str  # the name of the machine that the cloud began with
    controller: str  # the name in the controller's certificate
    port: int
    southbound_port: int
    images: Path
    metadata: tuple[str, int]  # where the metadata API listens
    secret: bytes  # that requests to it are signed with
    uses_image: Callable[[Tx, str, str], bool]  # does a host have use for an image?
    has_network: Callable[[Tx, str, str], bool]  # does a host have guests in a network?


class Entrance:
    """The door, to whoever is not a member yet."""

    def __init__(self, tools: DeskTools) -> None:
        self._tools = tools

    def authority(self) -> str:
        """Return the certificate of the cloud's authority."""
        return self._tools.authority.certificate

    def join(self, token: str, name: str, address: str, port: int, request: str) -> Membership:
        """Let a machine in that has a token."""
        tools = self._tools
        applicant = machines.Applicant(name=name, address=address, port=port, request=request)
        certificate = tools.db.write(machines.admit, tools.authority, tools.own, token, applicant)
        return Membership(
            name=name,
            certificate=certificate,
            controller=tools.controller,
            port=tools.port,
            southbound_port=tools.southbound_port,
        )


class Desk:
    """What one member may ask; who it is was told by its certificate, not by itself."""

    def __init__(self, tools: DeskTools, host: str) -> None:
        self._tools, self._host = tools, host

    def renew(self, request: str) -> str:
        """Return another certificate for this host's key, before the one it has ends."""
        return self._tools.db.read(machines.renew, self._tools.authority, self._host, request)

    def image_facts(self, image_id: str) -> ImageFacts:
        """Return what an image must be."""
        return self._tools.db.read(self._facts, image_id)

    def read_image(self, image_id: str, offset: int, length: int) -> bytes:
        """Return a piece of an image."""
        if offset < 0 or not 0 < length <= _PIECE:
            raise Invalid(f"A piece has 1 to {_PIECE} bytes.", field="length")
        self._tools.db.read(self._facts, image_id)
        try:
            with images.path_of(self._tools.images, image_id).open("rb") as file:
                os.utime(file.fileno())  # a copy that is being read is kept
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            raise NotFound(f"Image {image_id} has gone.", image_id=image_id) from None

    def answer_metadata(self, question: MetadataQuestion) -> MetadataAnswer:
        """Answer a guest of this host, as the metadata API does."""
        tools = self._tools
        if not tools.db.read(tools.has_network, self._host, question.network_id):
            raise NotFound(f"{self._host} has no guest in network {question.network_id}.")
        if question.method not in _METHODS:
            raise Invalid(f"{question.method} is not asked of metadata.", field="method")
        signature = sign(tools.secret, question.network_id, question.address)
        headers = {
            **question.headers,
            NETWORK: question.network_id,
            PEER: question.address,
            SIGNATURE: signature,
            "Content-Length": str(len(question.body)),
            "Connection": "close",
        }
        api = http.client.HTTPConnection(*tools.metadata, timeout=_TIMEOUT_S)
        try:
            api.request(question.method, question.path, question.body, headers)
            answer = api.getresponse()
            body = answer.read(_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"The metadata API is away: {error}") from error
        finally:
            api.close()
        if len(body) > _ANSWER:
            raise Conflict("The answer is too long.")
        return MetadataAnswer(status=answer.status, headers=answer.getheaders(), body=body)

    def _facts(self, tx: Tx, image_id: str) -> ImageFacts:
        image = images.find_image(tx, images.as_the_cloud(), image_id)
        if image is None or not self._tools.uses_image(tx, self._host, image_id):
            raise NotFound(f"{self._host} has no use for an image {image_id}.", image_id=image_id)
        return ImageFacts(size=image.size, algorithm=image.os_hash_algo, digest=image.os_hash_value)

"""The metadata service, as guests ask it for what they are: an API of its own."""

import posixpath
from typing import TypeAlias

from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.node.signatures import NETWORK, PEER, SIGNATURE
from cumulo.services.compute import ec2_metadata, instance_metadata
from cumulo.services.compute.instance_metadata import LATEST, InstanceMetadata
from cumulo.services.compute.metadata_requests import MetadataTools, check_signed, metadata_at
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes, Upload

Call: TypeAlias = _Call[MetadataTools]
routes = Routes()
_POSTED = "password"
_LONGEST_PASSWORD = 1020
_TEXT = "text/plain; charset=UTF-8"
_JSON = ("meta_data.json", "vendor_data.json", "vendor_data2.json")


@routes.get("/", policy=None)
def list_ec2_versions(call: Call) -> Reply:
    """List the versions of EC2's metadata."""
    return _text(_lines(*ec2_metadata.VERSIONS, LATEST))


@routes.get("/{path:path}", policy=None)
def show_metadata(call: Call, path: str) -> Reply:
    """Tell a guest what it asks about itself."""
    metadata = _asking(call)
    parts = _parts(path)
    told = _openstack(metadata, parts[1:]) if parts[0] == "openstack" else _ec2(metadata, parts)
    if told is None:
        raise NotFound("There is nothing of this name.")
    return Reply(told, content_type="application/json") if parts[-1] in _JSON else _text(told)


@routes.post("/{path:path}", policy=None)
def post_password(call: Call, path: str, body: Upload) -> None:
    """Keep the password that a guest made up and encrypted, once."""
    metadata = _asking(call)
    parts = _parts(path)
    if parts[0] != "openstack" or len(parts) != 3 or parts[2] != _POSTED:
        raise NotFound("There is nothing of this name.")
    if instance_metadata.document(metadata, parts[1], _POSTED) is None:
        raise NotFound("There is nothing of this name.")
    password = b"".join(body)
    if len(password) > _LONGEST_PASSWORD or not password.isascii():
        raise Invalid(f"The password must be at most {_LONGEST_PASSWORD} ASCII characters.")
    if not call.db.write(call.tools.set_password, metadata.id, password.decode()):
        raise Conflict("The password has been set already.")
    call.tools.memory.forget(metadata.id)


OPERATIONS = routes.operations


def _asking(call: Call) -> InstanceMetadata:
    """Return the metadata of the guest that asks, as a host of this cloud vouches for it."""
    network_id, address, signature = (
        call.headers.get(name.lower(), "") for name in (NETWORK, PEER, SIGNATURE)
    )
    check_signed(call.tools.secret, network_id, address, signature)
    return call.db.read(metadata_at, call.tools, network_id, address)


def _parts(path: str) -> list[str]:
    """Return the steps of a path, however many slashes a client puts between them."""
    steps = posixpath.normpath(f"/{path}").strip("/").split("/")
    return steps[1:] or [""] if steps[0] == "ec2" else steps


def _openstack(metadata: InstanceMetadata, steps: list[str]) -> bytes | None:
    if not steps:
        today = clock.now().date().isoformat()
        known = [version for version in instance_metadata.VERSIONS if version <= today]
        return _lines(*known, LATEST)
    if steps[0] == instance_metadata.CONTENT:
        return instance_metadata.content(metadata, steps[1]) if len(steps) == 2 else None
    if len(steps) > 2 or steps[0] not in (*instance_metadata.VERSIONS, LATEST):
        return None
    if len(steps) == 1:
        return _lines(*instance_metadata.listing(metadata, steps[0]))
    return instance_metadata.document(metadata, *steps)


def _ec2(metadata: InstanceMetadata, steps: list[str]) -> bytes | None:
    if steps == [""]:
        return _lines(*ec2_metadata.VERSIONS, LATEST)
    return ec2_metadata.found(metadata, steps)


def _lines(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def _text(text: bytes) -> Reply:
    return Reply(text, content_type=_TEXT)

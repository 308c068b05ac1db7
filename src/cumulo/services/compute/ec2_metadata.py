"""What a guest may know of itself, as EC2's tree tells it."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from cumulo.services.compute.instance_metadata import LATEST, InstanceMetadata

VERSIONS: Sequence[str] = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10"),
    *("2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04"),
)

# A leaf is text, bytes or a list of lines; `=name` in a branch is how its parent lists it.
Tree: TypeAlias = Mapping[str, "Leaf | Tree"]
Leaf: TypeAlias = str | bytes | list[str]
_LISTED_AS = "="


def tree(metadata: InstanceMetadata, version: str) -> Tree | None:
    """Return all a version tells, or None for a version that never was."""
    version = VERSIONS[-1] if version == LATEST else version
    if version not in VERSIONS:
        return None
    told: dict[str, Leaf | Tree] = {"meta-data": _meta_data(metadata, version)}
    if metadata.user_data is not None:
        told["user-data"] = metadata.user_data
    return told


def found(metadata: InstanceMetadata, path: Sequence[str]) -> bytes | None:
    """Return what is told at a path below the root, a branch as a list of what is in it."""
    node: Leaf | Tree | None = tree(metadata, path[0])
    for name in path[1:]:
        node = node.get(name) if isinstance(node, Mapping) and name != _LISTED_AS else None
    return None if node is None else shown(node)


def shown(node: Leaf | Tree) -> bytes:
    """Return a leaf as it is and a branch as the names in it."""
    if isinstance(node, bytes):
        return node
    if isinstance(node, str):
        return node.encode()
    if isinstance(node, list):
        return "\n".join(node).encode()
    return "\n".join(_listed(name, node[name]) for name in sorted(node) if name != "=").encode()


def ec2_id(kind: str, uuid: str) -> str:
    """Return the id by which EC2 knows what OpenStack knows by a UUID: i-0123abcd."""
    return f"{kind}-{uuid[:8]}"


def _listed(name: str, node: Leaf | Tree) -> str:
    if not isinstance(node, Mapping):
        return name
    own = node.get(_LISTED_AS)
    return own if isinstance(own, str) else f"{name}/"


def _meta_data(metadata: InstanceMetadata, version: str) -> Tree:
    fixed = [a for port in metadata.ports for a in port.addresses if a.version == 4]
    floating = [address.floating for address in fixed if address.floating]
    told: dict[str, Leaf | Tree] = {
        "ami-id": ec2_id("ami", metadata.image_id) if metadata.image_id else "None",
        "ami-launch-index": str(metadata.launch_index),
        "ami-manifest-path": "FIXME",  # what clients have always found there
        "instance-id": ec2_id("i", metadata.id),
        "hostname": metadata.hostname,
        "local-ipv4": fixed[0].address if fixed else "",
        "reservation-id": metadata.reservation_id,
        "security-groups": metadata.security_groups,
    }
    if metadata.key is not None:
        listed = {_LISTED_AS: f"0={metadata.key.name}"}
        told["public-keys"] = {"0": {**listed, "openssh-key": metadata.key.public_key}}
    if version >= "2007-01-19":
        told["local-hostname"] = told["public-hostname"] = metadata.hostname
        told["public-ipv4"] = floating[0] if floating else ""
    if version >= "2007-08-29":
        told["instance-type"] = metadata.flavor_name
    if version >= "2007-12-15":
        told["block-device-mapping"] = metadata.block_devices
        if metadata.kernel_id:
            told["kernel-id"] = ec2_id("aki", metadata.kernel_id)
        if metadata.ramdisk_id:
            told["ramdisk-id"] = ec2_id("ari", metadata.ramdisk_id)
    if version >= "2008-02-01":
        told["placement"] = {"availability-zone": metadata.availability_zone or ""}
    if version >= "2008-09-01":
        told["instance-action"] = "none"
    return told

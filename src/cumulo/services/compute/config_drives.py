"""The files of a config drive, which tells a guest what the metadata service would."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.services.compute import ec2_metadata, instance_metadata
from cumulo.services.compute.instance_metadata import LATEST, InstanceMetadata

_EC2_VERSIONS = (ec2_metadata.VERSIONS[-1], LATEST)  # as Nova's default leaves out the older ones


def files(metadata: InstanceMetadata) -> dict[str, bytes]:
    """Return what is on the drive, by path."""
    return {**_openstack(metadata), **_ec2(metadata)}


def _openstack(metadata: InstanceMetadata) -> dict[str, bytes]:
    found = {
        f"openstack/{instance_metadata.CONTENT}/{index:04d}": file.contents
        for index, file in enumerate(metadata.files)
    }
    for version in (*instance_metadata.VERSIONS, LATEST):
        for name in instance_metadata.listing(metadata, version):
            text = instance_metadata.document(metadata, version, name)
            # A drive cannot be written to, so it has no place for a password.
            if text is not None and name != "password":
                found[f"openstack/{version}/{name}"] = text
    return found


def _ec2(metadata: InstanceMetadata) -> dict[str, bytes]:
    found = {}
    for version in _EC2_VERSIONS:
        told = ec2_metadata.tree(metadata, version)
        assert told is not None
        found[f"ec2/{version}/meta-data.json"] = msgspec.json.encode(_plain(told["meta-data"]))
        if metadata.user_data is not None:
            found[f"ec2/{version}/user-data"] = metadata.user_data
    return found


def _plain(node: Any) -> Any:
    """Return a branch without what only says how it is listed."""
    if not isinstance(node, Mapping):
        return node
    return {name: _plain(value) for name, value in node.items() if name != "="}

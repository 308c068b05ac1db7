"""What opens the volumes of guests, as libvirt hands it to QEMU.

libvirtd keeps it in a directory of root's, so that guests start again when the controller is
away, and gives it to nobody who asks.
"""

import base64
import contextlib
from collections.abc import Iterable
from typing import TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.node.api import Volume
from cumulo.node.drivers.libvirt_domain import secret_id

Connection: TypeAlias = "libvirt.virConnect"
# What libvirt calls whom a secret of ours is for.
_USAGES = {"ceph": ("ceph", "name"), "luks": ("volume", "volume")}


def ensure(connection: Connection, guest_id: str, volumes: Iterable[Volume]) -> None:
    """Let libvirt know what opens the volumes of a guest, as far as it is told here."""
    for volume in volumes:
        for kind, value in volume.secrets.items():
            definition = _definition(guest_id, volume.volume_id, kind)
            # libvirt spells Ceph's keys itself, and knows them as the bytes that they are.
            told = base64.b64decode(value) if kind == "ceph" else value.encode()
            connection.secretDefineXML(definition).setValue(told)


def forget(connection: Connection, guest_id: str, volumes: Iterable[Volume]) -> None:
    """Let libvirt forget what opens volumes that a guest has no more."""
    for volume in volumes:
        for kind in _USAGES:
            with contextlib.suppress(libvirt.libvirtError):  # it never knew it
                name = secret_id(guest_id, volume.volume_id, kind)
                connection.secretLookupByUUIDString(name).undefine()


def _definition(guest_id: str, volume_id: str, kind: str) -> str:
    usage, tag = _USAGES[kind]
    secret = ElementTree.Element("secret", ephemeral="no", private="yes")
    ElementTree.SubElement(secret, "uuid").text = secret_id(guest_id, volume_id, kind)
    purpose = ElementTree.SubElement(secret, "usage", type=usage)
    ElementTree.SubElement(purpose, tag).text = f"{guest_id}/{volume_id}"
    return ElementTree.tostring(secret, "unicode")

"""Servers as changing them answered before 2.75: with less than showing them does."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.services.compute.api.links import Link
from cumulo.services.compute.api.server_views import Fault, FlavorView, Ref, ServerView
from cumulo.web import since


class BriefAddress(msgspec.Struct):
    """An address of a server."""

    version: int
    addr: str


class BriefView(msgspec.Struct, kw_only=True):
    """A server after a change."""

    id: str
    name: str
    status: str
    tenant_id: str
    user_id: str
    metadata: dict[str, str]
    host_id: str = msgspec.field(name="hostId")
    image: Ref | str
    flavor: FlavorView
    created: str
    updated: str
    addresses: dict[str, list[BriefAddress]]
    access_ip_v4: str = msgspec.field(name="accessIPv4")
    access_ip_v6: str = msgspec.field(name="accessIPv6")
    links: list[Link]
    disk_config: str = msgspec.field(name="OS-DCF:diskConfig")
    progress: int | UnsetType = UNSET
    fault: Fault | UnsetType = UNSET
    locked: Annotated[bool, since("2.9")] = False
    description: Annotated[str | None, since("2.19")] = None
    tags: Annotated[list[str], since("2.26")] = []
    trusted_image_certificates: Annotated[None, since("2.63")] = None
    server_groups: Annotated[list[str] | UnsetType, since("2.71")] = UNSET
    locked_reason: Annotated[str | None, since("2.73")] = None


class BriefRebuiltView(BriefView, kw_only=True):
    """A server after a rebuild."""

    key_name: Annotated[str | None, since("2.54")] = None
    user_data: Annotated[str | None, since("2.57")] = None
    admin_pass: str | UnsetType = msgspec.field(name="adminPass", default=UNSET)


def brief(view: ServerView) -> BriefView:
    """Leave out what a change did not answer."""
    addresses = {
        network: [BriefAddress(one.version, one.addr) for one in found]
        for network, found in view.addresses.items()
    }
    kept = {name: getattr(view, name) for name in BriefView.__struct_fields__}
    return BriefView(**{**kept, "addresses": addresses})


def brief_rebuilt(view: ServerView, user_data: str | None, password: str) -> BriefRebuiltView:
    """Leave out what a rebuild did not answer."""
    return BriefRebuiltView(
        **msgspec.structs.asdict(brief(view)),
        key_name=view.key_name,
        user_data=user_data,
        admin_pass=password,
    )

"""Members: sharing an image with projects."""

from typing import Annotated

import msgspec
from msgspec import Meta

from cumulo.kit.clock import iso_z
from cumulo.services.image import members
from cumulo.services.image.members import Member
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Routes

routes = Routes()
_MEMBERS = "/v2/images/{image_id}/members"


class MemberSpec(msgspec.Struct):
    """The project to share an image with."""

    member: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[^\x00]*\Z")]


class Answer(msgspec.Struct):
    """What a project says to an image that is shared with it."""

    status: str


class MemberView(msgspec.Struct, kw_only=True):
    """A project that an image is shared with."""

    member_id: str
    image_id: str
    status: str
    created_at: str
    updated_at: str
    schema: str = "/v2/schemas/member"


class MembersView(msgspec.Struct):
    """All projects that an image is shared with."""

    members: list[MemberView]
    schema: str = "/v2/schemas/members"


@routes.get(_MEMBERS, policy="get_members")
def list_members(call: Call[ImageTools], image_id: str) -> MembersView:
    """List the projects that an image is shared with."""
    found = call.db.read(members.members_visible, call.ctx, image_id)
    return MembersView([_show(member) for member in found])


@routes.post(_MEMBERS, policy="add_member")
def create_member(call: Call[ImageTools], image_id: str, body: MemberSpec) -> MemberView:
    """Share an image with a project."""
    limits = call.tools.image_limits
    return _show(call.db.write(members.new_member, call.ctx, image_id, body.member, limits))


@routes.get(f"{_MEMBERS}/{{member_id}}", policy="get_member")
def show_member(call: Call[ImageTools], image_id: str, member_id: str) -> MemberView:
    """Show whether a project has accepted an image."""
    return _show(call.db.read(members.member_visible, call.ctx, image_id, member_id))


@routes.put(f"{_MEMBERS}/{{member_id}}", policy="modify_member")
def update_member(
    call: Call[ImageTools], image_id: str, member_id: str, body: Answer
) -> MemberView:
    """Accept or reject an image that is shared with the caller's project."""
    answer = (image_id, member_id, body.status)
    return _show(call.db.write(members.set_member_status, call.ctx, *answer))


@routes.delete(f"{_MEMBERS}/{{member_id}}", policy="delete_member", status=204)
def delete_member(call: Call[ImageTools], image_id: str, member_id: str) -> None:
    """Stop sharing an image with a project."""
    call.db.write(members.delete_member, call.ctx, image_id, member_id)


def _show(member: Member) -> MemberView:
    return MemberView(
        member_id=member.member_id,
        image_id=member.image_id,
        status=member.status,
        created_at=iso_z(member.created_at),
        updated_at=iso_z(member.updated_at),
    )

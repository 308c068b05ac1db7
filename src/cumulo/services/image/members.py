"""Members: sharing an image with a project, which may accept it into its lists or not."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota
from cumulo.services.image.images import Image, image_visible
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import members as store
from cumulo.services.image.store.members import Member as Member
from cumulo.work import events

STATUSES = ("pending", "accepted", "rejected")


def members_visible(tx: Tx, ctx: Context, image_id: str) -> list[Member]:
    """Return all members to the owner, to a member only itself."""
    image = _shared(tx, ctx, image_id, f"Not allowed to list members for image {image_id}: ")
    own = _target(ctx, image)
    if not ctx.may("get_members", **own):
        raise Forbidden(f"Not allowed to list members for image {image_id}.")
    found = store.member_list(tx, image_id)
    if ctx.is_admin or image.owner == ctx.project_id:
        return found
    return [member for member in found if member.member_id == ctx.project_id]


def member_visible(tx: Tx, ctx: Context, image_id: str, member_id: str) -> Member:
    """Return a member to the owner or to the member; to others it does not exist."""
    image = _image(tx, ctx, image_id)
    if image.visibility != "shared":
        raise NotFound("Only shared images have members.")
    return _member(tx, ctx, image, member_id)


def new_member(tx: Tx, ctx: Context, image_id: str, member_id: str, limits: ImageLimits) -> Member:
    """Offer an image to a project."""
    refusal = f"Not allowed to create members for image {image_id}."
    image = _shared(tx, ctx, image_id, refusal, says_why=False)
    if not ctx.may("add_member", **_target(ctx, image)):
        raise Forbidden(refusal)
    if store.member_find(tx, image_id, member_id) is not None:
        raise Conflict(f"Member {member_id} is duplicated for image {image_id}")
    most, attempted = limits.image_member_quota, store.member_count(tx, image_id) + 1
    if 0 <= most < attempted:
        raise OverQuota(
            f"Image member limit exceeded for image {image_id}: The limit has been exceeded on "
            "the number of allowed image members for this image. "
            f"Attempted: {attempted}, Maximum: {most}:"
        )
    moment = now()
    member = Member(
        image_id=image_id,
        member_id=member_id,
        status="pending",
        created_at=moment,
        updated_at=moment,
    )
    store.member_insert(tx, member)
    _record(tx, ctx, image, "create", None, member)
    return member


def set_member_status(tx: Tx, ctx: Context, image_id: str, member_id: str, status: str) -> Member:
    """Record whether the project accepts the image; only the project itself may answer."""
    refusal = f"Not allowed to update members for image {image_id}."
    image = _shared(tx, ctx, image_id, refusal, says_why=False)
    if not ctx.is_admin and image.owner == ctx.project_id:
        raise Forbidden(refusal)
    member = _member(tx, ctx, image, member_id)
    if not ctx.may("modify_member", **_target(ctx, image, member)):
        raise Forbidden(refusal)
    if status not in STATUSES:
        raise Invalid('Incorrect request: Status must be "pending", "accepted" or "rejected".')
    store.member_set_status(tx, image_id, member_id, status)
    after = _member(tx, ctx, image, member_id)
    _record(tx, ctx, image, "update", member, after)
    return after


def delete_member(tx: Tx, ctx: Context, image_id: str, member_id: str) -> None:
    """Stop sharing an image with a project."""
    refusal = f"Not allowed to delete members for image {image_id}."
    image = _shared(tx, ctx, image_id, refusal, says_why=False)
    if not ctx.may("delete_member", **_target(ctx, image)):
        raise Forbidden(refusal)
    member = _member(tx, ctx, image, member_id)
    store.member_delete(tx, image_id, member_id)
    _record(tx, ctx, image, "delete", member, None)


def _image(tx: Tx, ctx: Context, image_id: str) -> Image:
    try:
        return image_visible(tx, ctx, image_id)
    except NotFound as error:
        raise NotFound(f"Image {image_id} not found.", image_id=image_id) from error


def _shared(tx: Tx, ctx: Context, image_id: str, refusal: str, *, says_why: bool = True) -> Image:
    image = _image(tx, ctx, image_id)
    if image.visibility != "shared":
        raise Forbidden(f"{refusal}Only shared images have members." if says_why else refusal)
    return image


def _member(tx: Tx, ctx: Context, image: Image, member_id: str) -> Member:
    found = store.member_find(tx, image.id, member_id)
    if found is not None and ctx.may("get_member", **_target(ctx, image, found)):
        return found
    raise NotFound(f"{member_id} not found in the member list of the image {image.id}.")


def _target(ctx: Context, image: Image, member: Member | None = None) -> dict[str, object]:
    """Return what rules may know; without one member, the caller's own membership counts."""
    return {
        "project_id": image.owner,
        "owner": image.owner,
        "visibility": image.visibility,
        "member_id": member.member_id if member else ctx.project_id,
    }


def _record(
    tx: Tx, ctx: Context, image: Image, action: str, before: Member | None, after: Member | None
) -> None:
    events.record(
        tx,
        ctx,
        resource="image_member",
        resource_id=image.id,
        action=action,
        before=before,
        after=after,
        project_id=image.owner,
    )

"""Images: what may be done with them, by whom, and what follows."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import LostRace, Tx, quota
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota
from cumulo.kit.ids import new_id
from cumulo.kit.units import MIB, ceil_div
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import images as store
from cumulo.services.image.store.image_list import Page, Viewer, Wanted, image_list
from cumulo.services.image.store.images import Image as Image
from cumulo.services.image.store.images import Status as Status
from cumulo.services.image.store.images import Visibility as Visibility
from cumulo.services.image.store.members import member_find
from cumulo.work import events

CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DISK_FORMATS = (
    "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop",
)  # fmt: skip
UNFINISHED: tuple[Status, ...] = ("saving", "uploading", "importing")
VISIBILITIES = ("community", "public", "private", "shared")


class ImageSpec(msgspec.Struct, kw_only=True):
    """What a client says about an image it wants."""

    id: str | None = None
    name: str | None = None
    owner: str | None = None
    visibility: Visibility = "shared"
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    os_hidden: bool = False
    tags: list[str] = []
    properties: dict[str, str] = {}


Value: TypeAlias = str | int | bool | list[str] | None


class Change(msgspec.Struct, frozen=True):
    """One step of an update; `strict` refuses to add what is there."""

    op: Literal["add", "replace", "remove"]
    name: str
    value: Value = None
    strict: bool = False


FIELDS = frozenset(ImageSpec.__struct_fields__) - {"id", "properties"}


def image_visible(tx: Tx, ctx: Context, image_id: str) -> Image:
    """Return an image the caller may know of; to anyone else it does not exist."""
    image = store.image_find(tx, image_id)
    if image is not None:
        member = _is_member(tx, ctx, image)
        if _is_shown(ctx, image, member=member) and ctx.may("get_image", **target(ctx, image)):
            return image
    raise NotFound(f"No image found with ID {image_id}", image_id=image_id)


def target(ctx: Context, image: Image) -> dict[str, object]:
    """Return what rules may know of an image; whose member the caller is was checked before."""
    return {
        "project_id": image.owner,
        "owner": image.owner,
        "visibility": image.visibility,
        "member_id": ctx.project_id if image.visibility == "shared" else None,
    }


def require(ctx: Context, rule: str, image: Image) -> None:
    """Refuse what the caller may not do with an image that it may see."""
    ctx.require(rule, **target(ctx, image))


def images_visible(
    tx: Tx, ctx: Context, member_status: str, wanted: Wanted, page: Page
) -> list[Image]:
    """Return a page of the images the caller may know of."""
    viewer = Viewer(project_id=ctx.project_id, is_admin=ctx.is_admin, member_status=member_status)
    found = image_list(tx, viewer, wanted, page)
    return [image for image in found if ctx.may("get_image", **target(ctx, image))]


def new_image(tx: Tx, ctx: Context, spec: ImageSpec, limits: ImageLimits) -> Image:
    """Record an image that has no bytes yet."""
    owner = spec.owner if spec.owner is not None else ctx.project_id
    facts = {"project_id": owner, "owner": owner, "visibility": spec.visibility}
    if not ctx.may("add_image", **facts) and owner != ctx.project_id:
        raise Forbidden(f"You are not permitted to create images owned by '{owner}'")
    ctx.require("add_image", **facts)
    _require_visibility(ctx, spec.visibility, facts)
    _check_sizes(spec.min_disk, spec.min_ram)
    _check_counts(len(spec.properties), len(set(spec.tags)), limits)
    image_id = spec.id or new_id()
    if store.image_taken(tx, image_id):
        raise Conflict(f"Image ID {image_id} already exists!", image_id=image_id)
    _claim(tx, owner, "image_count_total", 1, limits)
    moment = now()
    image = Image(
        id=image_id,
        name=spec.name,
        status="queued",
        visibility=spec.visibility,
        owner=owner,
        disk_format=spec.disk_format,
        container_format=spec.container_format,
        min_disk=spec.min_disk,
        min_ram=spec.min_ram,
        protected=spec.protected,
        os_hidden=spec.os_hidden,
        created_at=moment,
        updated_at=moment,
        properties=spec.properties,
        tags=sorted(set(spec.tags)),
    )
    store.image_insert(tx, image)
    _record(tx, ctx, "create", after=image)
    return image


def update_image(
    tx: Tx, ctx: Context, image_id: str, changes: Iterable[Change], limits: ImageLimits
) -> Image:
    """Apply changes in order; all of them or none."""
    before = image_visible(tx, ctx, image_id)
    image = before
    for change in changes:
        _may_change(ctx, image, change)
        image = _changed(image, change)
    # Shrinking what an operator's lower limit made too many stays possible.
    if len(image.properties) > len(before.properties) or len(image.tags) > len(before.tags):
        _check_counts(len(image.properties), len(image.tags), limits)
    if image == before:
        return before
    _check_sizes(image.min_disk, image.min_ram)
    _write(tx, before, image)
    after = image_visible_again(tx, image_id)
    _record(tx, ctx, "update", before=before, after=after)
    return after


def image_visible_again(tx: Tx, image_id: str) -> Image:
    """Return an image whose visibility this transaction has checked."""
    image = store.image_find(tx, image_id)
    if image is None:
        raise NotFound(f"No image found with ID {image_id}", image_id=image_id)
    return image


def add_tag(tx: Tx, ctx: Context, image_id: str, tag: str, limits: ImageLimits) -> None:
    """Give an image a tag, or find that it has it."""
    image = image_visible(tx, ctx, image_id)
    require(ctx, "modify_image", image)
    if tag in image.tags:
        return
    _check_counts(0, len(image.tags) + 1, limits)
    store.tag_add(tx, image_id, tag)
    store.image_update(tx, image_id)
    _record(tx, ctx, "update", before=image, after=image_visible_again(tx, image_id))


def remove_tag(tx: Tx, ctx: Context, image_id: str, tag: str) -> None:
    """Take a tag from an image that has it."""
    image = image_visible(tx, ctx, image_id)
    require(ctx, "modify_image", image)
    if not store.tag_remove(tx, image_id, tag):
        raise NotFound("The resource could not be found.")
    store.image_update(tx, image_id)
    _record(tx, ctx, "update", before=image, after=image_visible_again(tx, image_id))


def deactivate_image(tx: Tx, ctx: Context, image_id: str) -> None:
    """Let nobody but administrators read an image's bytes; servers cannot start from it."""
    _switch(tx, ctx, image_id, "deactivate", {"active": "deactivated"})


def reactivate_image(tx: Tx, ctx: Context, image_id: str) -> None:
    """Let an image be used again."""
    _switch(tx, ctx, image_id, "reactivate", {"deactivated": "active"})


def delete_image(tx: Tx, ctx: Context, image_id: str) -> Image:
    """Make an image unknown at once, and give back what it counted for; return what it was.

    Its bytes are removed by a workflow, which the caller starts in this transaction.
    """
    image = image_visible(tx, ctx, image_id)
    require(ctx, "delete_image", image)
    if image.protected:
        raise Forbidden(f"Image {image_id} is protected and cannot be deleted.")
    if not store.image_move(tx, image_id, to="deleted", expected=[image.status]):
        raise LostRace(f"image {image_id} is {image.status} no longer")
    store.image_empty(tx, image_id)
    release_counts(tx, image)
    _record(tx, ctx, "delete", before=image)
    return image


def upload_of(tx: Tx, image: Image) -> str | None:
    """Return the upload that an image waits for, or whose bytes wait for an import."""
    return store.upload_of(tx, image.id)


def release_counts(tx: Tx, image: Image) -> None:
    """Stop counting an image that is gone."""
    owner = image.owner or ""
    quota.release(tx, "image", owner, "image_count_total", 1)
    if image.status in UNFINISHED:
        quota.release(tx, "image", owner, "image_count_uploading", 1)
    if image.size:
        quota.release(tx, "image", owner, "image_size_total", ceil_div(image.size, MIB))


def usage(tx: Tx, ctx: Context, limits: ImageLimits) -> dict[str, tuple[int, int]]:
    """Return what the caller's project has and may have: name -> (used, limit)."""
    project = ctx.project_id or ""
    used = quota.usage(tx, "image", project, limits.totals())
    most = quota.limits(tx, "image", project, limits.totals())
    return {name: (used[name], most[name]) for name in most}


def _is_member(tx: Tx, ctx: Context, image: Image) -> bool:
    if image.visibility != "shared" or ctx.project_id is None:
        return False
    return member_find(tx, image.id, ctx.project_id) is not None


def _is_shown(ctx: Context, image: Image, *, member: bool) -> bool:
    public = image.visibility in ("public", "community") or image.owner is None
    own = ctx.project_id is not None and image.owner == ctx.project_id
    return ctx.is_admin or public or own or member


def _require_visibility(ctx: Context, visibility: Value, facts: Mapping[str, object]) -> None:
    if visibility == "public":
        ctx.require("publicize_image", **facts)
    if visibility == "community":
        ctx.require("communitize_image", **facts)


def _may_change(ctx: Context, image: Image, change: Change) -> None:
    if change.name == "owner" and change.op != "remove" and not ctx.is_admin:
        raise Forbidden("Owner can't be updated by non admin.")
    if change.name == "visibility":
        _require_visibility(ctx, change.value, target(ctx, image))
    require(ctx, "modify_image", image)
    if change.name in ("disk_format", "container_format") and image.status != "queued":
        raise Forbidden(f"Attribute {change.name} can be only replaced for a queued image.")


def _changed(image: Image, change: Change) -> Image:
    is_field = change.name in FIELDS
    if change.op == "remove":
        if is_field:
            raise Forbidden(f"Property {change.name} may not be removed.")
        if change.name not in image.properties:
            raise Conflict(f"Property {change.name} does not exist.")
        left = {name: v for name, v in image.properties.items() if name != change.name}
        return msgspec.structs.replace(image, properties=left)
    if change.op == "add" and change.strict and (is_field or change.name in image.properties):
        raise Conflict(f"Property {change.name} already present.")
    if is_field:
        value = sorted(set(change.value)) if isinstance(change.value, list) else change.value
        return msgspec.structs.replace(image, **{change.name: value})
    if change.op == "replace" and change.name not in image.properties:
        raise Conflict(f"Property {change.name} does not exist.")
    more = {**image.properties, change.name: str(change.value)}
    return msgspec.structs.replace(image, properties=more)


def _write(tx: Tx, before: Image, after: Image) -> None:
    columns = {
        name: getattr(after, name)
        for name in FIELDS - {"tags"}
        if getattr(after, name) != getattr(before, name)
    }
    store.image_update(tx, before.id, **columns)
    for name in before.properties.keys() - after.properties.keys():
        store.property_remove(tx, before.id, name)
    for name, value in after.properties.items():
        if before.properties.get(name) != value:
            store.property_set(tx, before.id, name, value)
    if before.tags != after.tags:
        store.tags_set(tx, before.id, after.tags)
    if before.owner != after.owner:
        _hand_over(tx, before, after.owner)


def _hand_over(tx: Tx, image: Image, owner: str | None) -> None:
    """Count an image for its new owner; an administrator may go over the limit."""
    release_counts(tx, image)
    quota.claim(tx, "image", owner or "", "image_count_total", 1, -1)
    if image.size:
        size = ceil_div(image.size, MIB)
        quota.claim(tx, "image", owner or "", "image_size_total", size, -1)


def _switch(
    tx: Tx, ctx: Context, image_id: str, action: str, step: Mapping[Status, Status]
) -> None:
    image = image_visible(tx, ctx, image_id)
    require(ctx, action, image)
    if image.status in step.values():
        return
    if image.status not in step:
        raise Forbidden(f"Not allowed to {action} image in status '{image.status}'")
    if not store.image_move(tx, image_id, to=step[image.status], expected=[image.status]):
        raise LostRace(f"image {image_id} is {image.status} no longer")
    _record(tx, ctx, action, before=image, after=image_visible_again(tx, image_id))


def _check_sizes(min_disk: int, min_ram: int) -> None:
    for name, value in (("min_disk", min_disk), ("min_ram", min_ram)):
        if value < 0:
            raise Invalid(
                f"Invalid value '{value}' for parameter '{name}': Cannot be a negative value"
            )
        if value > 0x7FFFFFFF:
            raise Invalid(
                f"Invalid value '{value}' for parameter '{name}': Must be at most {0x7FFFFFFF}"
            )


def _check_counts(properties: int, tags: int, limits: ImageLimits) -> None:
    for what, attempted, most in (
        ("image properties", properties, limits.image_property_quota),
        ("image tags", tags, limits.image_tag_quota),
    ):
        if 0 <= most < attempted:
            raise OverQuota(
                f"The limit has been exceeded on the number of allowed {what}. "
                f"Attempted: {attempted}, Maximum: {most}"
            )


def _claim(tx: Tx, owner: str | None, name: str, amount: int, limits: ImageLimits) -> None:
    quota.claim(tx, "image", owner or "", name, amount, limits.totals()[name])


def _record(
    tx: Tx, ctx: Context, action: str, *, before: Image | None = None, after: Image | None = None
) -> None:
    image = after or before
    assert image is not None
    events.record(
        tx,
        ctx,
        resource="image",
        resource_id=image.id,
        action=action,
        before=before,
        after=after,
        project_id=image.owner,
    )

"""The making of servers: everything is checked, counted and recorded in one transaction."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota
from cumulo.kit.ids import new_id, new_secret, random_bytes
from cumulo.kit.units import GIB, ceil_div
from cumulo.services.compute import (
    image_properties,
    local_disks,
    moves,
    networking,
    numa,
    quotas,
    server_groups,
    servers,
    volumes,
)
from cumulo.services.compute.flavors import Flavor, flavor_visible
from cumulo.services.compute.keypairs import Keypair, keypair_visible
from cumulo.services.compute.local_disks import LocalDisk
from cumulo.services.compute.networking import RequestedNic
from cumulo.services.compute.store import actions as action_store
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.volumes import NewDisk
from cumulo.services.image import public as images

_OF_VOLUMES = (volumes.MAPPING, "bdm_v2", "root_device_name")
_BOOTABLE = ("qcow2", "raw", "iso", "ami")


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """The servers somebody wants."""

    name: str
    flavor_id: str
    image_id: str  # may be empty for what boots from a volume among `disks`
    disks: list[NewDisk] = []
    local_disks: list[LocalDisk] = []
    # None: the one network there is, or none; auto: that, or one made for the project.
    networks: list[RequestedNic] | Literal["auto"] | None
    security_groups: list[str] = []
    key_name: str | None = None
    user_data: str | None = None
    metadata: dict[str, str] = {}
    tags: list[str] = []
    zone: str | None = None
    host: str | None = None  # only there, if the scheduler finds it fit
    forced: bool = False  # there without asking the scheduler's filters
    config_drive: bool = False
    personality: list[dict[str, str]] = []
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    disk_config: str = "MANUAL"
    description: str | None = None
    hostname: str | None = None
    hints: dict[str, Any] = {}
    min_count: int = 1
    max_count: int = 1


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A server whose making began, and the action that tells of it."""

    server: Server
    action: int


def new_servers(tx: Tx, ctx: Context, tools: Tools, boot: Boot) -> list[Begun]:
    """Record servers that are being made, as many as the quota lets, but at least the fewest."""
    assert ctx.project_id is not None
    flavor = flavor_of(tx, ctx, boot.flavor_id)
    boot, facts = _boot_facts(tx, ctx, boot, flavor)
    local_disks.check(
        msgspec.structs.asdict(flavor),
        boot.local_disks,
        tools.settings.max_local_block_devices,
        has_root=facts["image_id"] is not None,
    )
    key = key_of(tx, ctx, boot.key_name)
    _check_items(tx, ctx, boot)
    count = _count(tx, ctx, boot, flavor)
    plan = networking.planned(tx, ctx, tools.network, boot.networks, boot.security_groups, count)
    reservation = f"r-{random_bytes(4).hex()}"
    begun = []
    for index in range(count):
        values = _values(boot, flavor, key, index, count)
        server = store.server_insert(
            tx,
            **values,
            **facts,
            id=new_id(),
            project_id=ctx.project_id,
            user_id=ctx.user_id,
            reservation_id=reservation,
        )
        _note(tx, ctx, server, boot)
        networking.make_ports(tx, ctx, tools.network, server, plan)
        local_disks.note(tx, server, boot.local_disks)
        volumes.make_devices(tx, ctx, tools, server, boot.disks)
        number = action_store.action_insert(tx, server.id, "create", servers.doer(ctx))
        begun.append(Begun(server=server, action=number))
    return begun


def _boot_facts(tx: Tx, ctx: Context, boot: Boot, flavor: Flavor) -> tuple[Boot, dict[str, object]]:
    """Return what is kept of what servers boot from: an image, or a volume.

    An image that is made of volumes adds those to what was asked for.  One that is named beside a
    volume to boot from says what the volume holds, also of one that is still empty.
    """
    disk = volumes.boot_disk(boot.disks)
    if disk is not None and disk.source != "image":
        if not boot.image_id:
            return boot, volumes.boot_facts(tx, ctx, disk)
        image = image_of(tx, ctx, boot.image_id)
        check_memory(flavor, image)
        check_wishes(flavor, image)
        return boot, _beside_volumes(image)
    if disk is None:
        image = image_of(tx, ctx, boot.image_id)
        disks = volumes.disks_of_image(image.properties)
        if volumes.boot_disk(disks) is None:
            check_open(image)
            check_fit(flavor, image)
            check_wishes(flavor, image)
            return boot, image_facts(image)
        boot = msgspec.structs.replace(boot, disks=[*disks, *boot.disks])
    else:
        image = image_of(tx, ctx, disk.source_id or "")
    check_memory(flavor, image)
    check_wishes(flavor, image)
    return boot, _beside_volumes(image)


def _beside_volumes(image: images.Image) -> dict[str, object]:
    properties = {k: v for k, v in image.properties.items() if k not in _OF_VOLUMES}
    return {"image_id": None, "image": {}, "image_properties": properties}


def _note(tx: Tx, ctx: Context, server: Server, boot: Boot) -> None:
    """Record what is noted with a server, and that it is being made."""
    if boot.metadata:
        store.metadata_set(tx, server.id, boot.metadata, replace=True)
    if boot.tags:
        store.tags_set(tx, server.id, boot.tags)
    group = boot.hints.get("group")
    if group is not None:
        server_groups.add_member(tx, ctx, str(group), server.id)
    servers.record(tx, ctx, server, "create", name=server.name, flavor=server.flavor["name"])


def _values(
    boot: Boot,
    flavor: Flavor,
    key: Keypair | None,
    index: int,
    count: int,
) -> dict[str, object]:
    name = boot.name if count == 1 else f"{boot.name}-{index + 1}"
    hostname = boot.hostname if count == 1 or not boot.hostname else f"{boot.hostname}-{index + 1}"
    return {
        **sizes_of(flavor),
        **key_facts(key),
        "name": name,
        "hostname": hostname or default_hostname(name),
        "description": boot.description,
        "created_at": clock.now(),
        "updated_at": clock.now(),
        "is_deleted": False,
        "vm_state": "building",
        "task_state": "scheduling",
        "power_state": 0,
        "availability_zone": boot.zone,
        "config_drive": boot.config_drive or bool(boot.personality),
        "user_data": boot.user_data,
        "personality": boot.personality,
        "access_ip_v4": boot.access_ip_v4,
        "access_ip_v6": boot.access_ip_v6,
        "disk_config": boot.disk_config,
        "launch_index": index,
        "scheduler_hints": boot.hints,
    }


def sizes_of(flavor: Flavor) -> dict[str, object]:
    """Keep the flavor as it is now: later changes of it are not the server's."""
    kept = msgspec.structs.asdict(flavor)
    return {
        "flavor_id": flavor.id,
        "flavor": {k: v for k, v in kept.items() if k not in ("row", "is_public")},
        "vcpus": flavor.vcpus,
        "memory_mib": flavor.memory_mib,
    }


def image_facts(image: images.Image) -> dict[str, object]:
    """Keep what the image is now, for it may go before the server does."""
    return {
        "image_id": image.id,
        "image": {
            "disk_format": image.disk_format,
            "size": image.size,
            "virtual_size": image.virtual_size,
            "checksum": image.checksum,
        },
        "image_properties": image.properties,
    }


def key_facts(key: Keypair | None) -> dict[str, object]:
    """Keep what the keypair is now, for the same reason."""
    return {
        "key_name": key.name if key else None,
        "key_data": key.public_key if key else None,
        "key_type": key.type if key else None,
    }


def default_hostname(name: str) -> str:
    """Return a name as a host name: lower case, what may not stand there left out."""
    text = re.sub(r"[ _]", "-", name.encode("ascii", "ignore").decode())
    text = re.sub(r"[^\w.-]+", "", text).lower().strip(".-")
    return re.sub(r"\.", "-", text)[:63].strip("-") or "server"


def flavor_of(tx: Tx, ctx: Context, flavor_id: str) -> Flavor:
    """Return a flavor that the caller may use; a wrong one is the request's fault."""
    try:
        return flavor_visible(tx, ctx, flavor_id)
    except NotFound as error:
        raise Invalid(f"Flavor {flavor_id} could not be found.", field="flavorRef") from error


def image_of(tx: Tx, ctx: Context, image_id: str) -> images.Image:
    """Return an image that servers may start from; a wrong one is the request's fault."""
    if not image_id:
        raise Invalid(
            "Invalid imageRef: a server needs an image to boot from, and none was given.",
            field="imageRef",
        )
    try:
        image = images.get_image(tx, ctx, image_id)
    except (NotFound, Conflict) as error:
        raise Invalid(error.message, field="imageRef") from error
    if image.disk_format not in _BOOTABLE:
        raise Invalid(
            f"Image {image_id} has disk_format {image.disk_format}, which no host here can boot: "
            f"convert it to one of {', '.join(_BOOTABLE)}.",
            field="imageRef",
        )
    return image


def check_open(image: images.Image) -> None:
    """Refuse to boot from an image that only a volume can hold, since it is encrypted."""
    if "cinder_encryption_key_id" in image.properties:
        raise Invalid(
            f"Image {image.id} is unacceptable: Direct booting of an image uploaded from an "
            "encrypted volume is unsupported: boot from a volume of it.",
            field="imageRef",
        )


def check_fit(flavor: Flavor, image: images.Image) -> None:
    """Refuse an image that is too large for the flavor."""
    check_memory(flavor, image)
    needed = max(image.min_disk, ceil_div(image.virtual_size, GIB))
    if flavor.root_gib and needed > flavor.root_gib:
        raise Invalid(
            f"Flavor's disk is too small for requested image. Flavor disk is "
            f"{flavor.root_gib} GiB, the image needs {needed} GiB."
        )


def check_memory(flavor: Flavor, image: images.Image) -> None:
    """Refuse an image that needs more memory than the flavor has."""
    if image.min_ram > flavor.memory_mib:
        raise Invalid(
            f"Flavor's memory is too small for requested image: it has {flavor.memory_mib} MB, "
            f"the image needs {image.min_ram} MB."
        )


def check_wishes(flavor: Flavor, image: images.Image) -> None:
    """Refuse what flavor and image ask of the guest, when it makes no sense or they disagree."""
    image_properties.check(image.properties)
    numa.cells_of(msgspec.structs.asdict(flavor), image.properties)


def key_of(tx: Tx, ctx: Context, name: str | None) -> Keypair | None:
    """Return the caller's keypair of that name, if one is named."""
    if name is None:
        return None
    try:
        return keypair_visible(tx, ctx, ctx.user_id, name)
    except NotFound as error:
        raise Invalid("Invalid key_name provided.", field="key_name") from error


def _check_items(tx: Tx, ctx: Context, boot: Boot) -> None:
    """Hold metadata and injected files against their limits, which are for each server."""
    if not boot.metadata and not boot.personality:
        return
    limits = quotas.limits(tx, ctx.project_id or "", ctx.user_id)
    check_limit("metadata items", len(boot.metadata), limits["metadata_items"])
    check_files(limits, boot.personality)


def check_files(limits: Mapping[str, int], files: Sequence[Mapping[str, str]]) -> None:
    """Hold the files that a server is given against the limits."""
    check_limit("injected files", len(files), limits["injected_files"])
    for file in files:
        check_limit("injected file path", len(file["path"]), limits["injected_file_path_bytes"])
        size = len(file["contents"])
        check_limit("injected file content", size, limits["injected_file_content_bytes"])


def check_limit(what: str, count: int, limit: int) -> None:
    """Refuse to give one server more than any may have."""
    if 0 <= limit < count:
        raise Forbidden(f"Maximum number of {what} exceeded: {count} requested, {limit} allowed.")


def _count(tx: Tx, ctx: Context, boot: Boot, flavor: Flavor) -> int:
    """Take as much quota as there is, down to the fewest servers wanted."""
    project_id = ctx.project_id or ""
    count = boot.max_count
    used = quotas.usages(tx, project_id) if count > boot.min_count else {}
    for resource, each in _amounts(flavor.vcpus, flavor.memory_mib, 1).items():
        known = used.get(resource)
        if known is not None and known.limit >= 0 and each:
            count = min(count, (known.limit - known.in_use) // each)
    count = max(count, boot.min_count)
    wanted = _amounts(flavor.vcpus, flavor.memory_mib, count)
    try:
        quotas.claim(tx, project_id, ctx.user_id, wanted)
    except OverQuota as error:
        raise Forbidden(quotas.refusal(error, wanted)) from error
    return count


def release_quota(tx: Tx, server: Server) -> None:
    """Give back what a server counted for."""
    wanted = moves.counted(tx, server)
    quotas.release(tx, server.project_id, server.user_id, wanted)


def _amounts(vcpus: int, memory_mib: int, count: int) -> dict[str, int]:
    return {"cores": vcpus * count, "instances": count, "ram": memory_mib * count}


def admin_password(given: str | None) -> str:
    """Return the password a client chose, or a new one."""
    return given or base64.b32encode(new_secret(8)).decode().rstrip("=")[:12]

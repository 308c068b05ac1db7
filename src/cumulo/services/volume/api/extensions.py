"""What was once added to the API, under the names that clients look for."""

from typing import TypeAlias

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_UPDATED = "2013-07-01T00:00:00+00:00"


class ExtensionView(msgspec.Struct):
    """An extension."""

    name: str
    alias: str
    description: str
    updated: str = _UPDATED
    links: list[str] = []


class ExtensionsBody(msgspec.Struct):
    """Extensions."""

    extensions: list[ExtensionView]


class ExtensionBody(msgspec.Struct):
    """An extension."""

    extension: ExtensionView


_ALL = [
    ExtensionView("AdminActions", "os-admin-actions", "Actions for administrators."),
    ExtensionView("AvailabilityZones", "os-availability-zone", "Availability zones."),
    ExtensionView("Backups", "backups", "Backups of volumes."),
    ExtensionView("Capabilities", "capabilities", "What back ends can."),
    ExtensionView("ExtendedServices", "os-extended-services", "More of services."),
    ExtensionView("ExtendedSnapshotAttributes", "os-extended-snapshot-attributes", "Progress."),
    ExtensionView("Hosts", "os-hosts", "Back ends as hosts."),
    ExtensionView("Qos_specs_manage", "qos-specs", "How fast volumes of types may be."),
    ExtensionView("QuotaClasses", "os-quota-class-sets", "Quotas of classes."),
    ExtensionView("Quotas", "os-quota-sets", "Quotas of projects."),
    ExtensionView("Scheduler_stats", "scheduler-stats", "Pools."),
    ExtensionView("SchedulerHints", "OS-SCH-HNT", "Where a volume should go."),
    ExtensionView("Services", "os-services", "Services."),
    ExtensionView("SnapshotActions", "os-snapshot-actions", "Reports on snapshots."),
    ExtensionView("SnapshotManage", "os-snapshot-manage", "Snapshots that are there already."),
    ExtensionView("SnapshotUnmanage", "os-snapshot-unmanage", "Snapshots that are left alone."),
    ExtensionView("TypesExtraSpecs", "os-types-extra-specs", "Extra specs of types."),
    ExtensionView("TypesManage", "os-types-manage", "Types can be made and changed."),
    ExtensionView("UsedLimits", "os-used-limits", "What is used of limits."),
    ExtensionView("VolumeActions", "os-volume-actions", "Attaching and detaching."),
    ExtensionView("VolumeEncryptionMetadata", "os-volume-encryption-metadata", "Keys of volumes."),
    ExtensionView("VolumeHostAttribute", "os-vol-host-attr", "Where a volume is."),
    ExtensionView("VolumeImageMetadata", "os-vol-image-meta", "The image a volume was made from."),
    ExtensionView("VolumeManage", "os-volume-manage", "Volumes that are there already."),
    ExtensionView("VolumeMigStatusAttribute", "os-vol-mig-status-attr", "Whether it is moved."),
    ExtensionView("VolumeTenantAttribute", "os-vol-tenant-attr", "Whose a volume is."),
    ExtensionView("VolumeTransfer", "os-volume-transfer", "Volumes that change hands."),
    ExtensionView("VolumeTypeAccess", "os-volume-type-access", "Who may use a type."),
    ExtensionView("VolumeTypeEncryption", "encryption", "Types whose volumes are encrypted."),
    ExtensionView("VolumeUnmanage", "os-volume-unmanage", "Volumes that are left alone."),
]


@routes.get("/v3/extensions", policy="")
def list_extensions(call: Call) -> ExtensionsBody:
    """List extensions."""
    return ExtensionsBody(_ALL)


@routes.get("/v3/extensions/{alias}", policy="")
def show_extension(call: Call, alias: str) -> ExtensionBody:
    """Show an extension."""
    for one in _ALL:
        if one.alias == alias:
            return ExtensionBody(one)
    raise NotFound("The resource could not be found.")

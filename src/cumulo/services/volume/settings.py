"""What an operator decides about volumes; names as in cinder.conf."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class BackendSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One place that volumes may be put into."""

    name: str
    driver: Literal["file", "rbd", "fake"] = "file"
    volume_backend_name: str = ""  # what types ask for; empty: `name`
    directory: str = ""  # of the files; empty: volumes/`name` in the state directory
    is_shared: bool = False  # the directory of files is the same on all hosts, as on NFS
    rbd_pool: str = "volumes"
    rbd_user: str = "cumulo"
    rbd_ceph_conf: str = "/etc/ceph/ceph.conf"
    capacity_gib: Annotated[int, Meta(ge=1)] = 10_000  # of a back end that has no bound of its own
    max_over_subscription_ratio: Annotated[float, Meta(ge=1.0)] = 20.0
    reserved_percentage: Annotated[int, Meta(ge=0, le=100)] = 0


class Quotas(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much a project may have unless it has limits of its own; -1 is no limit."""

    volumes: int = 10
    snapshots: int = 10
    gigabytes: int = 1000
    backups: int = 10
    backup_gigabytes: int = 1000
    groups: int = 10
    per_volume_gigabytes: int = -1


class VolumeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How volumes are kept."""

    default_volume_type: str = "__DEFAULT__"
    default_availability_zone: str = "nova"
    # Empty: one of files, or one in memory where the whole cloud is emulated.
    backends: tuple[BackendSettings, ...] = ()
    backup_driver: Literal["directory", "swift"] = "directory"
    backup_directory: str = ""  # empty: backups in the state directory
    # Of `swift`, this cloud's object storage: whose account, and the container in it.
    backup_swift_project: str = "backups"
    backup_swift_container: str = "volumebackups"
    allow_availability_zone_fallback: bool = False
    message_ttl: Annotated[int, Meta(ge=0)] = 2_592_000
    quota: Quotas = Quotas()

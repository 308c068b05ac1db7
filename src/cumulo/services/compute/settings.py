"""What an operator may choose about compute; the names are Nova's where it has the option."""

from typing import Annotated, Literal

import msgspec

Ratio = Annotated[float, msgspec.Meta(gt=0)]


class ComputeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How hosts are shared out, and when one counts as lost."""

    # Only for hosts seen for the first time: later the ratios are placement's to change.
    initial_cpu_allocation_ratio: Ratio = 4.0
    initial_ram_allocation_ratio: Ratio = 1.0
    initial_disk_allocation_ratio: Ratio = 1.0
    reserved_host_cpus: Annotated[int, msgspec.Meta(ge=0)] = 0
    reserved_host_memory_mb: Annotated[int, msgspec.Meta(ge=0)] = 512
    reserved_host_disk_mb: Annotated[int, msgspec.Meta(ge=0)] = 0
    service_down_time: Annotated[int, msgspec.Meta(ge=1)] = 60
    default_availability_zone: str = "nova"
    shutdown_timeout: Annotated[int, msgspec.Meta(ge=0)] = 60  # for a guest to power itself off
    dhcp_domain: str = "novalocal"  # what follows the hostname that metadata tells a guest
    vendordata_jsonfile_path: str = ""  # a JSON object that every guest is told; empty: none
    token_ttl: Annotated[int, msgspec.Meta(ge=1)] = 600  # seconds that a console's address is good
    allow_resize_to_same_host: bool = True  # there may be no other
    # For so many seconds a deleted server is only switched off and can be restored; 0: not at all.
    reclaim_instance_interval: Annotated[int, msgspec.Meta(ge=0)] = 0
    # How many disks a host makes for a server at most, if any of them is named; -1: no limit.
    max_local_block_devices: Annotated[int, msgspec.Meta(ge=-1)] = 3
    # Whether a shelved server leaves its host at once (0) or when an administrator says so (-1).
    shelved_offload_time: Literal[0, -1] = 0

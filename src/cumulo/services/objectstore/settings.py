"""What an operator may set of object storage; names as in Swift's files where it has them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PolicyName = Annotated[str, Meta(pattern="^[A-Za-z0-9-]{1,64}$")]


class StoragePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the objects of a container are kept: whole on several devices, or coded in fragments.

    With `policy_type = "erasure_coding"`, `ec_type` and both numbers of fragments must be said.
    """

    name: PolicyName
    policy_type: Literal["replication", "erasure_coding"] = "replication"
    ec_type: str = ""
    ec_num_data_fragments: Annotated[int, Meta(ge=0, le=32)] = 0
    ec_num_parity_fragments: Annotated[int, Meta(ge=0, le=32)] = 0
    # Bytes of an object that are coded together, and so how much a request holds in memory.
    ec_object_segment_size: Annotated[int, Meta(ge=65536, le=16777216)] = 1048576
    ec_duplication_factor: Annotated[int, Meta(ge=1, le=8)] = 1

    def __post_init__(self) -> None:
        said = bool(self.ec_type), self.ec_num_data_fragments, self.ec_num_parity_fragments
        if self.policy_type == "replication" and any(said):
            raise ValueError(
                f'policy {self.name}: ec_ settings need policy_type = "erasure_coding"'
            )
        if self.policy_type == "erasure_coding" and not all(said):
            raise ValueError(
                f"policy {self.name}: ec_type, ec_num_data_fragments and ec_num_parity_fragments "
                "must be set"
            )

    @property
    def fragments(self) -> int:
        """Return how many devices an object is spread over; 0 where it is replicated."""
        unique = self.ec_num_data_fragments + self.ec_num_parity_fragments
        return unique * self.ec_duplication_factor


class SyncRealm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clusters that trust each other by a key; each is named with its address up to `/v1`."""

    key: str
    key2: str = ""  # taken as well, while the first is being changed
    clusters: dict[str, str] = {}


class LocalUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user of a store that runs alone."""

    key: Annotated[str, Meta(min_length=1)]
    roles: tuple[str, ...] = ("member",)

    def __repr__(self) -> str:
        return "LocalUser(...)"


Size = Annotated[str, Meta(pattern="^[0-9]{1,15}$")]
Rate = Annotated[float, Meta(gt=0)]  # a second


class RateLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often is too often; nothing is limited unless it is set.

    Rates of containers are by how many objects they hold: from that many on, changing evenly up to
    the next that is given.
    """

    account_ratelimit: Annotated[float, Meta(ge=0)] = 0.0  # making and deleting containers
    container_ratelimit: dict[Size, Rate] = {}
    container_listing_ratelimit: dict[Size, Rate] = {}
    max_sleep_time_seconds: Annotated[float, Meta(ge=0, le=600)] = 60.0
    rate_buffer_seconds: Annotated[int, Meta(ge=0, le=600)] = 5
    account_whitelist: tuple[str, ...] = ()
    account_blacklist: tuple[str, ...] = ()


class ObjectStoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Defaults are one machine's; limits are Swift's."""

    devices: Annotated[int, Meta(ge=1, le=128)] = 4  # directories, when no ring is given
    replicas: Annotated[int, Meta(ge=1, le=16)] = 3
    part_power: Annotated[int, Meta(ge=1, le=20)] = 8
    min_part_hours: Annotated[int, Meta(ge=0, le=720)] = 1
    # Where other machines of the cluster reach the devices of this one.
    device_address: str = "127.0.0.1"
    device_port: Annotated[int, Meta(ge=0, le=65535)] = 6200
    operator_roles: tuple[str, ...] = ("admin", "member")
    project_reader_roles: tuple[str, ...] = ("reader",)
    reseller_admin_role: str = "ResellerAdmin"
    max_file_size: Annotated[int, Meta(ge=1)] = 5368709122
    max_manifest_segments: Annotated[int, Meta(ge=1)] = 1000
    max_deletes_per_request: Annotated[int, Meta(ge=1)] = 10000
    max_containers_per_extraction: Annotated[int, Meta(ge=1)] = 10000
    reclaim_age_s: Annotated[int, Meta(ge=60)] = 604800
    # A container of so many objects is cut into shards of half as many; 0 cuts none.
    shard_container_threshold: Annotated[int, Meta(ge=0)] = 1000000
    # A shard with fewer than this percentage of the threshold, and a fifth of what it began with,
    # goes back into its container.
    shard_shrink_point: Annotated[int, Meta(ge=0, le=50)] = 10
    cors_allow_origin: tuple[str, ...] = ()
    # The first is for containers that ask for none; the others' rings are object-1, object-2, ...
    policies: Annotated[
        tuple[PolicyName | StoragePolicy, ...], Meta(min_length=1, max_length=32)
    ] = ("Policy-0",)
    ratelimit: RateLimits = RateLimits()
    users: dict[str, LocalUser] = {}  # PROJECT:USER, where the store runs alone
    # That serve where the store runs alone; 0 is one for each processor, four at most.
    processes: Annotated[int, Meta(ge=0, le=64)] = 0
    sync_realms: dict[str, SyncRealm] = {}

    def __post_init__(self) -> None:
        if self.processes > 1 and self.ratelimit != RateLimits():
            raise ValueError("processes: rates are counted within one; with ratelimit, say 0 or 1")

    @property
    def storage_policies(self) -> list[StoragePolicy]:
        """Return the policies in order, those of which only the name was said with the rest."""
        return [StoragePolicy(one) if isinstance(one, str) else one for one in self.policies]

    @property
    def policy_names(self) -> list[str]:
        """Return the names of the policies, that of the default first."""
        return [one if isinstance(one, str) else one.name for one in self.policies]


MAX_META_NAME_LENGTH = 128
MAX_META_VALUE_LENGTH = 256
MAX_META_COUNT = 90
MAX_META_OVERALL_SIZE = 4096
MAX_HEADER_SIZE = 8192
MAX_OBJECT_NAME_LENGTH = 1024
MAX_CONTAINER_NAME_LENGTH = 256
MAX_ACCOUNT_NAME_LENGTH = 256
LISTING_LIMIT = 10000
MIN_SEGMENT_SIZE = 1
MAX_MANIFEST_SIZE = 8 << 20
SYMLOOP_MAX = 2

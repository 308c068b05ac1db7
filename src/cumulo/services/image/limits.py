"""How large and how many: Glance's limits by Glance's names."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cumulo.kit.outbound import Destinations
from cumulo.kit.units import GIB

Count = Annotated[int, Meta(ge=-1)]  # -1: no limit


class ImageConversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What imports convert disks to."""

    output_format: Literal["raw", "qcow2"] = "raw"


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store beside the first one, by its name."""

    kind: Literal["file", "swift", "http"]  # http: data stays where its URL says
    weight: int = 0
    store_description: str = ""
    filesystem_store_datadir: str = ""  # of `file`
    swift_store_project: str = "images"  # of `swift`: whose account, and the container in it
    swift_store_container: str = "glance"


class ImageLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one image, and all images of one project, may have."""

    image_size_cap: Annotated[int, Meta(ge=1)] = 1024 * GIB
    virtual_size_cap: Annotated[int, Meta(ge=1)] = 1024 * GIB  # of the disk a guest would see
    image_property_quota: Count = 128
    image_tag_quota: Count = 128
    image_member_quota: Count = 128
    limit_param_default: Annotated[int, Meta(ge=1)] = 25
    api_limit_max: Annotated[int, Meta(ge=1)] = 1000
    upload_timeout_s: Annotated[int, Meta(ge=10)] = 120  # of silence, then an upload is dead
    # Of a project, where no limit of its own is set:
    image_size_total: Count = -1  # MiB
    image_count_total: Count = -1
    image_count_uploading: Count = -1

    # Where `web-download`, tasks and stores of kind `http` may fetch from:
    import_filtering_opts: Destinations = Destinations()
    http_retries: Annotated[int, Meta(ge=1)] = 3  # to read what a new location names

    # Stores beside `file`, which servers start from; Glance's enabled_backends.
    stores: dict[str, StoreSettings] = {}
    default_backend: str = "file"
    first_store_weight: int = 0
    # Of copies, where servers start from, of images that lie in other stores only:
    image_cache_max_size: Annotated[int, Meta(ge=0)] = 10 * GIB
    # What is done with the bytes of an import, in this order:
    image_import_plugins: tuple[Literal["image_decompression", "image_conversion"], ...] = ()
    image_conversion: ImageConversion = ImageConversion()

    def totals(self) -> dict[str, int]:
        """Return what a project may have where no limit of its own is set."""
        return {name: getattr(self, name) for name in TOTALS}


TOTALS = ("image_size_total", "image_count_total", "image_count_uploading")

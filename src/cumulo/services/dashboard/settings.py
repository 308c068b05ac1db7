"""What an operator may set of the dashboard."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class DashboardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it looks to who has not chosen."""

    language: Literal["en", "fr"] = "en"  # of browsers that ask for neither
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    streams: Annotated[int, Meta(ge=0, le=400)] = 40  # pages that are kept up to date at once

"""/os-services/get-log and set-log: how much services say, while they run.

All of Cinder's services are one program here: the process that answers tells of itself.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit import log
from cumulo.kit.errors import Invalid
from cumulo.services.volume.backends import SERVICE
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_RULE = "volume_extension:services:update"
_Word = Annotated[str, Meta(max_length=255)]
_Binary = Literal["", "*", "cinder-api", "cinder-scheduler", "cinder-volume", "cinder-backup"]


class Whose(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which services, and which parts of them by the beginning of their names."""

    binary: _Binary | None = None
    server: _Word | None = None
    prefix: _Word | None = None


class Wanted(Whose, forbid_unknown_fields=True, kw_only=True):
    """The same, and from which level on they are to speak."""

    level: _Word


class LevelsView(msgspec.Struct):
    """How much a service says."""

    binary: str
    host: str
    levels: dict[str, str]


class LevelsBody(msgspec.Struct):
    """How much services say."""

    log_levels: list[LevelsView]


@routes.put("/v3/os-services/get-log", policy=_RULE, since="3.32")
def show_log_levels(call: Call, body: Whose) -> LevelsBody:
    """Show from which level on services speak."""
    told = log.levels(body.prefix or "")
    return LevelsBody([LevelsView(binary, host, told) for binary, host in _services(call, body)])


@routes.put("/v3/os-services/set-log", policy=_RULE, status=202, since="3.32")
def set_log_levels(call: Call, body: Wanted) -> None:
    """Change from which level on services speak."""
    level = body.level.upper()
    if level not in log.LEVELS:
        raise Invalid(
            f"Invalid input received: {body.level[:64]} is no log level: give one of "
            f"{', '.join(log.LEVELS)}.",
            field="level",
        )
    if _services(call, body):
        log.set_level(level, body.prefix or "")


def _services(call: Call, body: Whose) -> list[tuple[str, str]]:
    """Return those services of this process that are meant."""
    here = [(binary, call.tools.host) for binary in ("cinder-api", "cinder-scheduler")]
    here += [(SERVICE, host) for host in call.tools.places]
    here += [("cinder-backup", call.tools.host)]
    return [
        (binary, host)
        for binary, host in here
        if body.binary in (None, "", "*", binary) and body.server in (None, "", host)
    ]

"""/os-volumes_boot: another name that servers had until 2.102."""

from typing import TypeAlias

from cumulo.services.compute.api import (
    guest_affairs,
    server_actions,
    server_images,
    server_moves,
    server_rebuilds,
    servers,
)
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Operation, Routes
from cumulo.web.versions import Version

Call: TypeAlias = _Call[Tools]
routes = Routes()
_NAME, _ALIAS, _LAST = "/v2.1/servers", "/v2.1/os-volumes_boot", Version.parse("2.102")
_ACTIONS = (
    *("confirmResize", "createImage", "os-start", "os-stop", "reboot", "rebuild", "resize"),
    *("revertResize", "trigger_crash_dump"),
)
_MODULES = (servers, server_actions, server_moves, server_rebuilds, server_images, guest_affairs)


def _is_told(operation: Operation) -> bool:
    return operation.action in (None, *_ACTIONS) and (operation.since or _LAST) <= _LAST


for _module in _MODULES:
    for _operation in filter(_is_told, _module.routes.operations):
        routes.add(
            _operation.method,
            _operation.path.replace(_NAME, _ALIAS, 1),
            policy=_operation.policy,
            status=_operation.status,
            since=str(_operation.since) if _operation.since else None,
            until=str(min(_operation.until or _LAST, _LAST)),
            action=_operation.action,
        )(_operation.run)

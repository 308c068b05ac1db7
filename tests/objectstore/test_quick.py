"""Which requests are served without a thread of their own."""

import dataclasses
from typing import Any

import msgspec
import pytest

from cumulo.services.objectstore.api import quick_reads
from cumulo.services.objectstore.settings import RateLimits
from cumulo.services.objectstore.tools import Tools
from tests.objectstore.service import Service

OBJECT = "/v1/AUTH_p1/box/o"


def asked(path: str = OBJECT, method: str = "GET", query: str = "", **more: str) -> dict[str, Any]:
    headers = {"HTTP_X_AUTH_TOKEN": "t"} | more
    return {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **headers}


def test_reads_of_objects_are(service: Service) -> None:
    is_quick = quick_reads(service.tools)
    assert is_quick(asked())
    assert is_quick(asked(f"{OBJECT}/with/slashes", "HEAD"))


@pytest.mark.parametrize(
    "environ",
    [
        asked(method="PUT"),
        asked(method="DELETE"),
        asked(query="multipart-manifest=get"),
        asked(query="temp_url_sig=1"),
        asked("/v1/AUTH_p1/box"),
        asked("/v1/AUTH_p1/box/"),
        asked("/v1/AUTH_p1"),
        asked("/info"),
        asked(HTTP_X_WEB_MODE="true"),
        asked(HTTP_AUTHORIZATION="AWS key:signature"),
        {name: value for name, value in asked().items() if name != "HTTP_X_AUTH_TOKEN"},
    ],
)
def test_what_may_take_long_is_not(service: Service, environ: dict[str, Any]) -> None:
    assert not quick_reads(service.tools)(environ)


def test_nothing_is_where_requests_wait_for_their_turn_or_for_other_machines(
    service: Service,
) -> None:
    tools = service.tools
    limits = RateLimits(account_blacklist=("AUTH_p1",))
    limited = msgspec.structs.replace(tools.settings, ratelimit=limits)
    elsewhere = dataclasses.replace(tools.cluster, is_here=False)
    for one in (
        Tools(tools.cluster, limited),
        Tools(elsewhere, tools.settings),
    ):
        assert not quick_reads(one)(asked())

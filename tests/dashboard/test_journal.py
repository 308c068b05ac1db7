"""What pages tell of what happens and happened: the event log, workflows, the way of packets."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytest

from cumulo.services.dashboard.journal import Watchers
from tests.dashboard import things
from tests.dashboard.browser import HOST, Browser
from tests.dashboard.conftest import Sight


@pytest.fixture(scope="module")
def server(sight: Sight, parts: dict[str, Any]) -> str:
    sight.report()  # what is made for a whole file comes before what is done for each test
    made = things.server(sight.people.as_("admin"), "web", **parts)
    sight.emulated.work()
    return made


def opened(
    sight: Sight, browser: Browser, kinds: str
) -> tuple[int, dict[str, str], Iterable[bytes]]:
    """Open a stream as a page does, without reading it to its end."""
    started: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/stream",
        "QUERY_STRING": f"kinds={kinds}",
        "HTTP_HOST": HOST,
        "HTTP_COOKIE": "; ".join(f"{k}={v}" for k, v in browser.cookies.items()),
        "wsgi.url_scheme": "http",
    }
    pieces = browser._app(environ, lambda *told: started.extend(told))
    return int(started[0][:3]), dict(started[1]), pieces


def test_lists_are_told_of_changes(sight: Sight, server: str) -> None:
    status, headers, pieces = opened(sight, sight.admin(), "server,port")
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    stream = iter(pieces)
    assert next(stream).startswith(b"retry:")
    admin = sight.people.as_("admin")
    admin.put("compute", f"/servers/{server}", {"server": {"name": "www"}})
    assert next(stream).endswith(b"\nevent: change\ndata: server\n\n")
    stream.close()  # type: ignore[attr-defined]


def test_others_are_told_nothing(sight: Sight, server: str) -> None:
    _, _, pieces = opened(sight, sight.demo(), "server")
    stream = iter(pieces)
    next(stream)
    admin = sight.people.as_("admin")
    admin.put("compute", f"/servers/{server}", {"server": {"name": "w3"}})
    assert next(stream) == b""
    stream.close()  # type: ignore[attr-defined]


def test_what_happened_while_a_page_was_on_its_way(sight: Sight, server: str) -> None:
    browser = sight.admin()
    (body,) = browser.get("/servers").document.all("body")
    admin = sight.people.as_("admin")
    admin.put("compute", f"/servers/{server}", {"server": {"name": "w4"}})
    query = f"server&after={body.attributes['data-seen']}"
    _, _, pieces = opened(sight, browser, query)
    stream = iter(pieces)
    next(stream)
    assert b"data: server" in next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_streams_are_bounded(sight: Sight) -> None:
    cloud = sight.emulated.cloud
    watchers = Watchers(cloud.db, cloud.bell, 8)
    assert [watchers.enter("ann") for _ in range(3)] == [True, True, False]
    assert all(watchers.enter(name) for name in ("bob", "cid", "dan", "eve", "fay", "gil"))
    assert not watchers.enter("hal")
    watchers.leave("bob")
    assert watchers.enter("hal")


def test_streams_that_end_are_not_counted(sight: Sight) -> None:
    browser = sight.admin()
    for _ in range(30):
        status, _, pieces = opened(sight, browser, "server")
        assert status == 200
        assert next(iter(pieces)).startswith(b"retry:")
        pieces.close()  # type: ignore[attr-defined]


def test_why(sight: Sight, server: str) -> None:
    browser = sight.admin()
    shown = browser.get(f"/events?resource={server}")
    assert "server" in shown.text
    whys = sorted(
        link for link in browser.get(f"/servers/{server}/history").links() if "/why/" in link
    )
    text = browser.get(whys[0]).text
    assert "server.create" in text or "create" in text
    assert "done" in text
    demo = sight.demo()
    assert demo.get(whys[0]).status == 404
    assert server not in demo.get(f"/events?resource={server}").document.all("table").__repr__()
    assert browser.get("/why/req-nothing").status == 404


def test_events_are_sifted_and_paged(sight: Sight, server: str) -> None:
    admin, browser = sight.people.as_("admin"), sight.admin()
    for number in range(51):
        admin.put("compute", f"/servers/{server}", {"server": {"name": f"n{number}"}})
    one = f"/events?kind=server&resource={server}"
    newest = browser.get(one)
    assert "name: n50<" in newest.text
    assert "name: n0<" not in newest.text
    (older,) = [link for link in newest.links() if "before=" in link]
    assert "name: n0<" in browser.get(older).text
    assert one in browser.get(older).links(), "there is a way back to the newest"
    assert "name: n50<" in browser.get("/events?kind=server").text
    assert "name: n50<" not in browser.get("/events?kind=network").text
    assert "name: n50<" in browser.get("/events?before=" + "9" * 30).text, "as if it were not there"


def test_events_are_told_of_any_change(sight: Sight, server: str) -> None:
    (section,) = [
        each for each in sight.admin().get("/events").document.all("section") if each.attributes
    ]
    _, _, pieces = opened(sight, sight.admin(), section.attributes["data-live"])
    stream = iter(pieces)
    next(stream)
    admin = sight.people.as_("admin")
    admin.put("compute", f"/servers/{server}", {"server": {"name": "w5"}})
    assert b"data: server" in next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_the_way_of_a_packet(sight: Sight, server: str) -> None:
    browser = sight.admin()
    shown = browser.get(f"/path?from={server}&to=10.7.0.1&protocol=icmp")
    assert "port" in shown.text
    assert len(list(islice(shown.document.all("li"), 5))) == 5
    assert "not-an-address" in browser.get(f"/path?from={server}&to=not-an-address").notices


def test_the_console_is_framed_from_its_own_place_only(sight: Sight, server: str) -> None:
    shown = sight.admin().get(f"/servers/{server}/console")
    assert "frame-src http://127.0.0.1:6080" in shown.headers["content-security-policy"]
    assert "/vnc_lite.html?path=" in shown.text

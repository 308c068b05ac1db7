"""Fetching what users name: never from where a user could not reach it himself.

Link-local, loopback, private and metadata addresses, in every way to write them; by redirect; by
a name that changes its mind (OSSA-2026-004); file://; secrets in errors.
"""

import socket

import pytest

from cumulo.kit.errors import CloudError, Forbidden, Invalid, Unavailable
from cumulo.kit.outbound import CannotFetch, Destinations, Outbound, checked_url, may_visit
from tests.websites import Website, listening, page, redirect

FORBIDDEN = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
    "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_that_only_this_machine_reaches_are_not_visited(address: str) -> None:
    assert not may_visit(address, Destinations())
    site = Website({"/": page(b"secret")}, names={"evil": [address]})
    with pytest.raises(Forbidden, match="evil is at an address"):
        list(site.outbound().get("http://evil/"))
    assert site.visited == []


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_visited(address: str) -> None:
    site = Website({"/a?b=c": page(b"content")}, names={"site": [address]})
    assert b"".join(site.outbound().get("http://site/a?b=c")) == b"content"
    assert site.visited == [address]


def test_a_network_of_the_operators_may_be_let_in() -> None:
    rules = Destinations(allowed_networks=("10.1.0.0/16", "fd00::/64"))
    assert may_visit("10.1.2.3", rules)
    assert may_visit("fd00::5", rules)
    assert not may_visit("10.2.0.1", rules)
    with pytest.raises(ValueError, match="does not appear to be"):
        Destinations(allowed_networks=("10.1.2/40",))


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]"])
def test_this_machine_is_never_reached_however_it_is_written(host: str) -> None:
    with listening() as port, pytest.raises((Forbidden, CannotFetch)) as refused:
        list(Outbound(Destinations(allowed_ports=(port,))).get(f"http://{host}:{port}/"))
    assert "cannot be reached" not in refused.value.message


def test_one_forbidden_address_of_several_is_enough_to_refuse() -> None:
    site = Website({"/": page(b"x")}, names={"evil": ["93.184.216.34", "127.0.0.1"]})
    with pytest.raises(Forbidden):
        list(site.outbound().get("http://evil/"))
    assert site.visited == []


@pytest.mark.parametrize(
    "target",
    [
        "http://inside/", "http://169.254.169.254/latest", "file:///etc/shadow",
        "http://site:22/", "gopher://site/", "//inside/", "http://u:secret@site/",
    ],
)  # fmt: skip
def test_a_redirect_is_checked_like_the_first_url(target: str) -> None:
    names = {"site": ["93.184.216.34"], "inside": ["10.0.0.1"]}
    names |= {"169.254.169.254": ["169.254.169.254"]}
    site = Website({"/": redirect(target)}, names=names)
    with pytest.raises((Forbidden, Invalid)):
        list(site.outbound().get("http://site/"))
    assert site.visited == ["93.184.216.34"]


def test_a_redirect_to_an_allowed_place_is_followed_but_not_for_ever() -> None:
    site = Website({"/": redirect("/there"), "/there": page(b"x"), "/loop": redirect("/loop")})
    assert b"".join(site.outbound().get("http://site/")) == b"x"
    with pytest.raises(CannotFetch, match="without end"):
        list(site.outbound().get("http://site/loop"))


def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    site = Website({"/": page(b"x")})
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    outbound = Outbound(Destinations(), resolve=lambda *_: next(answers), connect=site._connect)
    assert b"".join(outbound.get("http://evil/")) == b"x"
    assert site.visited == ["93.184.216.34"]


def test_a_connection_that_ends_elsewhere_is_not_used() -> None:
    site = Website({"/": page(b"x")})

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        return site._connect("127.0.0.1", port, timeout_s)

    resolve = site.outbound().resolve
    with pytest.raises(Forbidden):
        list(Outbound(Destinations(), resolve=resolve, connect=connect).get("http://site/"))
    assert site.asked == []


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("file:///etc/shadow", {}),
        ("ftp://site/", {}),
        ("file:///etc/shadow", {"allowed_schemes": ("file",)}),
        ("http:///x", {}),
        ("", {}),
        ("http://site:22/", {}),
        ("http://site:0/", {"allowed_ports": (), "disallowed_ports": (0,)}),
        ("http://site/", {"allowed_hosts": ("other",)}),
        ("http://SITE./", {"disallowed_hosts": ("site",)}),
        ("https://site/", {"allowed_schemes": (), "disallowed_schemes": ("https",)}),
        ("http://site:x/", {}),
        ("http://site/\r\nX: y", {}),
        ("http://user@site/", {}),
        ("http://site/" + "x" * 5000, {}),
    ],
)
def test_a_url_that_rules_forbid_is_refused(url: str, rules: dict[str, tuple[object, ...]]) -> None:
    with pytest.raises((Forbidden, Invalid)):
        checked_url(url, Destinations(**rules))  # type: ignore[arg-type]


def test_errors_keep_what_a_url_holds_secret() -> None:
    site = Website({"/short?key=SECRET": page(b"x", length=5)})
    for url in (
        "http://ann:SECRET@site/", "http://site/none?key=SECRET", "http://nobody/?key=SECRET",
        "http://site/short?key=SECRET", "ftp://site/SECRET", "http://site/ SECRET",
    ):  # fmt: skip
        with pytest.raises(CloudError) as refused:
            list(site.outbound().get(url))
        assert "SECRET" not in repr(refused.value)


def test_what_breaks_off_is_not_taken_for_the_whole() -> None:
    site = Website({"/": page(b"half", length=8)})
    with pytest.raises(CannotFetch, match="broke off"):
        list(site.outbound().get("http://site/"))


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n"])
def test_the_head_of_an_answer_has_its_time_and_no_more(head: bytes) -> None:
    site = Website({"/": head}, held={"/"})
    with pytest.raises(CannotFetch, match="does not answer"):
        list(site.limited(answer_s=0.05).get("http://site/"))


@pytest.mark.parametrize(
    "begun",
    [
        b"Content-Length: 9\r\n\r\nbegin",
        b"\r\nbegin",  # as long as the connection
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n4;and so on",
    ],
)
def test_a_body_has_its_time_whatever_it_is_spent_on(begun: bytes) -> None:
    site = Website({"/": b"HTTP/1.1 200 OK\r\n" + begun}, held={"/"})
    with pytest.raises(CannotFetch, match="took longer than"):
        list(site.limited(longest_s=0.2).get("http://site/"))


def test_only_some_are_fetched_at_a_time() -> None:
    site = Website({"/": page(b"content"), "/slow": page(b"begin", length=9)}, held={"/slow"})
    outbound = site.limited(at_once=1)
    slow = outbound.get("http://site/slow")
    assert next(slow) == b"begin"
    with pytest.raises(Unavailable, match="1 URLs are being fetched"):
        list(outbound.get("http://site/"))
    with pytest.raises(Forbidden):  # what never may be fetched is told at once
        list(outbound.get("file:///etc/passwd"))
    slow.close()
    assert b"".join(outbound.get("http://site/")) == b"content"

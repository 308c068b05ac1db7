"""The consoles of guests as connections: screens that speak RFB, and serial lines."""

import contextlib
import socket

import pytest

from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.node.api import ConsoleKind
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.drivers.fake_screen import COLUMNS, ROWS, screen
from tests.node.bench import Bench
from tests.rfb import viewer_of


def received_until(connection: socket.socket, words: bytes, patience_s: float) -> bytes:
    connection.settimeout(patience_s)
    text = b""
    while words not in text:
        piece = connection.recv(4096)
        assert piece, text
        text += piece
    return text


def test_a_screen_shows_what_the_guest_writes(bench: Bench) -> None:
    guest_id = bench.booted()
    with bench.node.open_console(guest_id, "vnc") as connection:
        connection.settimeout(bench.patience_s)
        viewer = viewer_of(connection)
        shown = viewer.look()
    assert len(shown) == viewer.width * viewer.height * 4
    assert shown.count(shown[:4]) < len(shown) // 4, "all of one colour"


def test_a_serial_console_answers_what_is_typed(bench: Bench) -> None:
    guest_id = bench.booted()
    with bench.node.open_console(guest_id, "serial") as connection:
        connection.sendall(b"root\r")
        assert received_until(connection, b"root", bench.patience_s)
    log = bench.node.console_log(guest_id)
    assert b"root" in log


def test_the_consoles_end_with_the_guest(bench: Bench) -> None:
    guest_id = bench.guest()
    with (
        bench.node.open_console(guest_id, "vnc") as screen,
        bench.node.open_console(guest_id, "serial") as serial,
    ):
        bench.node.ensure_power(guest_id, "stopped", timeout_s=0)
        for connection in (screen, serial):
            connection.settimeout(bench.patience_s)
            # QEMU may go away with something unread, which is an end as good as another.
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass


@pytest.mark.parametrize("kind", ["vnc", "serial"])
def test_a_guest_that_does_not_run_has_no_console(bench: Bench, kind: ConsoleKind) -> None:
    guest_id = bench.guest()
    bench.node.ensure_power(guest_id, "stopped", timeout_s=0)
    with pytest.raises(Conflict, match="does not run"):
        bench.node.open_console(guest_id, kind)
    with pytest.raises(NotFound):
        bench.node.open_console(new_id(), kind)


def test_a_screen_shows_the_last_lines_and_breaks_long_ones() -> None:
    lines = screen("\n".join(str(number) for number in range(40)) + "\n" + "x" * 100)
    assert len(lines) == ROWS
    assert {len(line) for line in lines} == {COLUMNS}
    assert [line.rstrip() for line in lines[-3:]] == ["39", "x" * 80, "x" * 20 + "_"]


def test_what_is_typed_at_a_screen_shows_on_it(fake_bench: Bench, fake: FakeNode) -> None:
    guest_id = fake_bench.booted()
    with fake.open_console(guest_id, "vnc") as connection:
        connection.settimeout(5)
        viewer = viewer_of(connection)
        viewer.look()
        viewer.type("ann\n")
        assert viewer.look(incremental=True)
    assert b"ann\n\nLogin incorrect\n" in fake.console_log(guest_id)

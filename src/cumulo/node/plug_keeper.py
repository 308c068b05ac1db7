"""Putting back what somebody took out of the switch: bridges, and guests' links in them.

A link that is there but no longer plugged in was taken out by mistake: who unplugs a guest
removes its link too, a moment later.  So nothing is put back that is not missing twice.  A link
that is gone while it is still plugged in is its guest's hypervisor's to mend.
"""

import json
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import structlog

from cumulo.kit.errors import Unavailable
from cumulo.node import links
from cumulo.node.api import HostError
from cumulo.node.ovs import Plug, Switch

_SETTLED_S = 1.0
_PAUSE_S = 1.0  # until the next try when the database does not answer
_WATCHED = {"Interface": {"columns": ["external_ids", "ifindex"]}, "Bridge": {"columns": ["name"]}}
log = structlog.get_logger(__name__)


class PlugKeeper:
    """Watches a switch's database, and mends the switch when something went that should not."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._mend_guest: Callable[[str], None] | None = None
        self._known: dict[str, Plug] = {}
        self._closing = threading.Event()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="plugs", daemon=True)
        self._thread.start()

    def mend_guests_by(self, mend: Callable[[str], None]) -> None:
        """Call `mend` with the id of each guest that has lost a link, and look for such now."""
        self._mend_guest = mend
        os.write(self._wake_write, b"x")

    def close(self) -> None:
        """Stop watching; everything stays as it is."""
        self._closing.set()
        os.write(self._wake_write, b"x")
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                for _ in _changes(self._switch.socket, self._wake_read):
                    self._mend()
            except (OSError, ValueError, Unavailable, HostError) as error:
                log.info("switch is not watched", reason=str(error))
            self._closing.wait(_PAUSE_S)

    def _mend(self) -> None:
        """Look, and if something is missing look again, and put it back."""
        if self._is_whole():
            pass
        elif not self._closing.wait(_SETTLED_S):
            plugs = self._switch.plugs()
            missing, bridges = self._missing(plugs), self._switch.mend_bridges()
            for guest_id in self._guests_without_link(plugs):
                log.warning("guest has lost a link", guest_id=guest_id)
                assert self._mend_guest is not None
                self._mend_guest(guest_id)
            for plug in missing:
                self._switch.plug(plug)
            if bridges or missing:
                devices = [plug.device for plug in missing]
                log.warning("switch mended", bridges=bridges, devices=devices)
        present = self._switch.plugs()
        self._known = {one.device: one for one in present}

    def _is_whole(self) -> bool:
        plugs = self._switch.plugs()
        lost = self._missing(plugs) or self._guests_without_link(plugs)
        return not lost and not self._switch.lost_bridges()

    def _guests_without_link(self, plugs: Iterable[Plug]) -> list[str]:
        if self._mend_guest is None:
            return []
        gone = {one.guest_id for one in plugs if not links.exists(one.device)}
        return sorted(gone - {""})

    def _missing(self, plugs: Iterable[Plug]) -> list[Plug]:
        present = {one.device for one in plugs}
        # What was plugged in a moment ago has not been seen yet.
        known = {**self._known, **self._switch.asked_for}
        lost = [plug for name, plug in known.items() if name not in present]
        return [plug for plug in lost if links.exists(plug.device)]


def _changes(path: Path, wake: int) -> Iterator[None]:
    """Yield once at first and after each change, until `wake` can be read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        _send(sock, "monitor", ["Open_vSwitch", None, _WATCHED], 0)
        buffer = ""
        decoder = json.JSONDecoder()
        while True:
            ready, _, _ = select.select([sock.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 1)
                return
            data = sock.recv(1 << 16)
            if not data:
                raise OSError("the switch's database ended")
            buffer += data.decode()
            changed = False
            while buffer:
                try:
                    message, end = decoder.raw_decode(buffer)
                except ValueError:
                    break  # the rest is on its way
                buffer = buffer[end:].lstrip()
                if message.get("method") == "echo":
                    _send(sock, None, message["params"], message["id"])
                else:
                    changed = True
            if changed:
                yield


def _send(sock: socket.socket, method: str | None, content: object, number: object) -> None:
    message = (
        {"result": content, "error": None, "id": number}
        if method is None
        else {"method": method, "params": content, "id": number}
    )
    sock.sendall(json.dumps(message).encode())

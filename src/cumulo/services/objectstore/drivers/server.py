"""Serves this machine's devices to the cluster's other machines."""

import contextlib
import re
import socket
import threading
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from cumulo.kit import log
from cumulo.services.objectstore.drivers.asking import Answerer, answer, is_asked
from cumulo.services.objectstore.drivers.base import (
    DEVICE_CALLS,
    INDEX_CALLS,
    Device,
    DeviceFailed,
    Incoming,
    Index,
    NotWhole,
    Opened,
    Stored,
)
from cumulo.services.objectstore.drivers.frames import (
    BYTES,
    CALL,
    DONE,
    FAILED,
    SPOILED,
    Call,
    Wire,
)

LOG = log.get("objectstore")
_KEY = re.compile(r"[0-9a-f]{32}")
_STAMP = re.compile(r"[0-9.]{1,32}(_[0-9a-f]{1,32})?")
_NAME = re.compile(r"[0-9A-Za-z._-]{1,200}")
_WITH_MEMORY = ("begin", "keep", "open", "open_fragment", "block", "close")
_IDLE_S = 300.0
_HANDSHAKE_S = 10.0


class DeviceServer:
    """Listens from `start` to `stop`; a thread for each connection."""

    def __init__(
        self,
        devices: Callable[[str], Device],
        address: tuple[str, int],
        secret: bytes,
        answerer: Answerer,
    ) -> None:
        self._devices, self._secret, self._answerer = devices, secret, answerer
        self._listener = socket.create_server(address, backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Serve."""
        threading.Thread(target=self._accept, name="device-server", daemon=True).start()

    def stop(self) -> None:
        """Stop listening, and hang up on everybody."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            target = (connection,)
            threading.Thread(target=self._talk, args=target, name="device", daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(DeviceFailed, OSError):
            with self._lock:
                self._open.add(connection)
            try:
                connection.settimeout(_HANDSHAKE_S)
                wire = Wire(connection)
                start = wire.begun()
                if is_asked(start):
                    answer(connection, start, self._answerer)
                    return
                if not wire.let_in(self._secret):
                    LOG.warning("caller refused", peer=str(connection.getpeername()))
                    return
                connection.settimeout(_IDLE_S)
                with contextlib.closing(_Conversation(self._devices)) as conversation:
                    while True:
                        _answer(wire, conversation)
            finally:
                with self._lock:
                    self._open.discard(connection)


class _Conversation:
    """What one connection has under way: a replica on its way in, or an open object."""

    def __init__(self, devices: Callable[[str], Device]) -> None:
        self._devices = devices
        self._incoming: Incoming | None = None
        self._opened: Opened | None = None
        self._problem = ""

    def take(self, piece: bytes) -> None:
        """Add bytes to what is on its way in."""
        if self._incoming is None or self._problem:
            return
        try:
            self._incoming.write(piece)
        except DeviceFailed as error:
            self._problem = str(error)

    def carry_out(self, call: Call) -> bytes:
        """Return the answer to a call."""
        device = self._devices(call.device)
        if call.index is not None:
            kind, part, key = call.index
            if kind not in ("account", "container") or not _KEY.fullmatch(key):
                raise DeviceFailed("there is no such index")
            if call.method not in INDEX_CALLS:
                raise DeviceFailed(f"an index knows no {call.method!r}")
            return _called(device.index(kind, int(part), key), Index, call)
        if call.method in _WITH_MEMORY:
            return getattr(self, f"_{call.method}")(device, call)  # type: ignore[no-any-return]
        if call.method not in DEVICE_CALLS:
            raise DeviceFailed(f"a device knows no {call.method!r}")
        return _called(device, Device, call)

    def close(self) -> None:
        """Drop what was not kept."""
        if self._incoming is not None:
            self._incoming.discard()
        if self._opened is not None:
            self._opened.close()
        self._incoming = self._opened = None

    def _begin(self, device: Device, _: Call) -> bytes:
        self.close()
        self._incoming, self._problem = device.begin(), ""
        return b""

    def _keep(self, _: Device, call: Call) -> bytes:
        part, key, stored = msgspec.msgpack.decode(call.args, type=tuple[int, str, Stored])
        _check("key", key)
        _check("stamp", stored.stamp)
        if self._incoming is None or self._problem:
            raise DeviceFailed(self._problem or "nothing is on its way in")
        try:
            self._incoming.keep(part, key, stored)
        finally:
            self.close()
        return b""

    def _open(self, device: Device, call: Call) -> bytes:
        self.close()
        part, key = msgspec.msgpack.decode(call.args, type=tuple[int, str])
        _check("key", key)
        self._opened = device.open(part, key)
        return msgspec.msgpack.encode(self._opened.stored)

    def _open_fragment(self, device: Device, call: Call) -> bytes:
        self.close()
        args = msgspec.msgpack.decode(call.args, type=tuple[int, str, str, int])
        _check("key", args[1])
        _check("stamp", args[2])
        self._opened = device.open_fragment(*args)
        return msgspec.msgpack.encode(self._opened.stored)

    def _block(self, _: Device, call: Call) -> bytes:
        if self._opened is None:
            raise DeviceFailed("nothing is open")
        return self._opened.block(msgspec.msgpack.decode(call.args, type=tuple[int])[0])

    def _close(self, _: Device, __: Call) -> bytes:
        self.close()
        return b""


def _answer(wire: Wire, conversation: _Conversation) -> None:
    kind, content = wire.receive()
    if kind == BYTES:
        conversation.take(content)
        return
    if kind != CALL:
        raise DeviceFailed("this is no call")
    try:
        answer = conversation.carry_out(msgspec.msgpack.decode(content, type=Call))
    except NotWhole as error:
        wire.send(SPOILED, str(error).encode())
    except (DeviceFailed, msgspec.DecodeError) as error:
        wire.send(FAILED, str(error).encode())
    except Exception:
        LOG.exception("bug in a call")
        wire.send(FAILED, b"the call failed: see the log of the server")
    else:
        wire.send(DONE, answer)


def _called(target: Any, protocol: type, call: Call) -> bytes:
    """Call a method with arguments of the right kinds; names that become files are checked."""
    method = getattr(protocol, call.method)
    hints = {name: kind for name, kind in typing.get_type_hints(method).items() if name != "return"}
    args = msgspec.msgpack.decode(call.args, type=tuple[*hints.values()])  # type: ignore[misc]
    if protocol is Device:
        for name, value in zip(hints, args, strict=True):
            _check(name, value)
    return msgspec.msgpack.encode(getattr(target, call.method)(*args))


def _check(name: str, value: Any) -> None:
    patterns = {"key": _KEY, "stamp": _STAMP, "name": _NAME}
    pattern = patterns.get(name)
    if pattern is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
        raise DeviceFailed(f"{name} is no name here")
    if name == "kind" and value not in ("account", "container"):
        raise DeviceFailed("there is no such kind of index")

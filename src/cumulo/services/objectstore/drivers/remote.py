"""Devices of other machines, called as if they were here."""

import contextlib
import socket
import typing
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from cumulo.kit import clock
from cumulo.services.objectstore.drivers.base import (
    DEVICE_CALLS,
    INDEX_CALLS,
    Device,
    DeviceFailed,
    Index,
    NotWhole,
    State,
    Steps,
    Stored,
    checked_block,
    fill,
)
from cumulo.services.objectstore.drivers.frames import (
    BYTES,
    CALL,
    Call,
    ConnectionLost,
    Wire,
    encoded,
)

_CONNECT_S = 2.0
_ANSWER_S = 30.0
_AWAY_S = 1.0  # how long nobody tries a server that could not be reached
_IDLE_KEPT = 32


class Channel:
    """Connections to one server, each used by one caller at a time."""

    def __init__(self, host: str, port: int, secret: bytes) -> None:
        self._address, self._secret = (host, port), secret
        self._idle: list[Wire] = []
        self._away_until = 0.0

    def call(self, call: Call) -> bytes:
        """Have something done, and return what it answers."""
        wire, answer = self.begin(call)
        self.give_back(wire)
        return answer

    def begin(self, call: Call) -> tuple[Wire, bytes]:
        """Begin what more will be said about; return the connection and the answer.

        What went over a connection that had died meanwhile goes again: calls may be repeated.
        """
        content = msgspec.msgpack.encode(call)
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                break
            with contextlib.suppress(ConnectionLost):
                return wire, self._asked(wire, content)
        wire = self._connected()
        return wire, self._asked(wire, content)

    def give_back(self, wire: Wire) -> None:
        """Keep a connection over which nothing is under way."""
        if len(self._idle) < _IDLE_KEPT:
            self._idle.append(wire)
        else:
            wire.close()

    def close(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop().close()

    def _asked(self, wire: Wire, content: bytes) -> bytes:
        try:
            wire.send(CALL, content)
            return wire.answer()
        except ConnectionLost:
            wire.close()
            raise
        except DeviceFailed:
            self.give_back(wire)
            raise

    def _connected(self) -> Wire:
        if clock.timestamp() < self._away_until:
            raise ConnectionLost("the server could not be reached a moment ago")
        try:
            connection = socket.create_connection(self._address, timeout=_CONNECT_S)
        except OSError as error:
            self._away_until = clock.timestamp() + _AWAY_S
            raise ConnectionLost(f"the server cannot be reached: {error}") from error
        connection.settimeout(_ANSWER_S)
        wire = Wire(connection)
        try:
            wire.ask_in(self._secret)
        except DeviceFailed:
            wire.close()
            raise
        return wire


def remote_device(name: str, device: str, channel: Channel) -> Device:
    """Return a device behind a channel; `device` is what its own server calls it."""
    return cast(Device, _CallableDevice(name, device, channel))


class _Caller:
    """What asks a device, or one of its indexes, something."""

    def __init__(self, device: str, channel: Channel, index: tuple[str, int, str] | None) -> None:
        self.device, self.channel, self.index_of = device, channel, index

    def call(self, method: str, *args: Any) -> Call:
        """Return what is sent."""
        return Call(self.device, method, msgspec.Raw(encoded(*args)), self.index_of)

    def asked(self, result: Any, method: str, *args: Any) -> Any:
        """Ask, and return the answer as what it should be."""
        answer = self.channel.call(self.call(method, *args))
        try:
            return msgspec.msgpack.decode(answer, type=result)
        except msgspec.DecodeError as error:
            raise DeviceFailed("the server speaks another language") from error


class _RemoteDevice:
    def __init__(self, name: str, device: str, channel: Channel) -> None:
        self.name, self.caller = name, _Caller(device, channel, None)

    def begin(self) -> "_RemoteIncoming":
        """Open a place for a replica's bytes; its server keeps all in memory as it sees fit."""
        return _RemoteIncoming(self.caller)

    @property
    def disk(self) -> str:
        """Return a name of its own: its server writes."""
        return self.name

    def put(self, part: int, key: str, pieces: Sequence[bytes], stored: Stored) -> Steps:
        """Make an object of bytes that are all there."""
        fill(self.begin(), part, key, pieces, stored)
        yield from ()

    def open(self, part: int, key: str, _seen: State | None = None) -> "_RemoteOpened":
        """Open an object; the look is taken on the other side."""
        return _RemoteOpened(self.caller, "open", part, key)

    def open_fragment(self, part: int, key: str, stamp: str, index: int) -> "_RemoteOpened":
        """Open a fragment of an object."""
        return _RemoteOpened(self.caller, "open_fragment", part, key, stamp, index)

    def index(self, kind: str, part: int, key: str) -> Index:
        """Return an index."""
        return cast(Index, _RemoteIndex(self.caller.device, self.caller.channel, (kind, part, key)))


class _RemoteIncoming:
    """Bytes go out without waiting for an answer; what failed meanwhile is told at the end."""

    def __init__(self, caller: _Caller) -> None:
        self._caller = caller
        self._wire: Wire | None = None
        self._wire, _ = caller.channel.begin(caller.call("begin"))

    def write(self, piece: bytes | memoryview) -> None:
        """Add bytes."""
        self._sure().send(BYTES, piece)

    def write_out(self) -> None:
        """Leave that to the server, which has the bytes some time later."""

    def keep(self, part: int, key: str, stored: Stored) -> None:
        """Make it the object."""
        wire = self._sure()
        wire.send(CALL, msgspec.msgpack.encode(self._caller.call("keep", part, key, stored)))
        wire.answer()
        self._wire = None
        self._caller.channel.give_back(wire)

    def steps(self, part: int, key: str, stored: Stored) -> Steps:
        """Make it the object: its server takes the steps."""
        self.keep(part, key, stored)
        yield from ()

    def discard(self) -> None:
        """Hang up: the server drops what was not kept."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _sure(self) -> Wire:
        if self._wire is None:
            raise DeviceFailed("it is over")
        return self._wire


class _RemoteOpened:
    """An object's file, held open on the other side as long as the connection."""

    def __init__(self, caller: _Caller, method: str, *args: Any) -> None:
        self._caller = caller
        self._wire: Wire | None = None
        self._wire, answer = caller.channel.begin(caller.call(method, *args))
        try:
            self.stored = msgspec.msgpack.decode(answer, type=Stored)
        except msgspec.DecodeError as error:
            self._hang_up()
            raise DeviceFailed("the server speaks another language") from error

    def block(self, number: int) -> bytes:
        """Return a block; the network may spoil bytes as disks do."""
        if self._wire is None:
            raise DeviceFailed("it is over")
        try:
            self._wire.send(CALL, msgspec.msgpack.encode(self._caller.call("block", number)))
            piece = self._wire.answer()
        except ConnectionLost:
            self._hang_up()
            raise
        try:
            return checked_block(self.stored, number, piece)
        except NotWhole as error:
            # The server checked it: it was whole when it left.
            self._hang_up()
            raise DeviceFailed("bytes were spoiled on the way") from error

    def close(self) -> None:
        """Let go of it."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        try:
            wire.send(CALL, msgspec.msgpack.encode(self._caller.call("close")))
            wire.answer()
        except DeviceFailed:
            wire.close()
        else:
            self._caller.channel.give_back(wire)

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def __del__(self) -> None:
        self._hang_up()


def _method(name: str) -> Callable[..., Any]:
    result = typing.get_type_hints(getattr(Device, name))["return"]

    def call(self: _RemoteDevice, *args: Any) -> Any:
        return self.caller.asked(result, name, *args)

    return call


def _index_method(name: str) -> Callable[..., Any]:
    result = typing.get_type_hints(getattr(Index, name))["return"]

    def call(self: _Caller, *args: Any) -> Any:
        return self.asked(result, name, *args)

    return call


_CallableDevice: Any = type(
    "RemoteDevice", (_RemoteDevice,), {name: _method(name) for name in DEVICE_CALLS}
)
_RemoteIndex: Any = type("RemoteIndex", (_Caller,), {n: _index_method(n) for n in INDEX_CALLS})

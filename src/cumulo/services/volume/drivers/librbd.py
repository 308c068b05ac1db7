"""The few calls of Ceph's librados and librbd that volumes take, by their C interface.

The libraries come from the distribution, whose Python binding is for its own Python only.  A call
lets other threads run and returns once the cluster did it; `Trouble` carries the error's number.
"""

import ctypes
import errno
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any

import msgspec

_FORMAT_2, _OPTION_FORMAT, _OPTION_CLONE_FORMAT = 2, 0, 12
# A cluster that does not answer must not hold a thread for ever.
_TIMEOUTS = {
    "client_mount_timeout": "15",
    "rados_mon_op_timeout": "30",
    "rados_osd_op_timeout": "120",
}


class Trouble(Exception):
    """A call failed; `number` is an errno."""

    def __init__(self, doing: str, number: int) -> None:
        super().__init__(f"{doing}: {os.strerror(number)}")
        self.number = number


class Missing(Exception):
    """This machine has no librbd."""


class SnapshotEntry(msgspec.Struct, frozen=True):
    """A snapshot of an image."""

    number: int
    name: str
    size: int


class _Listed(ctypes.Structure):
    """rbd_image_spec_t."""

    _fields_ = [("id", c_char_p), ("name", c_char_p)]


class _Snap(ctypes.Structure):
    """rbd_snap_info_t."""

    _fields_ = [("id", c_uint64), ("size", c_uint64), ("name", c_char_p)]


class _Trashed(ctypes.Structure):
    """rbd_trash_image_info_t."""

    _fields_ = [
        ("id", c_char_p),
        ("name", c_char_p),
        ("source", c_int),
        ("deletion_time", ctypes.c_long),
        ("deferment_end_time", ctypes.c_long),
    ]


class _Timespec(ctypes.Structure):
    """struct timespec."""

    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


_SIZED = {"rbd_read": c_int64, "rbd_write": c_int64, "rbd_write_zeroes": c_int64}


@functools.cache
def _library(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise Missing(f"{name} is missing on this host: install librbd1.") from error


def _call(name: str, *arguments: Any) -> int:
    library = _library("librados.so.2" if name.startswith("rados") else "librbd.so.1")
    function = getattr(library, name)
    function.restype = _SIZED.get(name, c_int)
    result = int(function(*arguments))
    if result < 0:
        raise Trouble(name, -result)
    return result


def _void(name: str, *arguments: Any) -> None:
    function = getattr(
        _library("librados.so.2" if name.startswith("rados") else "librbd.so.1"), name
    )
    function.restype = None
    function(*arguments)


class Image:
    """An open image, or one of its snapshots."""

    def __init__(self, handle: c_void_p) -> None:
        self._handle = handle

    def size(self) -> int:
        """Return how many bytes it has."""
        size = c_uint64()
        _call("rbd_get_size", self._handle, byref(size))
        return size.value

    def resize(self, size: int) -> None:
        """Let it have as many bytes."""
        _call("rbd_resize", self._handle, c_uint64(size))

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes; those behind the end are left out."""
        buffer = ctypes.create_string_buffer(length)
        told = _call("rbd_read", self._handle, c_uint64(offset), c_size_t(length), buffer)
        return buffer.raw[:told]

    def write(self, offset: int, piece: bytes) -> None:
        """Put bytes there."""
        _call("rbd_write", self._handle, c_uint64(offset), c_size_t(len(piece)), piece)

    def write_zeros(self, offset: int, length: int) -> None:
        """Let bytes read as zeros, and take no room where that is possible."""
        where = (c_uint64(offset), c_size_t(length), c_int(0), c_int(0))
        _call("rbd_write_zeroes", self._handle, *where)

    def flush(self) -> None:
        """Return once all of it is kept."""
        _call("rbd_flush", self._handle)

    def note(self, key: str, value: str) -> None:
        """Note words with it."""
        _call("rbd_metadata_set", self._handle, key.encode(), value.encode())

    def noted(self, key: str) -> str | None:
        """Return the words noted under a key."""
        size = c_size_t(1024)
        buffer = ctypes.create_string_buffer(size.value)
        try:
            _call("rbd_metadata_get", self._handle, key.encode(), buffer, byref(size))
        except Trouble as trouble:
            if trouble.number == errno.ENOENT:
                return None
            raise
        return buffer.value.decode(errors="replace")

    def forget_note(self, key: str) -> None:
        """Forget the words noted under a key."""
        _call("rbd_metadata_remove", self._handle, key.encode())

    def modified_at(self) -> float:
        """Return when it was last written to, in seconds since 1970."""
        return self._time("rbd_get_modify_timestamp")

    def snapshot_made_at(self, number: int) -> float:
        """Return when a snapshot was made, in seconds since 1970."""
        return self._time("rbd_snap_get_timestamp", c_uint64(number))

    def _time(self, name: str, *arguments: Any) -> float:
        moment = _Timespec()
        _call(name, self._handle, *arguments, byref(moment))
        return float(moment.seconds)

    def create_snapshot(self, name: str) -> None:
        """Keep its bytes as they are now."""
        _call("rbd_snap_create", self._handle, name.encode())

    def remove_snapshot(self, name: str) -> None:
        """Forget what was kept; clones of it keep what they need."""
        _call("rbd_snap_remove", self._handle, name.encode())

    def rename_snapshot(self, name: str, to: str) -> None:
        """Give a snapshot another name."""
        _call("rbd_snap_rename", self._handle, name.encode(), to.encode())

    def roll_back(self, name: str) -> None:
        """Let it hold what was kept."""
        _call("rbd_snap_rollback", self._handle, name.encode())

    def snapshots(self) -> list[SnapshotEntry]:
        """List its snapshots."""
        most = c_int(16)
        while True:
            entries = (_Snap * most.value)()
            try:
                count = _call("rbd_snap_list", self._handle, entries, byref(most))
            except Trouble as trouble:
                if trouble.number != errno.ERANGE:
                    raise
                continue  # `most` was raised
            found = [SnapshotEntry(one.id, one.name.decode(), one.size) for one in entries[:count]]
            _void("rbd_snap_list_end", entries)
            return found


class Pool:
    """A pool of a cluster, connected to at the first call and again after it was lost."""

    def __init__(self, conf: str, user: str, name: str) -> None:
        self._conf, self._user, self._name = conf, user, name
        self._lock = threading.Lock()
        self._cluster: c_void_p | None = None
        self._context: c_void_p | None = None

    def option(self, name: str) -> str:
        """Return what an option of Ceph's is."""
        self._io()
        buffer = ctypes.create_string_buffer(4096)
        size = c_size_t(len(buffer))
        _call("rados_conf_get", self._cluster, name.encode(), buffer, size)
        return buffer.value.decode()

    def ask(self, **command: object) -> Any:
        """Ask a monitor; it answers in JSON."""
        self._io()
        words = msgspec.json.encode({**command, "format": "json"})
        out, told = c_char_p(), c_char_p()
        out_size, told_size = c_size_t(), c_size_t()
        given = (c_char_p * 1)(words)
        back = (byref(out), byref(out_size), byref(told), byref(told_size))
        _call("rados_mon_command", self._cluster, given, c_size_t(1), None, c_size_t(0), *back)
        try:
            return msgspec.json.decode(ctypes.string_at(out, out_size.value))
        finally:
            _void("rados_buffer_free", out)
            _void("rados_buffer_free", told)

    def create(self, name: str, size: int) -> None:
        """Make an empty image."""
        with self._options({_OPTION_FORMAT: _FORMAT_2}) as options:
            _call("rbd_create4", self._io(), name.encode(), c_uint64(size), options)

    def clone(self, source: str, snapshot: str, name: str) -> None:
        """Make an image of a snapshot, which it shares the bytes of."""
        io = self._io()
        # Of the second kind: the snapshot may be removed before the clone.
        with self._options({_OPTION_FORMAT: _FORMAT_2, _OPTION_CLONE_FORMAT: 2}) as options:
            names = (io, source.encode(), snapshot.encode(), io, name.encode())
            _call("rbd_clone3", *names, options)

    def remove(self, name: str) -> None:
        """Remove an image that has no snapshots."""
        _call("rbd_remove", self._io(), name.encode())

    def rename(self, name: str, to: str) -> None:
        """Give an image another name."""
        _call("rbd_rename", self._io(), name.encode(), to.encode())

    def names(self) -> list[str]:
        """List the images."""
        io = self._io()
        return _listed(_Listed, functools.partial(_call, "rbd_list2", io), _free_listed, _name)

    def throw_away(self, name: str) -> None:
        """Put an image into the trash, where it stays until nothing needs it."""
        _call("rbd_trash_move", self._io(), name.encode(), c_uint64(0))

    def trash(self) -> list[tuple[str, str]]:
        """List what is in the trash: number and name of each image."""
        io = self._io()
        ask = functools.partial(_call, "rbd_trash_list", io)
        return _listed(_Trashed, ask, _free_trashed, lambda one: (one.id.decode(), _name(one)))

    def remove_trashed(self, number: str) -> None:
        """Remove an image from the trash for good."""
        _call("rbd_trash_remove", self._io(), number.encode(), ctypes.c_bool(False))

    @contextmanager
    def opened(
        self, name: str, snapshot: str | None = None, *, reads: bool = False
    ) -> Iterator[Image]:
        """Give the block an image."""
        handle = c_void_p()
        how = "rbd_open_read_only" if reads or snapshot else "rbd_open"
        told = snapshot.encode() if snapshot else None
        _call(how, self._io(), name.encode(), byref(handle), told)
        try:
            yield Image(handle)
        finally:
            _void("rbd_close", handle)

    def let_go(self) -> None:
        """Part from the cluster; the next call connects again."""
        with self._lock:
            context, cluster = self._context, self._cluster
            self._context = self._cluster = None
            if context is not None:
                _void("rados_ioctx_destroy", context)
            if cluster is not None:
                _void("rados_shutdown", cluster)

    def _io(self) -> c_void_p:
        with self._lock:
            if self._context is None:
                self._connect()
            assert self._context is not None
            return self._context

    def _connect(self) -> None:
        cluster, context = c_void_p(), c_void_p()
        _call("rados_create", byref(cluster), self._user.encode())
        try:
            _call("rados_conf_read_file", cluster, self._conf.encode())
            for name, value in _TIMEOUTS.items():
                _call("rados_conf_set", cluster, name.encode(), value.encode())
            _call("rados_connect", cluster)
            _call("rados_ioctx_create", cluster, self._name.encode(), byref(context))
        except Trouble:
            _void("rados_shutdown", cluster)
            raise
        self._cluster, self._context = cluster, context

    @contextmanager
    def _options(self, wanted: dict[int, int]) -> Iterator[c_void_p]:
        options = c_void_p()
        _void("rbd_image_options_create", byref(options))
        try:
            for option, value in wanted.items():
                _call("rbd_image_options_set_uint64", options, c_int(option), c_uint64(value))
            yield options
        finally:
            _void("rbd_image_options_destroy", options)


def _listed(
    kind: type[Any], ask: Callable[..., int], free: Callable[..., None], of: Callable[[Any], Any]
) -> list[Any]:
    """Ask for a list with as much room as it takes."""
    count = c_size_t(64)
    while True:
        entries = (kind * count.value)()
        try:
            ask(entries, byref(count))
        except Trouble as trouble:
            if trouble.number != errno.ERANGE:
                raise
            continue  # `count` was raised
        found = [of(one) for one in entries[: count.value]]
        free(entries, count)
        return found


def _name(entry: Any) -> str:
    return str(entry.name.decode(errors="replace"))


def _free_listed(entries: Any, count: c_size_t) -> None:
    _void("rbd_image_spec_list_cleanup", entries, count)


def _free_trashed(entries: Any, count: c_size_t) -> None:
    _void("rbd_trash_list_cleanup", entries, count)

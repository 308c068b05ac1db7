"""How the commands of a host travel: names, arguments and results, all derived from `Node`.

A command is a POST to /v1/NAME with its arguments as one JSON object.  The answer is its result,
or an error by kind and message.  Unknown arguments are refused: a caller who says more than the
host understands must not believe it was heard.

A command that returns a socket is a stream: its answer is 101, and from there on the connection
carries what the socket does.
"""

import inspect
import socket
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cumulo.kit.errors import CloudError, Conflict, Invalid, NotFound, Unavailable
from cumulo.node.api import HostError, Node

PREFIX = "/v1/"
_KINDS: dict[str, type[CloudError]] = {
    kind.__name__: kind for kind in (Unavailable, HostError, NotFound, Conflict, Invalid)
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it travels."""

    kind: str
    message: str
    data: dict[str, str] = {}

    @classmethod
    def of(cls, error: CloudError) -> "Fault":
        """Spell an error; the caller sees the nearest kind it may know."""
        kind = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS), "")
        data = {key: str(value) for key, value in error.data.items()}
        return cls(kind=kind or HostError.__name__, message=error.message, data=data)

    def error(self) -> CloudError:
        """Return the error again."""
        return _KINDS.get(self.kind, HostError)(self.message, **self.data)


class Command:
    """One command: its arguments as a struct, and the type of its result."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.name = function.__name__
        self.signature = inspect.signature(function)
        hints = typing.get_type_hints(function)
        self.result: Any = hints.pop("return")
        fields = [
            (name, hints[name])
            if parameter.default is parameter.empty
            else (name, hints[name], parameter.default)
            for name, parameter in self.signature.parameters.items()
            if name != "self"
        ]
        self.arguments = msgspec.defstruct(
            self.name, fields, kw_only=True, forbid_unknown_fields=True
        )

    def encode_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """Spell the arguments of a call."""
        bound = self.signature.bind(None, *args, **kwargs)
        return msgspec.json.encode({k: v for k, v in bound.arguments.items() if k != "self"})

    def own_time(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        """Return the seconds that the caller grants the command in its own arguments."""
        bound = self.signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        return float(bound.arguments.get("timeout_s", 0.0))

    def call(self, target: object, body: bytes) -> bytes:
        """Carry the command out on `target`; return its result as it travels."""
        return msgspec.json.encode(self.carry_out(target, body))

    def carry_out(self, target: object, body: bytes) -> Any:
        """Carry the command out on `target`; return its result as it is."""
        try:
            arguments = msgspec.json.decode(body, type=self.arguments)
        except msgspec.MsgspecError as error:
            raise HostError(f"The host does not understand {self.name}: {error}") from error
        return getattr(target, self.name)(**msgspec.structs.asdict(arguments))

    def decode_result(self, body: bytes) -> Any:
        """Read a result that travelled."""
        return msgspec.json.decode(body, type=self.result)


def commands(protocol: type) -> dict[str, Command]:
    """Return the commands that a protocol's public methods are."""
    return {
        name: Command(function)
        for name, function in vars(protocol).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }


class Vocabulary:
    """The commands of protocols and, apart from them, those that open streams."""

    def __init__(self, *protocols: type) -> None:
        every = {name: each for one in protocols for name, each in commands(one).items()}
        self.streams = {name: each for name, each in every.items() if each.result is socket.socket}
        self.commands = {name: each for name, each in every.items() if name not in self.streams}


NODE = Vocabulary(Node)
STREAMS, COMMANDS = NODE.streams, NODE.commands

"""A walk: steps with names, each timed, and what they found."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cumulo.walks import reach
from cumulo.walks.client import Client, Refused

_BOOT_S = 300.0  # under emulation, on a machine that has other things to do


@dataclass
class Step:
    """What was done, what came of it and how long it took."""

    name: str
    outcome: str = ""
    seconds: float = 0.0


@dataclass
class Walk:
    """Someone walking through a cloud with the `openstack` command."""

    client: Client
    folder: Path  # for keys
    tell: Callable[[Step], None] = lambda _step: None
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time what is done in the block; an outcome may be put into the step."""
        step, began = Step(name), time.monotonic()
        yield step
        step.seconds = time.monotonic() - began
        self.steps.append(step)
        self.tell(step)

    @property
    def key(self) -> Path:
        """Return the file of the key that guests let in."""
        return self.folder / "mykey.pem"

    def await_status(self, server: str, wanted: str = "ACTIVE") -> None:
        """Return when the server has come to a status; raise when it came to ERROR."""

        def arrived() -> bool:
            found = self.client.show("server", "show", server)
            if found["status"] == "ERROR" != wanted:
                raise Refused(f"Server {server} is in ERROR: {found.get('fault')}")
            return bool(found["status"] == wanted)

        reach.until(f"{server} to become {wanted}", arrived, _BOOT_S)

    def await_ping(self, address: str) -> None:
        """Return when the address answers."""
        reach.until(
            f"{address} to answer a ping", lambda: reach.ping(address, self.client.prefix), _BOOT_S
        )

    def await_login(self, address: str, command: str = "hostname", port: int = 22) -> str:
        """Return what a command prints once the guest lets us in."""
        said: list[str] = []

        def logged_in() -> bool:
            answer = reach.ssh(address, self.key, command, port=port, prefix=self.client.prefix)
            said.extend([answer] if answer is not None else [])
            return answer is not None

        reach.until(f"a login at {address}", logged_in, _BOOT_S)
        return said[-1].strip()

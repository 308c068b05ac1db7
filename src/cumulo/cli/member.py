"""What runs on a machine that joined a cloud: the host, and nothing else."""

from typing import TYPE_CHECKING

import msgspec

from cumulo.cli.report import Tell
from cumulo.cli.state import State, write_private
from cumulo.kit.errors import CloudError, Invalid, NotFound
from cumulo.node.supervise import Supervisor

if TYPE_CHECKING:
    from cumulo.host import Host, JoinedCloud
    from cumulo.settings import Settings


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """Where to join, and with what."""

    host: str  # of the controller
    port: int
    token: str
    name: str
    address: str  # of this machine


def join(state: State, settings: "Settings", asked: Invitation) -> None:
    """Become part of a cloud: have a key, get a certificate for it, and remember whose it is."""
    from cumulo.host import JoinedCloud
    from cumulo.node.certificates import Identity, fingerprint_of
    from cumulo.node.controller import door
    from cumulo.node.tls import NobodysDialer

    place = (asked.host, asked.port)
    authority = door(NobodysDialer(place)).authority()
    try:
        is_it = fingerprint_of(authority) == asked.token.partition(".")[2]
    except ValueError:
        is_it = False
    if not is_it:
        raise Invalid(f"The cloud at {asked.host} is not the one that gave this token.")
    identity = Identity(state.tls)
    request = identity.request()
    try:
        membership = door(NobodysDialer(place, authority)).join(
            asked.token, asked.name, asked.address, settings.node.port, request
        )
    except CloudError as error:
        raise type(error)(f"The cloud at {asked.host} refuses: {error.message}") from error
    identity.keep(membership.certificate, authority)
    joined = JoinedCloud(membership=membership, address=asked.host)
    write_private(state.membership, msgspec.json.encode(joined))


def joined_cloud(state: State) -> "JoinedCloud":
    """Return the cloud that this machine joined."""
    from cumulo.host import JoinedCloud

    try:
        return msgspec.json.decode(state.membership.read_bytes(), type=JoinedCloud)
    except FileNotFoundError:
        raise NotFound(
            f"{state.directory} is no part of any cloud: `cumulo node join` makes it one."
        ) from None
    except msgspec.MsgspecError as error:
        raise Invalid(f"{state.membership} is damaged ({error}): join anew.") from error


class MemberProgram:
    """A host whose commands come from another machine."""

    def __init__(self, state: State, settings: "Settings") -> None:
        self._state, self._settings = state, settings
        self._supervisor = Supervisor(state.run, state.log)
        self._host: Host | None = None
        self._is_ready = False

    def prepare(self) -> None:
        """Make the state directory, on a machine that has what it takes."""
        from cumulo.host import check_programs

        check_programs(joined=True)
        joined_cloud(self._state)
        self._state.make_for_host()

    def start(self, tell: Tell) -> None:
        """Return when the host answers."""
        from cumulo.kit import log

        log.setup(self._settings.log_level)
        self._host = self._new_host()
        self._host.start(tell)
        self._is_ready = True

    def stop(self, tell: Tell) -> None:
        """Stop all, also what a killed predecessor left; guests survive a start that failed."""
        host = self._host or self._new_host()
        if self._host is not None and not self._is_ready and host.has_guests():
            self._supervisor.let_go()
            host.let_go()
            tell("Guests that run were left alone: `cumulo down` ends them")
            return
        host.stop()
        self._supervisor.stop_all()
        self._supervisor.let_go()
        tell("Guests, networks and daemons are gone")

    def _new_host(self) -> "Host":
        from cumulo.host import Host, HostPlan
        from cumulo.node.certificates import Identity

        plan = HostPlan(
            directory=self._state.directory,
            settings=self._settings.node,
            cloud=joined_cloud(self._state),
            identity=Identity(self._state.tls),
        )
        return Host(plan, self._supervisor)

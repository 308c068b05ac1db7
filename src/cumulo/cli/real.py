"""The cloud of `cumulo up`: this machine as a host, and the APIs in a process without rights."""

import platform
import pwd
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from cumulo.cli.database import check_tables
from cumulo.cli.report import Tell
from cumulo.cli.state import State, write_private
from cumulo.cli.unprivileged import command_as, ensure_user, import_path
from cumulo.node.supervise import Daemon, Supervisor

if TYPE_CHECKING:
    from cumulo.host import Host
    from cumulo.node.renewal import Renewal
    from cumulo.settings import Settings

_SERVE = "serve"


class RealProgram:
    """The host in this process, the rest in a child that is started again should it die."""

    def __init__(self, state: State, settings: "Settings") -> None:
        self._state, self._settings = state, settings
        self._supervisor = Supervisor(state.run, state.log)
        self._host: Host | None = None
        self._is_ready = False

    def prepare(self) -> None:
        """Make the state directory, on a machine that has what it takes."""
        from cumulo.host import check_programs

        check_programs()
        check_tables(self._state, self._settings)
        owner = ensure_user(self._settings.node.user)
        self._state.make(owner)
        self._state.passwords(owner)
        if self._settings.node.address:
            self._state.authority(owner)

    def start(self, tell: Tell) -> None:
        """Return when every port answers."""
        from cumulo.kit import log

        log.setup(self._settings.log_level)
        owner = ensure_user(self._settings.node.user)
        with ThreadPoolExecutor(max_workers=2) as pool:
            host = pool.submit(self._start_host, tell, owner[0])
            apis = pool.submit(self._start_apis, tell)
            for part in (host, apis):
                part.result()
        self._is_ready = True

    def stop(self, tell: Tell) -> None:
        """Stop all, also what a killed predecessor left.

        When the start failed, guests that ran before it go on.
        """
        host = self._host or self._new_host()
        if self._host is not None and not self._is_ready and host.has_guests():
            self._supervisor.let_go()
            host.let_go()
            tell("Guests that run were left alone: `cumulo down` ends them")
            return
        self._supervisor.stop(_SERVE)
        tell("The APIs are closed")
        host.stop()
        self._supervisor.stop_all()
        self._supervisor.let_go()
        self._state.node_socket.unlink(missing_ok=True)
        tell("Guests, networks and daemons are gone")

    def _start_host(self, tell: Tell, control_user: int) -> None:
        self._host = self._new_host(control_user)
        self._host.start(tell)

    def _new_host(self, control_user: int | None = None) -> "Host":
        from cumulo.host import Host, HostPlan, OwnCloud

        state, node = self._state, self._settings.node
        if control_user is None:
            control_user = pwd.getpwnam(node.user).pw_uid
        certificates = self._certificates(control_user) if node.address else {}
        cloud = OwnCloud(
            node_socket=state.node_socket,
            control_user=control_user,
            metadata_url=f"http://127.0.0.1:{self._settings.http.metadata_port}",
            metadata_secret=state.passwords().metadata,
            southbound=certificates["southbound"].identity if certificates else None,
            renewals=list(certificates.values()),
        )
        plan = HostPlan(
            directory=state.directory,
            settings=node,
            cloud=cloud,
            identity=certificates["host"].identity if certificates else None,
        )
        return Host(plan, self._supervisor)

    def _certificates(self, control_user: int) -> "dict[str, Renewal]":
        """Return what this machine and its southbound database show to other machines."""
        from cumulo.node.certificates import Identity
        from cumulo.node.renewal import Renewal

        owner = (control_user, pwd.getpwuid(control_user).pw_gid)
        name = self._settings.node.name or platform.node()
        authority = self._state.authority(owner)
        (self._state.directory / "ovn").mkdir(exist_ok=True)
        host = Identity(self._state.tls)
        southbound = Identity(self._state.directory / "ovn" / "tls")
        south = f"{name}-southbound"
        renewals = {
            "host": Renewal(host, lambda: host.take_from(authority, name, "host")),
            "southbound": Renewal(
                southbound, lambda: southbound.take_from(authority, south, "controller", owner)
            ),
        }
        for renewal in renewals.values():
            renewal.ask()
        return renewals

    def _start_apis(self, tell: Tell) -> None:
        self._supervisor.stop(_SERVE)  # a predecessor's may be of another version
        self._supervisor.ensure(self._apis())
        tell(f"APIs (as user {self._settings.node.user})")

    def _apis(self) -> Daemon:
        user = pwd.getpwnam(self._settings.node.user)
        copy = self._state.started_with
        write_private(copy, msgspec.json.encode(self._settings), (user.pw_uid, user.pw_gid))
        argv = [sys.executable, "-m", "cumulo", "serve", "--state", str(self._state.directory)]
        command, env = command_as(user.pw_name, argv, self._state.run / "view")
        return Daemon(
            name=_SERVE,
            argv=command,
            env={**env, "PYTHONPATH": import_path(), "HOME": "/nonexistent"},
            prepare=lambda: self._state.serving.unlink(missing_ok=True),
            ready=self._state.serving.exists,
            ready_timeout_s=60.0,
            grace_s=15.0,
        )

"""A cloud at work: its ports open, its workflows and reconcilers running."""

import dataclasses
import functools
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cumulo.app import Cloud, Machines, Outside
from cumulo.auth.context import system
from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict
from cumulo.kit.symptoms import Symptom
from cumulo.node import certificates
from cumulo.node.certificates import Authority, Identity, Peer
from cumulo.node.controller import CONTROLLER, DOOR
from cumulo.node.renewal import Renewal
from cumulo.node.server import CommandServer
from cumulo.node.tls import OpenTransport, TlsTransport
from cumulo.node.wire import Vocabulary
from cumulo.services.compute import public as compute
from cumulo.services.machines import public as machines
from cumulo.services.network import public as network
from cumulo.services.network.drivers.ovn import OvnDriver
from cumulo.services.objectstore.drivers.server import DeviceServer
from cumulo.services.objectstore.recon import served
from cumulo.services.objectstore.ring import LOOPBACK
from cumulo.web.edge import Api, Edge
from cumulo.web.gate import Gate
from cumulo.web.server import HttpServer
from cumulo.web.streaming import StreamingServer
from cumulo.work import reconciler, runner


class Serving:
    """A cloud at work: ports open, workflows and reconcilers running, until it is stopped."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._stop = threading.Event()
        self._servers: list[HttpServer] = []
        self._threads: list[threading.Thread] = []
        self._devices: DeviceServer | None = None
        self._machines: list[CommandServer] = []
        self._renewal: Renewal | None = None

    def start(self) -> None:
        """Open every port, then begin to work."""
        for api in self.cloud.apis:
            if api.claims is None:
                self._open(self._server(self.cloud.gate(api), api), api.name)
        self._open(self.cloud.relay(), "console")
        self._serve_devices()
        self._serve_machines()
        for worker in self.cloud.workers():
            worker.adopt_dead()
            self._run(worker.serve, self.cloud.settings.worker.threads, self._stop)
        scheduler = self.cloud.scheduler()
        scheduler.adopt_dead()
        self._run(scheduler.serve, self._stop)

    def stop(self) -> None:
        """Let requests and steps under way end, then close everything."""
        for server in self._servers:
            server.stop()
        if self._devices is not None:
            self._devices.stop()
        for port in self._machines:
            port.close()
        if self._renewal is not None:
            self._renewal.close()
        self._stop.set()
        for topic in (runner.TOPIC, reconciler.TOPIC):
            self.cloud.bell.ring(topic)
        for thread in self._threads:
            thread.join()
        self.cloud.db.close()

    def _serve_devices(self) -> None:
        """Lend the devices of objects to other machines where settings say at which address."""
        settings = self.cloud.settings.objectstore
        if settings.device_address != LOOPBACK:
            self._devices = served(
                self.cloud.state / "objects", settings, self.cloud.objectstore.cluster
            )
            self._devices.start()

    def _serve_machines(self) -> None:
        """Answer machines: those that join at one port, those that did at another."""
        known, node = self.cloud.outside.machines, self.cloud.settings.node
        if known is None:
            return
        tools, db = _desk(self.cloud, known.authority), self.cloud.db
        entrance = machines.Entrance(tools)

        def offer(connection: socket.socket) -> tuple[object, Vocabulary]:
            assert isinstance(connection, ssl.SSLSocket)
            who = certificates.peer(connection)
            assert who is not None
            return machines.Desk(tools, who.name), CONTROLLER

        def is_member(who: Peer) -> bool:
            return who.kind == "host" and db.read(machines.is_member, who.name, who.fingerprint)

        door = OpenTransport(known.identity, (node.address, node.join_port))
        desk = TlsTransport(known.identity, (node.address, node.controller_port), is_member)
        self._machines = [
            CommandServer(lambda _: (entrance, DOOR), door),
            CommandServer(offer, desk),
        ]
        for port in self._machines:
            port.start()
        name = _controller_name(self.cloud.outside.host)
        again = functools.partial(known.identity.take_from, known.authority, name, "controller")
        self._renewal = Renewal(known.identity, again)
        self._renewal.start()

    def _server(self, edge: Edge | Gate, api: Api) -> HttpServer:
        http = self.cloud.settings.http
        if api.takes_uploads:
            # A large body holds its thread as long as its client takes.
            threads = http.streaming_threads
            return StreamingServer(
                edge, http.host, api.port, threads=threads, is_quick=api.is_quick
            )
        return HttpServer(edge, api.host or http.host, api.port, threads=http.threads)

    def _open(self, server: HttpServer, name: str) -> None:
        try:
            server.start()
        except Conflict as error:
            choice = f"Choose another as {name}_port under [http] in cumulo.toml."
            raise Conflict(f"{error.message} {choice}") from error
        self._servers.append(server)

    def _run(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, name=work.__qualname__, daemon=True)
        thread.start()
        self._threads.append(thread)


def with_machines(outside: Outside, authority: Authority, directory: Path) -> Outside:
    """Let other machines join, known by certificates that are kept in a directory."""
    identity = Identity(directory)
    identity.take_from(authority, _controller_name(outside.host), "controller")
    return dataclasses.replace(outside, machines=Machines(authority, identity))


def outside_symptoms(db: Database, outside: Outside, *, mend: bool) -> list[Symptom]:
    """Say what is not as it should be on hosts and in the network."""
    nodes = outside.nodes
    if outside.machines is not None:
        nodes = machines.JoinedNodes(outside.nodes, db, outside.machines.identity)
    on_hosts = compute.host_symptoms(db, nodes, mend=mend)
    return on_hosts + network.symptoms(db, outside.driver, mend=mend)


def _controller_name(host: str) -> str:
    """Return the name by which machines that joined know their controller."""
    return f"{host}-controller"


def _desk(cloud: Cloud, authority: Authority) -> machines.DeskTools:
    """Return what machines that join, or have joined, are answered with."""
    node, http = cloud.settings.node, cloud.settings.http
    return machines.DeskTools(
        db=cloud.db,
        authority=authority,
        own=cloud.outside.host,
        controller=_controller_name(cloud.outside.host),
        port=node.controller_port,
        southbound_port=node.southbound_port,
        images=cloud.images,
        metadata=(http.host, http.metadata_port),
        secret=cloud.passwords.metadata.encode(),
        uses_image=compute.uses_image,
        has_network=compute.has_network,
    )


def remove_host(db: Database, name: str) -> None:
    """Strike a machine off that joined, unless servers are on it."""

    def remove(tx: Tx) -> None:
        machines.remove(tx, name)
        compute.remove_host(tx, system(), name)

    db.write(remove)


def forget_chassis(ovn: Path, name: str) -> None:
    """Let the running network know nothing more of a host."""
    if (ovn / "nb.sock").exists():
        driver = OvnDriver(f"unix:{ovn}/nb.sock", f"unix:{ovn}/sb.sock")
        try:
            driver.forget_host(name)
        finally:
            driver.close()

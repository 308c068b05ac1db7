"""A cloud at work: its ports open, its workflows and reconcilers running."""

import threading
from collections.abc import Callable
from typing import Any

from cumulo.app import Cloud
from cumulo.kit.errors import Conflict
from cumulo.services.objectstore.assembly import served
from cumulo.services.objectstore.drivers.server import DeviceServer
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

    def start(self) -> None:
        """Open every port, then begin to work."""
        for api in self.cloud.apis:
            if api.claims is None:
                self._open(self._server(self.cloud.gate(api), api), api.name)
        self._open(self.cloud.relay(), "console")
        self._serve_devices()
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
            self._devices = served(self.cloud.state / "objects", settings)
            self._devices.start()

    def _server(self, edge: Edge | Gate, api: Api) -> HttpServer:
        http = self.cloud.settings.http
        if api.takes_uploads:
            # A large body holds its thread as long as its client takes.
            return StreamingServer(edge, http.host, api.port, threads=http.streaming_threads)
        return HttpServer(edge, http.host, api.port, threads=http.threads)

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

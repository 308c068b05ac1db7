"""The object store as tests hold it: its edge, its devices, its reconcilers."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.services.objectstore import reconcile
from cumulo.services.objectstore.api import FAMILY, OPERATIONS, new_trans_id
from cumulo.services.objectstore.assembly import assembled
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.policy import RULES
from cumulo.services.objectstore.settings import ObjectStoreSettings
from cumulo.services.objectstore.tools import Tools
from cumulo.web.edge import Api, Edge
from tests.client import Answer, Client, authenticate

ANN = "ann:p1:member"
BEN = "ben:p2:member"
RESELLER = "root:p9:reselleradmin"
MIB = 1 << 20


class Service:
    def __init__(self, db: Database, directory: Path, **settings: Any) -> None:
        self.directory, self._db = directory, db
        limits = ObjectStoreSettings(**{"part_power": 4, **settings})
        self.tools = Tools(assembled(directory, limits), limits)
        self.give()

    def give(self, **tools: Any) -> None:
        """Serve with other tools than those at hand."""
        self.tools = dataclasses.replace(self.tools, **tools)
        api = Api(
            name="objectstore",
            port=8080,
            operations=OPERATIONS,
            policy=Policy(RULES),
            family=FAMILY,
            tools=self.tools,
            slash_counts=True,
            route_first=True,
            request_id_headers=("X-Trans-Id", "X-Openstack-Request-Id"),
            new_request_id=new_trans_id,
        )
        self.edge = Edge(api, self._db, authenticate)

    @property
    def devices(self) -> list[DiskDevice]:
        return [one for one in self.tools.cluster.devices.values() if isinstance(one, DiskDevice)]

    def user(self, token: str | None, account: str = "AUTH_p1") -> "User":
        return User(Client(self.edge, token), account)

    def files(self, kind: str = "data") -> list[Path]:
        """Return the files of objects, of all devices."""
        return sorted(self.directory.glob(f"d*/objects/*/*/*.{kind}"))

    def lose(self, number: int) -> DiskDevice:
        """Take a device away with all that it holds."""
        device = self.devices[number]
        shutil.rmtree(device.root)
        return device

    def mend(self) -> None:
        reconcile.update(self.tools)
        reconcile.repair(self.tools)
        reconcile.replicate(self.tools)

    def close(self) -> None:
        self.tools.cluster.close()


class User:
    """Somebody with an account; paths are below it."""

    def __init__(self, client: Client, account: str = "AUTH_p1") -> None:
        self.client, self.base = client, f"/v1/{account}"

    def ask(
        self,
        method: str,
        path: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Answer:
        """Send a request; keyword arguments are headers, with underscores for dashes."""
        given = {**(headers or {}), **{k.replace("_", "-"): v for k, v in more.items()}}
        url = f"{self.base}/{path}" if path else self.base
        return self.client.request(method, url, body=body, headers=given)

    def get(self, path: str = "", **headers: Any) -> Answer:
        return self.ask("GET", path, **headers)

    def head(self, path: str = "", **headers: Any) -> Answer:
        return self.ask("HEAD", path, **headers)

    def put(self, path: str, body: bytes = b"", **headers: Any) -> Answer:
        return self.ask("PUT", path, body, **headers)

    def post(self, path: str = "", body: bytes = b"", **headers: Any) -> Answer:
        return self.ask("POST", path, body, **headers)

    def delete(self, path: str, **headers: Any) -> Answer:
        return self.ask("DELETE", path, **headers)

    def names(self, path: str = "") -> list[str]:
        return self.get(path).text.splitlines()

    def filled(self, *paths: str) -> None:
        """Make containers and small objects."""
        for path in paths:
            assert self.put(path, path.encode()).status in (201, 202), path

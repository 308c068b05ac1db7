"""Guests of two projects that ask the metadata service."""

from typing import Any

import msgspec

from cumulo.auth import Context, Policy
from cumulo.db import Database, Tx
from cumulo.kit.clock import CLOCK
from cumulo.node.signatures import sign
from cumulo.services.compute.api.metadata import OPERATIONS
from cumulo.services.compute.instance_metadata import (
    InstanceMetadata,
    Key,
)
from cumulo.services.compute.metadata_requests import MetadataTools
from cumulo.services.network import networks, public, subnets
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.networks import NetworkSpec
from cumulo.services.network.public import NetworkSettings, Nic, Plug
from cumulo.services.network.public import Tools as NetworkTools
from cumulo.services.network.subnets import SubnetSpec
from cumulo.web import faults
from cumulo.web.edge import Api, Edge
from tests.client import Answer, Client, authenticate

SECRET = b"known to hosts"
VM1, VM2 = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
P1, P2 = "a" * 32, "b" * 32
IP, IP6 = "10.0.0.5", "fd00::5"


class Cloud:
    """Two projects, each with a guest of the same address in a network of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.passwords: dict[str, str] = {}
        self.extra: dict[str, Any] = {}
        self.networks = {P1: self._guest(P1, VM1), P2: self._guest(P2, VM2)}
        self.reads = 0
        tools = MetadataTools(
            secret=SECRET, instance_metadata=self.metadata, set_password=self.set_password
        )
        api = Api(
            name="metadata",
            port=8775,
            operations=OPERATIONS,
            policy=Policy({}),
            family=faults.PAGE,
            tools=tools,
            head_follows_get=True,
        )
        self.client = Client(Edge(api, db, authenticate), token=None)

    def _guest(self, project: str, server_id: str) -> str:
        tools = NetworkTools(self.db, FakeDriver(), NetworkSettings())
        ctx = Context(user_id="u", project_id=project, roles=frozenset({"member"}))

        def make(tx: Tx) -> str:
            network = networks.create_network(tx, ctx, tools.settings, NetworkSpec(name="n"))
            for cidr, version in (("10.0.0.0/24", 4), ("fd00::/64", 6)):
                spec = SubnetSpec(
                    network_id=network.id,
                    cidr=cidr,
                    ip_version=version,
                    enable_dhcp=version == 4,
                    dns_nameservers=["192.0.2.53"] if version == 4 else [],
                )
                now = networks.network_get(tx, network.id)
                subnets.create_subnet(tx, ctx, tools.settings, now, spec)
            plug = Plug(server_id=server_id, project_id=project)
            for address in (IP, IP6):
                nic = Nic(network_id=network.id, fixed_ip=address)
                public.create_server_port(tx, ctx, tools, plug, nic)
            return network.id

        return self.db.write(make)

    def metadata(self, tx: Tx, server_id: str) -> InstanceMetadata | None:
        self.reads += 1
        project = {VM1: P1, VM2: P2}.get(server_id, "")
        ports = public.ports_of_servers(tx, [server_id]).get(server_id, [])
        known: dict[str, Any] = {
            "id": server_id,
            "name": f"vm of {project[0]}",
            "hostname": "vm.novalocal",
            "project_id": project,
            "reservation_id": "r-12345678",
            "availability_zone": "nova",
            "flavor_name": "m1.tiny",
            "image_id": "abcdef01-2345-6789-abcd-ef0123456789",
            "key": Key(name="k", type="ssh", public_key="ssh-rsa AAAA k"),
            "user_data": b"#!/bin/sh\n\xff",
            "meta": {"role": "web"},
            "security_groups": ["default", "web"],
            "ports": ports,
            "subnets": public.subnets_of_ports(tx, ports),
            "block_devices": {"ami": "vda", "root": "/dev/vda"},
            "password": self.passwords.get(server_id, ""),
        }
        return InstanceMetadata(**{**known, **self.extra})

    def change(self, **extra: Any) -> None:
        """Change what is known, and wait until it is told."""
        self.extra = extra
        CLOCK.move(6)

    def set_password(self, tx: Tx, server_id: str, password: str) -> bool:
        return self.passwords.setdefault(server_id, password) == password

    def ask(self, path: str, project: str = P1, address: str = IP, **request: Any) -> Answer:
        network_id = self.networks[project]
        headers = {
            "X-Cumulo-Network-ID": network_id,
            "X-Forwarded-For": address,
            "X-Cumulo-Signature": sign(SECRET, network_id, address),
        }
        method = request.pop("method", "GET")
        return self.client.request(
            method, path, headers={**headers, **request.pop("more", {})}, **request
        )

    def told(self, path: str, **more: Any) -> str:
        answer = self.ask(path, **more)
        assert answer.status == 200, path
        return answer.text

    def json(self, path: str, **more: Any) -> Any:
        return msgspec.json.decode(self.told(path, **more))

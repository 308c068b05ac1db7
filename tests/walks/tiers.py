"""A load balancer with two interfaces, in a namespace that is plugged in as a guest would be."""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cumulo.node import links
from cumulo.walks.client import Client
from tests.walks.clouds import CommandCloud

_SETTINGS = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend world
    bind {face}:80
    default_backend web
backend web
    balance roundrobin
"""


class Balancer:
    """HAProxy before web servers, with a leg in each of some ports' networks."""

    def __init__(self, cloud: CommandCloud) -> None:
        self._cloud = cloud
        self.namespace = f"cubalancer-{os.getpid()}"
        self.prefix = ["nsenter", f"--net=/run/netns/{self.namespace}"]

    def plug(self, name: str, port: Mapping[str, Any], prefix: int) -> None:
        """Give it an interface by a port of the network."""
        cloud, device = self._cloud, f"tap{port['id'][:11]}"
        inner = f"b{port['id'][:11]}"
        assert cloud.namespace is not None
        made = f"link add {device} type veth peer name {inner}"
        there = f"link set {inner} netns {self.namespace}"
        links.change([made, there, f"link set {device} up"], cloud.namespace)
        links.inside(cloud.namespace, functools.partial(links.checksum_here, device))
        links.change(
            [f"link set {inner} name {name} address {port['mac_address']}"], self.namespace
        )
        links.inside(self.namespace, functools.partial(links.checksum_here, name))
        address = port["fixed_ips"][0]["ip_address"]
        links.ensure_addresses(name, [f"{address}/{prefix}"], self.namespace)
        ids = {"iface-id": port["id"], "attached-mac": port["mac_address"]}
        told = [f'external_ids:{key}="{value}"' for key, value in ids.items()]
        self._switch("add-port", "br-int", device, "--", "set", "Interface", device, *told)

    def unplug(self, port_id: str) -> None:
        """Take the interface away."""
        assert self._cloud.namespace is not None
        device = f"tap{port_id[:11]}"
        links.change([f"link delete {device}"], self._cloud.namespace)
        self._switch("--if-exists", "del-port", "br-int", device)

    def asks(self, address: str, port: int) -> str:
        """Return what it is told by who listens there; nothing where nobody lets it."""
        script = f"exec 3<>/dev/tcp/{address}/{port} && head -1 <&3"
        command = [*self.prefix, "timeout", "3", "bash", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    @contextmanager
    def serving(self, face: str, webs: Mapping[str, str], folder: Path) -> Iterator[None]:
        """Lead connections to `face` to the web servers in turn."""
        program = shutil.which("haproxy")
        if program is None:
            pytest.skip("needs haproxy")
        servers = [f"    server {name} {address}:80" for name, address in webs.items()]
        settings = folder / "haproxy.cfg"
        settings.write_text(_SETTINGS.format(face=face) + "\n".join([*servers, ""]))
        with subprocess.Popen([*self.prefix, program, "-db", "-q", "-f", settings]) as running:
            try:
                yield
            finally:
                running.terminate()

    def _switch(self, *words: str) -> None:
        self._cloud.output("ovs-vsctl", f"--db=unix:{self._cloud.state}/ovs/db.sock", *words)


@contextmanager
def balancer(cloud: CommandCloud) -> Iterator[Balancer]:
    """Make a load balancer that forwards packets, too."""
    made = Balancer(cloud)
    links.ensure_namespace(made.namespace)
    try:
        forward = ["sysctl", "-qw", "net.ipv4.ip_forward=1"]
        subprocess.run([*made.prefix, *forward], check=True)
        yield made
    finally:
        links.remove_namespace(made.namespace)


FACE_ADDRESS = "192.168.56.50"
FACE = (
    *("port", "create", "--network", "provider", "--security-group", "front"),
    *("--fixed-ip", f"subnet=provider-subnet,ip-address={FACE_ADDRESS}"),
    *("--allowed-address", "ip-address=10.12.0.0/16", "face"),
)
BACK = (
    *("port", "create", "--network", "inside", "--fixed-ip", "subnet=inside,ip-address=10.12.0.1"),
    *("--disable-port-security", "--no-security-group", "back"),
)
_PROVIDER = ("--provider-network-type", "flat", "--provider-physical-network", "provider")
_RULES = (
    ("front", "80"),
    ("front", "443"),
    ("web", "80", "--remote-ip", "10.12.0.1/32"),
    ("web", "22", "--remote-ip", "10.12.0.1/32"),
    ("database", "22", "--remote-ip", "10.12.0.1/32"),
    ("database", "3306", "--remote-group", "web"),
)


def networks(openstack: Client) -> None:
    """Make the networks of the exercise and what may pass between its tiers."""
    openstack.run("network", "create", "--external", *_PROVIDER, "provider")
    pool = ("--allocation-pool", "start=192.168.56.100,end=192.168.56.200")
    rest = ("--gateway", "192.168.56.1", "--subnet-range", "192.168.56.0/24", "provider-subnet")
    openstack.run("subnet", "create", "--network", "provider", *pool, *rest)
    openstack.run("network", "create", "inside")
    gateway = ("--gateway", "10.12.0.1", "--subnet-range", "10.12.0.0/16", "inside")
    openstack.run("subnet", "create", "--network", "inside", *gateway)
    for name in ("front", "web", "database"):
        openstack.run("security", "group", "create", name)
    for group, port, *remote in _RULES:
        tcp = ("--proto", "tcp", "--dst-port", port)
        openstack.run("security", "group", "rule", "create", *tcp, *remote, group)

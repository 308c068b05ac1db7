"""Removing what an earlier walk left, by its names."""

import contextlib

from cumulo.walks import private, provider
from cumulo.walks.client import Refused
from cumulo.walks.walk import Walk


def clear(walk: Walk) -> None:
    """Delete the walks' servers, networks and the rest; what is not there is not missed."""
    openstack = walk.client
    with walk.step("remove what an earlier demo left") as step:
        there = {row["Name"] for row in openstack.rows("server", "list")}
        networks = {row["Name"] for row in openstack.rows("network", "list")}
        images = {row["Name"] for row in openstack.rows("image", "list")}
        if not (there | networks | images) & {*_SERVERS, *_NETWORKS, "cirros"}:
            step.outcome = "nothing"
            return
        for server in sorted(there & set(_SERVERS)):
            openstack.run("server", "delete", "--wait", server)
        for row in openstack.rows("floating", "ip", "list"):
            openstack.run("floating", "ip", "delete", row["ID"])
        for command in _COMMANDS:
            with contextlib.suppress(Refused):
                openstack.run(*command.split())
        for network in sorted(networks & set(_NETWORKS)):
            openstack.run("network", "delete", network)


_SERVERS = (provider.SERVER, private.SERVER)
_NETWORKS = ("provider", "private-net", "public-net")
_COMMANDS = (
    "router remove subnet myrouter private-subnet",
    "router delete myrouter",
    "image delete cirros",
    "keypair delete mykey",
    "flavor delete m1.small",
)

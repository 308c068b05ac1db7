"""A private network, a router and a floating IP: a guest that is reached from outside."""

from cumulo.walks.client import Refused
from cumulo.walks.walk import Walk

SERVER = "vm1"


def networks(walk: Walk) -> None:
    """Make a network of the project's own, one that leads out, and a router between them."""
    openstack = walk.client
    with walk.step("openstack network create private-net, subnet create") as step:
        openstack.run("network", "create", "private-net")
        _subnet(walk, "private-net", "--subnet-range", "192.168.10.0/24", "private-subnet")
        step.outcome = "192.168.10.0/24"
    with walk.step("openstack network create public-net, subnet create") as step:
        kind = ["--provider-network-type", "flat", "--provider-physical-network", "physnet1"]
        openstack.run("network", "create", "public-net", "--external", *kind)
        options = ["--subnet-range", "203.0.113.0/24", "--no-dhcp", "--gateway", "203.0.113.1"]
        _subnet(walk, "public-net", *options, "public-subnet")
        step.outcome = "203.0.113.0/24"
    with walk.step("openstack router create, set gateway, add subnet"):
        openstack.run("router", "create", "myrouter")
        openstack.run("router", "set", "myrouter", "--external-gateway", "public-net")
        openstack.run("router", "add", "subnet", "myrouter", "private-subnet")


def guest(walk: Walk) -> None:
    """Start a guest on the private network."""
    openstack = walk.client
    with walk.step("openstack server create vm1"):
        options = ["--flavor", "m1.small", "--image", "cirros", "--network", "private-net"]
        options += ["--security-group", "default", "--key-name", "mykey"]
        openstack.run("server", "create", *options, SERVER)
        walk.await_status(SERVER)


def floating_ip(walk: Walk) -> str:
    """Give the guest an address outside and return it."""
    openstack = walk.client
    with walk.step("openstack floating ip create, server add floating ip") as step:
        made = openstack.show("floating", "ip", "create", "public-net")
        address = str(made["floating_ip_address"])
        openstack.run("server", "add", "floating", "ip", SERVER, address)
        step.outcome = address
    return address


def log_in(walk: Walk, address: str) -> None:
    """Reach the guest from outside, and the outside from the guest."""
    with walk.step(f"ping {address}") as step:
        walk.await_ping(address)
        step.outcome = "it answers"
    with walk.step(f"ssh -i mykey.pem cirros@{address}") as step:
        command = "hostname; ip -4 -o addr show eth0 | awk '{print $4}'; ping -c1 -W2 203.0.113.1"
        name, inner, *rest = walk.await_login(address, command).splitlines()
        if not any("1 packets received" in line for line in rest):
            raise Refused(f"{name} does not reach 203.0.113.1: {rest}")
        step.outcome = f"{name}, inside {inner}, reaches outside"


def _subnet(walk: Walk, network: str, *options: str) -> None:
    walk.client.run("subnet", "create", "--network", network, *options)

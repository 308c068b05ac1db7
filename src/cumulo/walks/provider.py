"""One machine, one flat network: from an empty cloud to a guest that the machine logs in to.

The commands are those of the installation guides, as they are typed there.
"""

from pathlib import Path

from cumulo.walks.walk import Walk

SERVER = "demo-instance"


def identity(walk: Walk) -> None:
    """Show who we are and what there is."""
    openstack = walk.client
    with walk.step("openstack token issue") as step:
        step.outcome = f"for project {openstack.show('token', 'issue')['project_id']}"
    with walk.step("openstack service list, hypervisor list") as step:
        services = [row["Name"] for row in openstack.rows("service", "list")]
        hosts = [row["Hypervisor Hostname"] for row in openstack.rows("hypervisor", "list")]
        step.outcome = f"{', '.join(sorted(services))}; {', '.join(hosts)}"


def flavor_and_image(walk: Walk, image: Path) -> None:
    """Say how large guests are and what they start from."""
    openstack = walk.client
    with walk.step("openstack flavor create m1.small") as step:
        size = ["--id", "1", "--ram", "2048", "--disk", "20", "--vcpus", "2"]
        openstack.run("flavor", "create", *size, "m1.small")
        step.outcome = "2 GB, 20 GB disk, 2 CPUs"
    with walk.step("openstack image create cirros") as step:
        formats = ["--disk-format", "qcow2", "--container-format", "bare"]
        made = openstack.show(
            "image", "create", "cirros", "--file", str(image), *formats, "--public"
        )
        step.outcome = str(made["status"])


def flat_network(walk: Walk) -> None:
    """Let guests into the network that the machine itself is in."""
    openstack = walk.client
    with walk.step("openstack network create provider, subnet create") as step:
        kind = ["--provider-network-type", "flat", "--provider-physical-network", "provider"]
        openstack.run("network", "create", "--external", *kind, "provider")
        pool = "start=192.168.56.100,end=192.168.56.200"
        options = ["--allocation-pool", pool, "--gateway", "192.168.56.1"]
        options += ["--subnet-range", "192.168.56.0/24"]
        openstack.run("subnet", "create", "--network", "provider", *options, "provider-subnet")
        step.outcome = "192.168.56.100 to .200"


def access(walk: Walk) -> None:
    """Make a key and let ping and SSH through."""
    openstack = walk.client
    with walk.step("openstack keypair create mykey"):
        walk.key.unlink(missing_ok=True)
        walk.key.touch(mode=0o600)
        walk.key.write_text(openstack.run("keypair", "create", "mykey"))
    with walk.step("openstack security group rule create"):
        for rule in (["icmp"], ["tcp", "--dst-port", "22"]):
            openstack.run("security", "group", "rule", "create", "--proto", *rule, "default")


def boot(walk: Walk) -> str:
    """Start a guest on the flat network and return its address."""
    openstack = walk.client
    network = openstack.value("id", "network", "show", "provider")
    with walk.step("openstack server create demo-instance"):
        options = ["--flavor", "m1.small", "--image", "cirros", "--nic", f"net-id={network}"]
        options += ["--security-group", "default", "--key-name", "mykey"]
        openstack.run("server", "create", *options, SERVER)
    with walk.step("the guest is ACTIVE"):
        walk.await_status(SERVER)
    return str(openstack.show("server", "show", SERVER)["addresses"]["provider"][0])


def log_in(walk: Walk, address: str) -> None:
    """Reach the guest from the machine itself."""
    with walk.step(f"ping {address}") as step:
        walk.await_ping(address)
        step.outcome = "it answers"
    with walk.step(f"ssh -i mykey.pem cirros@{address}") as step:
        step.outcome = f"logged in, its name is {walk.await_login(address)}"


def console_log(walk: Walk) -> str:
    """Return what the guest said while it started."""
    with walk.step("openstack console log show demo-instance") as step:
        log = walk.client.run("console", "log", "show", SERVER)
        step.outcome = f"{len(log.splitlines())} lines"
    return log

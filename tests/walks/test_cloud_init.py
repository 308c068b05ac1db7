"""A Debian guest whose own cloud-init does what user data says, however it is told."""

import functools
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from cumulo.walks import provider, reach
from cumulo.walks.walk import Walk
from tests.chaos.inside import Speaker
from tests.debian import PACKAGE, debian_image
from tests.walks.clouds import CommandCloud

pytestmark = [pytest.mark.real, pytest.mark.timeout(2400)]
BOOTS_IN_S = 1200
USER = "deploy"
USER_DATA = f"""#cloud-config
hostname: web01
users:
  - name: {USER}
    shell: /bin/bash
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys: ["KEY"]
write_files:
  - path: /etc/cumulo-told
    content: "written by user data"
    permissions: "0640"
packages: [{PACKAGE}]
runcmd:
  - "{PACKAGE} > /run/ran"
"""
# How it is told -> what cloud-init calls that.
WAYS = {"metadata": "DataSourceOpenStackLocal", "drive": "DataSourceConfigDrive"}


@dataclass
class Debian:
    """Guests by how they are told, and how to reach them."""

    walk: Walk
    addresses: dict[str, str]

    def run(self, way: str, command: str) -> str:
        """Return what a command says; a guest that is busy may not let in at once."""
        said = list[str]()

        def is_said() -> bool:
            said.extend(one for one in [self.try_to(way, command)] if one is not None)
            return bool(said)

        reach.until(f"{way}: {command}", is_said, 60, every_s=2)
        return said[0].strip()

    def try_to(self, way: str, command: str) -> str | None:
        prefix = self.walk.client.prefix
        return reach.ssh(self.addresses[way], self.walk.key, command, user=USER, prefix=prefix)


@pytest.fixture(scope="module")
def debian(real: CommandCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """Both guests, once cloud-init is done with them."""
    image, folder = debian_image(), tmp_path_factory.mktemp("walk")
    with closing(real.client()) as client:
        walk = Walk(client, folder, tell=print)
        provider.flat_network(walk)
        provider.access(walk)
        client.run("flavor", "create", "--ram", "512", "--disk", "2", "--vcpus", "1", "debian")
        formats = ["--disk-format", "qcow2", "--container-format", "bare"]
        agent = ["--property", "hw_qemu_guest_agent=yes"]
        client.run("image", "create", "debian", "--file", str(image), *formats, *agent)
        public = client.run("keypair", "show", "--public-key", "mykey").strip()
        user_data = folder / "init.yaml"
        user_data.write_text(USER_DATA.replace("KEY", public))
        network = client.value("id", "network", "show", "provider")
        guests = Debian(walk, {})
        for way in WAYS:
            options = ["--flavor", "debian", "--image", "debian", "--nic", f"net-id={network}"]
            options += ["--key-name", "mykey", "--user-data", str(user_data)]
            options += ["--config-drive", "True"] if way == "drive" else []
            client.run("server", "create", "--wait", *options, way)
            found = client.show("server", "show", way)["addresses"]["provider"]
            guests.addresses[way] = found[0]
        for way in WAYS:
            done = functools.partial(_is_done, guests, way)
            reach.until(f"{way} to be done", done, BOOTS_IN_S, every_s=2)
        yield guests


def _is_done(guests: Debian, way: str) -> bool:
    return guests.try_to(way, "test -e /run/cloud-init/result.json") is not None


@pytest.mark.parametrize("way", WAYS)
def test_cloud_init_does_what_it_is_told(debian: Debian, way: str) -> None:
    assert WAYS[way] in debian.run(way, "cat /run/cloud-init/result.json")
    assert '"errors": []' in debian.run(way, "cat /run/cloud-init/result.json")
    assert debian.run(way, "hostname") == "web01"
    assert debian.run(way, "sudo cat /etc/cumulo-told") == "written by user data"
    assert debian.run(way, "stat -c %a /etc/cumulo-told") == "640"
    assert debian.run(way, "cat /run/ran") == "installed"
    assert PACKAGE in debian.run(way, f"dpkg -S /usr/bin/{PACKAGE}")
    instance = debian.walk.client.value("id", "server", "show", way)
    assert debian.run(way, "cat /run/cloud-init/.instance-id") == instance
    assert re.fullmatch(r"[1-9]", debian.run(way, "nproc"))


def test_the_agent_inside_sets_the_password(debian: Debian) -> None:
    client, shadow = debian.walk.client, "sudo grep ^root: /etc/shadow"
    before = debian.run("metadata", shadow)
    client.run("server", "set", "--password", "a new secret", "metadata")
    after = debian.run("metadata", shadow)
    assert (before != after, after.startswith("root:$")) == (True, True)
    client.run("server", "stop", "metadata")
    debian.walk.await_status("metadata", "SHUTOFF")


def test_a_guest_tells_its_password_once(debian: Debian, real: CommandCloud) -> None:
    where = "http://169.254.169.254/openstack/latest/password"
    post = f"from urllib.request import urlopen; print(urlopen('{where}', b'WORD').status)"
    command = f'python3 -c "{post}"'
    assert debian.run("drive", command.replace("WORD", "sealed")) == "200"
    assert debian.try_to("drive", command.replace("WORD", "other")) is None
    instance = debian.walk.client.value("id", "server", "show", "drive")
    speak, place = Speaker(real), f"/v2.1/servers/{instance}/os-server-password"
    assert speak("GET", "compute", place).json() == {"password": "sealed"}
    speak.delete("compute", place)
    assert speak("GET", "compute", place).json() == {"password": ""}

"""From a request for a server to its SSH, against bare QEMU with the same guest.

Set BENCH_GUEST to a qcow2 image with an SSH server, and run this where the flat network
`provider` of a real cloud can be reached.  Both ways end with the first words of the SSH server.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.http import Cloud, tell

_MEMORY_MIB, _TIMES, _PATIENCE_S = 256, int(os.environ.get("BENCH_GUESTS", "3")), 120.0


def guests(cloud: Cloud) -> None:
    """Measure both in turn, so that both meet the same machine, and tell how they compare."""
    image = os.environ.get("BENCH_GUEST")
    if not image:
        return
    boot = _prepared(cloud, Path(image))
    pairs = [(boot(), _bare(Path(image))) for _ in range(_TIMES)]
    served, bare = (sorted(each)[_TIMES // 2] for each in zip(*pairs, strict=True))
    tell("server create to SSH", "s", served)
    tell("bare QEMU to SSH", "s", bare)
    tell("server create to SSH against bare QEMU", "ratio", served / bare)


def _prepared(cloud: Cloud, image: Path) -> Callable[[], float]:
    """Make what a server needs, boot one so that the host has the image, return what measures."""
    kind = {"name": "bench-guest", "disk_format": "qcow2", "container_format": "bare"}
    image_id = cloud.json("POST", "image", "/v2/images", kind)["id"]
    octets = {"Content-Type": "application/octet-stream"}
    cloud.call(
        "PUT", f"{cloud.urls['image']}/v2/images/{image_id}/file", image.read_bytes(), octets
    )
    size = {"name": "bench-guest", "vcpus": 1, "ram": _MEMORY_MIB, "disk": 1, "id": "bench-guest"}
    cloud.json("POST", "compute", "/flavors", {"flavor": size})
    server = {
        "name": "bench-guest",
        "flavorRef": "bench-guest",
        "imageRef": image_id,
        "networks": [{"uuid": _network(cloud)}],
    }
    boot = partial(_served, cloud, server)
    boot()
    return boot


def _network(cloud: Cloud) -> str:
    """Return the flat network of this machine, with SSH let through."""
    network = {
        "name": "bench-provider",
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": "provider",
    }
    made = cloud.json("POST", "network", "/v2.0/networks", {"network": network})["network"]["id"]
    pool = {"start": "192.168.56.100", "end": "192.168.56.200"}
    subnet = {"network_id": made, "ip_version": 4, "cidr": "192.168.56.0/24"}
    subnet |= {"allocation_pools": [pool], "gateway_ip": "192.168.56.1"}
    cloud.json("POST", "network", "/v2.0/subnets", {"subnet": subnet})
    groups = cloud.json("GET", "network", "/v2.0/security-groups?name=default")["security_groups"]
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    for group in groups:
        ours = {**rule, "security_group_id": group["id"]}
        url = f"{cloud.urls['network']}/v2.0/security-group-rules"
        cloud.call("POST", url, {"security_group_rule": ours})  # it may be there already
    return str(made)


def _served(cloud: Cloud, server: dict[str, object]) -> float:
    began = time.perf_counter()
    server_id = cloud.json("POST", "compute", "/servers", {"server": server})["server"]["id"]
    found: list[str] = []
    while not found:
        shown = cloud.json("GET", "compute", f"/servers/{server_id}")["server"]
        if shown["status"] == "ERROR":
            raise SystemExit(f"the server came to nothing: {shown['fault']['message']}")
        found = [one["addr"] for every in shown["addresses"].values() for one in every]
    took = _until_ssh(found[0], 22, began)
    cloud.json("DELETE", "compute", f"/servers/{server_id}")
    return took


def _bare(image: Path) -> float:
    with tempfile.TemporaryDirectory() as directory, _free_port() as port:
        disk = Path(directory) / "disk.qcow2"
        chain = ["-f", "qcow2", "-F", "qcow2", "-b", str(image.absolute())]
        subprocess.run(["qemu-img", "create", "-q", *chain, str(disk), "1G"], check=True)
        argv = ["qemu-system-x86_64", "-machine", f"q35,accel={accelerator()}", "-cpu", "max"]
        argv += ["-nographic", "-monitor", "none", "-m", str(_MEMORY_MIB)]
        argv += ["-drive", f"file={disk},if=virtio,format=qcow2"]
        argv += ["-netdev", f"user,id=n,{_network_of_its_own(Path(directory), port)}"]
        argv += ["-device", "virtio-net-pci,netdev=n", "-serial", f"file:{directory}/console"]
        began = time.perf_counter()
        guest = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            return _until_ssh("127.0.0.1", port, began)
        finally:
            guest.kill()
            guest.wait()


def _network_of_its_own(directory: Path, port: int) -> str:
    """Return a network with metadata as a cloud has it: else the guest would wait for them."""
    told = b'{"uuid": "bare", "hostname": "bare"}'
    head = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told)
    (directory / "answer").write_bytes(head + told)
    script = directory / "metadata"
    script.write_text(f"#!/bin/sh\nread -r request\nexec cat {directory}/answer\n")
    script.chmod(0o755)
    net = "net=169.254.169.0/24,dhcpstart=169.254.169.15"
    metadata = f"guestfwd=tcp:169.254.169.254:80-cmd:{script}"
    return f"{net},{metadata},hostfwd=tcp:127.0.0.1:{port}-:22"


def accelerator() -> str:
    """Return what QEMU can use; /dev/kvm may open where no guest can start."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return "kvm" if {"svm", "vmx"} & set(flags) and Path("/dev/kvm").exists() else "tcg"


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
    yield port


def _until_ssh(address: str, port: int, began: float) -> float:
    """Return the seconds since `began` once an SSH server has said what it is."""
    while time.perf_counter() - began < _PATIENCE_S:
        with contextlib.suppress(OSError):
            if _greeting(address, port) == b"SSH-":
                return time.perf_counter() - began
        time.sleep(0.02)
    raise SystemExit(f"no SSH at {address}:{port} within {_PATIENCE_S:g} s")


def _greeting(address: str, port: int) -> bytes:
    with socket.create_connection((address, port), timeout=1) as connection:
        connection.settimeout(5)
        return connection.recv(4)

"""`make bench`: measure the cloud at OS_AUTH_URL, or an emulated one started for it."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bcrypt

from bench.guest import guests
from bench.guest_io import guest_io
from bench.hammer import hammer
from bench.http import Cloud, tell, timed, together
from bench.pages import pages

MANY = int(os.environ.get("MANY", "1000"))
PROVIDERS = 6 * MANY
CLIENTS = 8


def main() -> None:
    """Measure everything, in the order in which the parts need each other."""
    if "OS_AUTH_URL" in os.environ:
        measure(Cloud(os.environ["OS_AUTH_URL"]))
        return
    with tempfile.TemporaryDirectory() as directory:
        process = start(Path(directory))
        try:
            measure(Cloud(os.environ["OS_AUTH_URL"], process.pid))
            tell("memory of the cloud", "MiB PSS", pss(process.pid))
        finally:
            process.terminate()
            process.wait()


def start(directory: Path, more: str = "") -> subprocess.Popen[bytes]:
    """Start an emulated cloud, with more settings; tell how long until it gave a token."""
    config = directory / "cumulo.toml"
    config.write_text(f"log_level = 'warning'\n[emulated]\nhosts = 4\n{more}")
    began = time.perf_counter()
    argv = [sys.executable, "-m", "cumulo", "up", "--emulate", "--state", str(directory)]
    process = subprocess.Popen([*argv, "--config", str(config)], stdout=subprocess.DEVNULL)
    url = "http://127.0.0.1:5000/v3"
    while not answers(url):
        time.sleep(0.01)
    clouds = directory / "admin-openrc"
    while not clouds.exists():
        time.sleep(0.01)
    for line in clouds.read_text().splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        os.environ[name] = value.strip("'\"")
    os.environ["OS_AUTH_URL"] = url
    Cloud(url).log_in()
    tell("from process start to the first token", "s", time.perf_counter() - began)
    tell("memory when ready", "MiB PSS", pss(process.pid))
    return process


def answers(url: str) -> bool:
    """Say whether the address answers."""
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True


def family(pid: int) -> list[int]:
    """Return a process and those that it started."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def pss(pid: int) -> float:
    """Return the memory of a process and of those that it started, shared pages by share."""
    return sum(map(_pss, family(pid)))


def _pss(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) / 1024 for line in rollup.splitlines() if "Pss:" in line)


def measure(cloud: Cloud) -> None:
    """Measure every service in turn."""
    cloud.log_in()
    for part in (
        tokens,
        users,
        networks,
        providers,
        images,
        servers,
        volumes,
        pages,
        guests,
        guest_io,
    ):
        part(cloud)


def rate(cloud: Cloud, name: str, work: Callable[[], object], times: int) -> None:
    """Tell how often something is done a second, and what of the cloud's processor it takes."""
    before = cloud.processor_s()
    seconds = together([work] * times, CLIENTS)
    used = {"cpu_ms": round((cloud.processor_s() - before) / times * 1000, 2)} if cloud.pid else {}
    tell(name, "1/s", times / seconds, clients=CLIENTS, **used)


def p50(name: str, found: list[float]) -> None:
    """Tell the median and the slowest of some times."""
    tell(name, "ms p50", found[len(found) // 2], p99=round(found[int(len(found) * 0.99)], 3))


def tokens(cloud: Cloud) -> None:
    """Log in for the first time and again, validate from one client and from several."""
    cloud.json("POST", "identity", "/users", {"user": {"name": "bench", "password": "bench-1"}})
    [first] = timed(partial(cloud.unscoped, "bench", "bench-1"), 1)
    [alone] = timed(partial(bcrypt.hashpw, b"bench-1", bcrypt.gensalt(12)), 1)
    tell("first login", "ms", first, bcrypt_alone=round(alone, 3))
    p50("login again", timed(partial(cloud.unscoped, "bench", "bench-1"), 50))
    p50("token issue", timed(cloud.log_in, 20))
    url = f"{cloud.urls['identity']}/auth/tokens"
    headers = {"X-Auth-Token": cloud.token, "X-Subject-Token": cloud.token}
    for clients in (1, CLIENTS):
        blows = hammer(url, headers, 4000 * clients, clients)
        median, most = (round(blows.percentile(share), 3) for share in (0.5, 0.99))
        tell("token validate", "1/s", blows.rate, clients=clients, p50_ms=median, p99_ms=most)


def users(cloud: Cloud) -> None:
    """List many users."""
    work = [
        partial(cloud.json, "POST", "identity", "/users", {"user": {"name": f"bench-{n}"}})
        for n in range(MANY)
    ]
    together(work, CLIENTS)
    p50(f"list {MANY} users", timed(partial(cloud.fetch, "GET", "identity", "/users"), 10))


def networks(cloud: Cloud) -> None:
    """Make networks and ports, list many ports."""
    quota = {"quota": {"network": -1, "subnet": -1, "port": -1}}
    project = cloud.json("GET", "identity", "/auth/tokens", **{"X-Subject-Token": cloud.token})
    project_id = project["token"]["project"]["id"]
    cloud.json("PUT", "network", f"/v2.0/quotas/{project_id}", quota)
    make = partial(cloud.json, "POST", "network", "/v2.0/networks", {"network": {"name": "bench"}})
    rate(cloud, "create network", make, 300)
    network = make()["network"]["id"]
    subnet = {"network_id": network, "cidr": "10.0.0.0/16", "ip_version": 4}
    cloud.json("POST", "network", "/v2.0/subnets", {"subnet": subnet})
    port = {"port": {"network_id": network}}
    plug = partial(cloud.json, "POST", "network", "/v2.0/ports", port)
    rate(cloud, "create port", plug, MANY)
    listing = partial(cloud.fetch, "GET", "network", f"/v2.0/ports?network_id={network}")
    p50(f"list {MANY} ports", timed(listing, 10))
    os.environ["BENCH_NETWORK"] = network


def providers(cloud: Cloud) -> None:
    """Find candidates among many providers."""
    stock = {"VCPU": {"total": 8}, "MEMORY_MB": {"total": 32768}, "DISK_GB": {"total": 500}}

    def add(number: int) -> None:
        version = {"OpenStack-API-Version": "placement 1.20"}
        body = {"name": f"bench-{number}"}
        made = cloud.json("POST", "placement", "/resource_providers", body, **version)
        body = {"resource_provider_generation": 0, "inventories": stock}
        cloud.json("PUT", "placement", f"/resource_providers/{made['uuid']}/inventories", body)

    together([partial(add, number) for number in range(PROVIDERS)], CLIENTS)
    newest = {"OpenStack-API-Version": "placement 1.36"}
    for most in (100, 1000):  # the latter is what Nova asks for
        path = f"/allocation_candidates?resources=VCPU:1,MEMORY_MB:512,DISK_GB:5&limit={most}"
        find = partial(cloud.fetch, "GET", "placement", path, **newest)
        p50(f"allocation candidates of {PROVIDERS} providers, {most} of them", timed(find, 20))
    listing = cloud.json("GET", "placement", "/resource_providers")["resource_providers"]
    for one in listing:
        if one["name"].startswith("bench-"):
            cloud.json("DELETE", "placement", f"/resource_providers/{one['uuid']}")


def images(cloud: Cloud) -> None:
    """Send an image up and down."""
    size = int(os.environ.get("IMAGE_MIB", "256")) << 20
    wanted = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
    image = cloud.json("POST", "image", "/v2/images", wanted)["id"]
    octets = {"Content-Type": "application/octet-stream"}
    url = f"{cloud.urls['image']}/v2/images/{image}/file"
    data = bytes(size)
    [up] = timed(lambda: cloud.call("PUT", url, data, octets), 1)
    tell("image up", "MiB/s", (size >> 20) / up * 1000)
    [down] = timed(lambda: cloud.call("GET", url), 1)
    tell("image down", "MiB/s", (size >> 20) / down * 1000)
    os.environ["BENCH_IMAGE"] = image


def servers(cloud: Cloud) -> None:
    """Boot many servers, list them with details."""
    project = cloud.json("GET", "identity", "/auth/tokens", **{"X-Subject-Token": cloud.token})
    quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1, "force": True}}
    cloud.json("PUT", "compute", f"/os-quota-sets/{project['token']['project']['id']}", quota)
    flavor = {"name": "bench", "vcpus": 1, "ram": 64, "disk": 1, "id": "bench"}
    cloud.json("POST", "compute", "/flavors", {"flavor": flavor})
    spec = {
        "name": "bench",
        "flavorRef": "bench",
        "imageRef": os.environ["BENCH_IMAGE"],
        "networks": [{"uuid": os.environ["BENCH_NETWORK"]}],
    }
    boot = partial(cloud.json, "POST", "compute", "/servers", {"server": spec})
    began = time.perf_counter()
    together([boot] * MANY, CLIENTS)
    tell("boots accepted", "1/s", MANY / (time.perf_counter() - began), clients=CLIENTS)
    while cloud.json("GET", "compute", "/servers?status=BUILD&limit=1")["servers"]:
        time.sleep(0.05)
    tell("boots to ACTIVE", "1/s", MANY / (time.perf_counter() - began), clients=CLIENTS)
    listing = partial(cloud.fetch, "GET", "compute", "/servers/detail")
    p50(f"list {MANY} servers with details", timed(listing, 10))


def volumes(cloud: Cloud) -> None:
    """Make many volumes, list them with details."""
    project = cloud.json("GET", "identity", "/auth/tokens", **{"X-Subject-Token": cloud.token})
    quota = {"quota_set": {"volumes": -1, "gigabytes": -1}}
    where = f"/os-quota-sets/{project['token']['project']['id']}"
    cloud.json("PUT", "block-storage", where, quota)
    spec = {"volume": {"size": 1, "name": "bench", "metadata": {"a": "b"}}}
    make = partial(cloud.json, "POST", "block-storage", "/volumes", spec)
    began = time.perf_counter()
    together([make] * MANY, CLIENTS)
    while cloud.json("GET", "block-storage", "/volumes?status=creating&limit=1")["volumes"]:
        time.sleep(0.05)
    tell("volumes made", "1/s", MANY / (time.perf_counter() - began), clients=CLIENTS)
    listing = partial(cloud.fetch, "GET", "block-storage", "/volumes/detail")
    p50(f"list {MANY} volumes with details", timed(listing, 10))


if __name__ == "__main__":
    main()

"""`python -m bench.objects [alone|policies]`: object storage of an emulated cloud, synced to disk.

The word alone has object storage measured without a cloud, and so its memory without the others'.
The word policies has three replicas compared with erasure coding 4+2.  Without it, figures are held
against those of Swift with three replicas on the same kind of machine: requests a second, and
milliseconds of CPU for each, which other work on the machine changes less.  An ext4 without a
journal is slow for minutes after many files were deleted: let it rest between two measurements.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.__main__ import family, pss, start
from bench.hammer import spelled, volley
from bench.http import Cloud, tell, timed, together

CLIENTS = 16
POLICIES = """[[objectstore.policies]]
name = "whole"
[[objectstore.policies]]
name = "coded"
policy_type = "erasure_coding"
ec_type = "isa_l_rs_vand"
ec_num_data_fragments = 4
ec_num_parity_fragments = 2
"""
MIB = 1 << 20
SWIFT = {
    "put 4 KiB": 73.4,
    "get 4 KiB": 230.3,
    "put 1 MiB": 62.7,
    "get 1 MiB": 173.4,
    "put 256 MiB": 136.9,
    "get 256 MiB": 441.9,
    "list 10000": 223.6,
}
SWIFT_CPU_MS = {
    "put 4 KiB": 20.3,
    "get 4 KiB": 5.54,
    "put 1 MiB": 30.0,
    "get 1 MiB": 10.7,
    "put 256 MiB": 2720.0,
    "get 256 MiB": 900.0,
    "list 10000": 242.5,
}


def main() -> None:
    """Start a cloud, measure, tell its memory."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIRECTORY")) as directory:
        is_of_policies = "policies" in sys.argv
        begin = start_alone if "alone" in sys.argv else start_all
        process, cloud = begin(Path(directory), POLICIES if is_of_policies else "")
        try:
            before = pss(process.pid)
            if is_of_policies:
                compare(cloud, process.pid)
            else:
                measure(cloud, Path(directory), process.pid)
            tell("memory before and after", "MiB PSS", pss(process.pid), before=round(before))
        finally:
            process.terminate()
            process.wait()


def start_all(directory: Path, more: str) -> tuple[subprocess.Popen[bytes], Cloud]:
    """Start an emulated cloud, with more settings, and log in."""
    process = start(directory, more)
    cloud = Cloud(os.environ["OS_AUTH_URL"])
    cloud.log_in()
    return process, cloud


def start_alone(directory: Path, more: str) -> tuple[subprocess.Popen[bytes], Cloud]:
    """Start object storage alone, with more settings, and log in in Swift's way."""
    config = directory / "cumulo.toml"
    config.write_text(f"log_level = 'warning'\n{more}")
    argv = [sys.executable, "-m", "cumulo", "objects", "--state", str(directory)]
    process = subprocess.Popen([*argv, "--config", str(config)], stdout=subprocess.PIPE)
    assert process.stdout is not None, "it was asked for"
    user, key = process.stdout.readline().decode().removeprefix("User ").split(", key ")
    url, cloud = process.stdout.readline().decode().split()[1], Cloud("")
    said = {"X-Auth-User": user, "X-Auth-Key": key.strip()}
    _, headers, _ = cloud.call("GET", url, headers=said)
    cloud.token = headers["x-auth-token"]
    cloud.urls["object-store"] = headers["x-storage-url"]
    return process, cloud


def cpu_ms(pid: int) -> float:
    """Return how long a process and those that it started have computed."""
    return sum(map(_cpu_ms, family(pid)))


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def measure(cloud: Cloud, directory: Path, pid: int) -> None:
    """Measure small, middle and large objects, and a long listing."""
    url = cloud.urls["object-store"]
    cloud.call("PUT", f"{url}/bench")
    for size, count in ((4096, 2000), (MIB, 300)):
        name, body = f"{size >> 10} KiB" if size < MIB else "1 MiB", os.urandom(size)
        for clients in (1, CLIENTS):
            some = count if clients > 1 else count // 4
            urls = [f"{url}/bench/{size}-{n}" for n in range(some)]
            rate(f"put {name}", (url, puts(cloud, urls, body), 201), clients, pid)
            rate(f"get {name}", (url, gets(cloud, urls), 200), clients, pid)
    large(cloud, url, directory, pid)
    listing(cloud, url, pid)


def puts(cloud: Cloud, urls: Sequence[str], body: bytes) -> list[tuple[bytes, bytes]]:
    """Return requests that store the same bytes under some names."""
    headers = {"X-Auth-Token": cloud.token, "Content-Type": "application/octet-stream"}
    headers["Content-Length"] = str(len(body))
    return [(spelled("PUT", url, headers), body) for url in urls]


def gets(cloud: Cloud, urls: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Return requests for some objects."""
    return [(spelled("GET", url, {"X-Auth-Token": cloud.token}), b"") for url in urls]


def compare(cloud: Cloud, pid: int) -> None:
    """Measure the same objects under both policies, in turns."""
    url, policies = cloud.urls["object-store"], ("whole", "coded")
    for policy in policies:
        cloud.call("PUT", f"{url}/{policy}", headers={"X-Storage-Policy": policy})
    for size, count in ((MIB, 64), (64 * MIB, 4)):
        body, name = os.urandom(size), f"{size // MIB} MiB"
        for clients in (1, 4):
            for _ in range(3):
                for policy in policies:
                    urls = [f"{url}/{policy}/{size}-{n}" for n in range(count)]
                    puts = [partial(put, cloud, one, body) for one in urls]
                    speed(f"put {name} {policy}", puts, clients, pid, size)
                    gets = [partial(get, cloud, one, size) for one in urls]
                    speed(f"get {name} {policy}", gets, clients, pid, size)


def speed(name: str, work: list[Callable[[], None]], clients: int, pid: int, size: int) -> None:
    """Do the same many times and tell how many bytes a second, and the processor for each MiB."""
    before = cpu_ms(pid)
    seconds = together(work, clients)
    cpu = (cpu_ms(pid) - before) * MIB / size / len(work)
    tell(
        name, "MB/s", size * len(work) / seconds / 1e6, clients=clients, cpu_ms_a_mib=round(cpu, 2)
    )


def rate(
    name: str, work: tuple[str, list[tuple[bytes, bytes]], int], clients: int, pid: int
) -> None:
    """Send many requests and tell how many a second, and what each costs here and there."""
    url, requests, status = work
    before, own = cpu_ms(pid), time.process_time()
    seconds, count = volley(url, requests, clients, status), len(requests)
    mine = (time.process_time() - own) * 1000 / count
    cpu = (cpu_ms(pid) - before) / count
    told(name, "1/s", count / seconds, clients, cpu, client_cpu_ms=round(mine, 3))


def large(cloud: Cloud, url: str, directory: Path, pid: int) -> None:
    """Measure one large object, and what disk and hash can do with one."""
    body = os.urandom(16 * MIB) * 16
    limit = writing_speed(directory, body)
    where = f"{url}/bench/large"
    for name, work in (
        ("put 256 MiB", partial(put, cloud, where, body)),
        ("get 256 MiB", partial(get, cloud, where, len(body))),
    ):
        before = cpu_ms(pid)
        [ms] = timed(work, 1)
        told(name, "MB/s", len(body) / ms / 1000, 1, cpu_ms(pid) - before, **limit)


def writing_speed(directory: Path, body: bytes) -> dict[str, float]:
    """Return how fast the same bytes are hashed, and written three times and synced, at best."""
    import hashlib
    import zlib

    began = time.perf_counter()
    hashlib.md5(body, usedforsecurity=False)
    zlib.crc32(body)
    hashed = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(3):
        with open(directory / f"speed{number}", "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    written = time.perf_counter() - began
    subprocess.run(["rm", "-f", *map(str, directory.glob("speed*"))], check=True)
    return {"hash": round(len(body) / hashed / 1e6), "disk": round(len(body) / written / 1e6)}


def listing(cloud: Cloud, url: str, pid: int) -> None:
    """Measure a page of ten thousand names."""
    cloud.call("PUT", f"{url}/long")
    fill = puts(cloud, [f"{url}/long/object-{n:06}" for n in range(10_000)], b"")
    rate("put 0 B", (url, fill, 201), CLIENTS, pid)
    before = cpu_ms(pid)
    page = timed(partial(get, cloud, f"{url}/long?format=json", None), 20)
    told("list 10000", "ms p50", page[len(page) // 2], 1, (cpu_ms(pid) - before) / len(page))


def told(name: str, unit: str, value: float, clients: int, cpu: float, **more: object) -> None:
    """Tell a figure, and how many times Swift's it is."""
    more = {"cpu_ms": round(cpu, 3), **more}
    swift = SWIFT.get(name)
    if swift is not None:
        times = swift / value if unit.startswith("ms") else value / swift
        cheaper = SWIFT_CPU_MS[name] / cpu if cpu else 0.0
        more = {"swift": swift, "times": round(times, 2), "cheaper": round(cheaper, 2), **more}
    tell(name, unit, value, clients=clients, **more)


def put(cloud: Cloud, url: str, body: bytes) -> None:
    """Store an object."""
    status, _, answer = cloud.call("PUT", url, body, {"Content-Type": "application/octet-stream"})
    assert status == 201, answer


def get(cloud: Cloud, url: str, size: int | None) -> None:
    """Read an object, whole."""
    status, _, answer = cloud.call("GET", url)
    assert status == 200, answer
    assert size in (None, len(answer))


if __name__ == "__main__":
    main()

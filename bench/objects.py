"""`python -m bench.objects`: object storage of an emulated cloud, three replicas, synced to disk.

The figures that they are held against are of Swift with three replicas on the same kind of machine.
"""

import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.__main__ import pss, start
from bench.http import Cloud, tell, timed, together

CLIENTS = 16
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


def main() -> None:
    """Start a cloud, measure, tell its memory."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIRECTORY")) as directory:
        process = start(Path(directory))
        try:
            cloud = Cloud(os.environ["OS_AUTH_URL"])
            cloud.log_in()
            before = pss(process.pid)
            measure(cloud, Path(directory))
            tell("memory before and after", "MiB PSS", pss(process.pid), before=round(before))
        finally:
            process.terminate()
            process.wait()


def measure(cloud: Cloud, directory: Path) -> None:
    """Measure small, middle and large objects, and a long listing."""
    url = cloud.urls["object-store"]
    cloud.call("PUT", f"{url}/bench")
    for size, count in ((4096, 2000), (MIB, 300)):
        name, body = f"{size >> 10} KiB" if size < MIB else "1 MiB", os.urandom(size)
        for clients in (1, CLIENTS):
            some = count if clients > 1 else count // 4
            puts = [partial(put, cloud, f"{url}/bench/{size}-{n}", body) for n in range(some)]
            told(f"put {name}", "1/s", some / together(puts, clients), clients)
            gets = [partial(get, cloud, f"{url}/bench/{size}-{n}", size) for n in range(some)]
            told(f"get {name}", "1/s", some / together(gets, clients), clients)
    large(cloud, url, directory)
    listing(cloud, url)


def large(cloud: Cloud, url: str, directory: Path) -> None:
    """Measure one large object, and what disk and hash can do with one."""
    body = os.urandom(16 * MIB) * 16
    limit = writing_speed(directory, body)
    [ms] = timed(partial(put, cloud, f"{url}/bench/large", body), 1)
    told("put 256 MiB", "MB/s", len(body) / ms / 1000, 1, **limit)
    [ms] = timed(partial(get, cloud, f"{url}/bench/large", len(body)), 1)
    told("get 256 MiB", "MB/s", len(body) / ms / 1000, 1)


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


def listing(cloud: Cloud, url: str) -> None:
    """Measure a page of ten thousand names."""
    cloud.call("PUT", f"{url}/long")
    fill = [partial(put, cloud, f"{url}/long/object-{n:06}", b"") for n in range(10_000)]
    told("put 0 B", "1/s", len(fill) / together(fill, CLIENTS), CLIENTS)
    page = timed(partial(get, cloud, f"{url}/long?format=json", None), 20)
    told("list 10000", "ms p50", page[len(page) // 2], 1)


def told(name: str, unit: str, value: float, clients: int, **more: object) -> None:
    """Tell a figure, and how many times Swift's it is."""
    swift = SWIFT.get(name)
    if swift is not None:
        times = swift / value if unit.startswith("ms") else value / swift
        more = {"swift": swift, "times": round(times, 2), **more}
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

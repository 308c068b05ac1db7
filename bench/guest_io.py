"""What a guest writes to and reads from a volume, against bare QEMU with a file like it.

Like `bench.guest` it needs BENCH_GUEST, and a real cloud of this machine whose volumes are files
here.  Both guests are up at the same time, each with a volume that the cloud made, and run the
same script by turns of some seconds, so that both meet the same machine; each tells on its console
how long it took.
"""

import base64
import contextlib
import itertools
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.guest import accelerator
from bench.http import Cloud, tell

_MEMORY_MIB, _PATIENCE_S = 256, 900.0
_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
_TURN_S = int(os.environ.get("BENCH_TURN_S", "12"))  # for both, one after the other
# The first round is not counted: it is the one that makes the file's blocks.
_SCRIPT = """#!/bin/sh
{{
while d=$(grep -l '^{serial}' /sys/block/vd*/serial 2>/dev/null | cut -d/ -f4); [ -z "$d" ]; do
    sleep 0.2
done
now() {{ cut -d' ' -f1 /proc/uptime; }}
turn() {{ sleep $(({turn} - ($(date +%s) + {later}) % {turn})); }}
for round in $(seq 0 {rounds}); do
    turn
    start=$(date +%s)
    began=$(now)
    dd if=/dev/zero of=/dev/$d bs=1M count=64 oflag=direct
    dd if=/dev/zero of=/dev/$d bs=4k count=1024 oflag=direct
    written=$(now)
    dd if=/dev/$d of=/dev/null bs=1M count=64 iflag=direct
    dd if=/dev/$d of=/dev/null bs=4k count=1024 iflag=direct
    echo "BENCH-IO $start $began $written $(now)"
done
echo "BENCH-IO END"
}} >/dev/console 2>&1 &
"""
_ROUND = re.compile(r"BENCH-IO (\d+) ([\d.]+) ([\d.]+) ([\d.]+)")
_Log = Callable[[], str]


class Round(NamedTuple):
    """When a guest's turn was, by the clock, and what it took."""

    start: float
    end: float
    write_s: float
    read_s: float


def guest_io(cloud: Cloud) -> None:
    """Measure both by turns and tell how they compare."""
    image = os.environ.get("BENCH_GUEST")
    if not image:
        return
    server = _prepared(cloud, Path(image))
    ours_id, theirs_id = _volume(cloud), _volume(cloud)
    path = _path(cloud, theirs_id)
    with (
        _served(cloud, {**server, "user_data": _encoded(_script(ours_id, 0))}, ours_id) as ours,
        _bare(Path(image), path, theirs_id, _script(theirs_id, _TURN_S // 2)) as theirs,
    ):
        pairs = _alone(_read(ours), _read(theirs))
    for number, word in ((2, "writes"), (3, "reads")):
        took = [(one[number], other[number]) for one, other in pairs]
        served, bare = (_median(side) for side in zip(*took, strict=True))
        tell(f"a guest's {word}, 68 MiB", "s", served, bare=round(bare, 3), pairs=len(pairs))
        ratio = _median([one / other for one, other in took])
        tell(f"a guest's {word} against bare QEMU", "ratio", ratio)
    for volume_id in (ours_id, theirs_id):
        cloud.json("DELETE", "block-storage", f"/volumes/{volume_id}")


def _alone(ours: Sequence[Round], theirs: Sequence[Round]) -> list[tuple[Round, Round]]:
    """Return the pairs in which neither ran into the other's turn."""
    pairs = list(zip(ours, theirs, strict=True))[1:]
    turns = sorted((one.start, one.end) for one in (*ours, *theirs))
    late = {end for (_, end), (start, _) in itertools.pairwise(turns) if end > start}
    found = [pair for pair in pairs if not {one.end for one in pair} & late]
    if not found:
        raise SystemExit("the guests ran into each other's turns: set BENCH_TURN_S to more")
    return found


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _script(volume_id: str, later_s: int) -> str:
    values = {"turn": _TURN_S, "later": later_s, "rounds": _ROUNDS}
    return _SCRIPT.format(serial=volume_id[:20], **values)


def _encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


def _prepared(cloud: Cloud, image: Path) -> dict[str, object]:
    """Make what a server needs; return what to ask for."""
    kind = {"name": "bench-io", "disk_format": "qcow2", "container_format": "bare"}
    image_id = cloud.json("POST", "image", "/v2/images", kind)["id"]
    octets = {"Content-Type": "application/octet-stream"}
    cloud.call(
        "PUT", f"{cloud.urls['image']}/v2/images/{image_id}/file", image.read_bytes(), octets
    )
    size = {"name": "bench-io", "vcpus": 1, "ram": _MEMORY_MIB, "disk": 1, "id": "bench-io"}
    cloud.json("POST", "compute", "/flavors", {"flavor": size})
    return {
        "name": "bench-io",
        "flavorRef": "bench-io",
        "imageRef": image_id,
        "config_drive": True,
        "networks": "none",
    }


def _volume(cloud: Cloud) -> str:
    made = cloud.json("POST", "block-storage", "/volumes", {"volume": {"size": 1}})["volume"]
    _until(lambda: _status(cloud, made["id"]) == "available")
    return str(made["id"])


def _path(cloud: Cloud, volume_id: str) -> Path:
    reached = {"os-initialize_connection": {"connector": {}}}
    told = cloud.json("POST", "block-storage", f"/volumes/{volume_id}/action", reached)
    return Path(told["connection_info"]["data"]["device_path"])


def _status(cloud: Cloud, volume_id: str) -> str:
    found = cloud.json("GET", "block-storage", f"/volumes/{volume_id}")["volume"]
    return str(found["status"])


@contextmanager
def _served(cloud: Cloud, server: dict[str, object], volume_id: str) -> Iterator[_Log]:
    """Have a server of the cloud with the volume; return what asks for its console's words."""
    latest = {"OpenStack-API-Version": "compute 2.90"}
    made = cloud.json("POST", "compute", "/servers", {"server": server}, **latest)["server"]
    path = f"/servers/{made['id']}"
    _until(lambda: cloud.json("GET", "compute", path)["server"]["status"] == "ACTIVE")
    wanted = {"volumeAttachment": {"volumeId": volume_id}}
    cloud.json("POST", "compute", f"{path}/os-volume_attachments", wanted)
    log = {"os-getConsoleOutput": {}}
    yield lambda: str(cloud.json("POST", "compute", f"{path}/action", log)["output"])
    cloud.json("DELETE", "compute", path)
    _until(lambda: _status(cloud, volume_id) == "available")


@contextmanager
def _bare(image: Path, volume: Path, volume_id: str, script: str) -> Iterator[_Log]:
    """Have a guest of bare QEMU, with the options that libvirt takes where none is named."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        disk, drive, console = (directory / one for one in ("disk.qcow2", "drive.iso", "console"))
        chain = ["-f", "qcow2", "-F", "qcow2", "-b", str(image.absolute())]
        subprocess.run(["qemu-img", "create", "-q", *chain, str(disk), "1G"], check=True)
        told = directory / "drive/openstack/latest"
        told.mkdir(parents=True)
        (told / "meta_data.json").write_text('{"uuid": "bare", "hostname": "bare"}')
        (told / "user_data").write_text(script)
        make = ["genisoimage", "-quiet", "-J", "-r", "-V", "config-2", "-o", str(drive)]
        subprocess.run([*make, str(directory / "drive")], check=True)
        argv = ["qemu-system-x86_64", "-machine", f"q35,accel={accelerator()}", "-cpu", "max"]
        argv += ["-nographic", "-monitor", "none", "-net", "none", "-m", str(_MEMORY_MIB)]
        argv += ["-drive", f"file={disk},if=none,id=d,format=qcow2"]
        argv += ["-device", "virtio-blk-pci,drive=d,bootindex=1"]
        argv += ["-drive", f"file={drive},if=virtio,format=raw,readonly=on"]
        argv += ["-drive", f"file={volume},if=none,id=v,format=raw,discard=unmap"]
        argv += ["-device", f"virtio-blk-pci,drive=v,serial={volume_id[:20]}"]
        guest = subprocess.Popen([*argv, "-serial", f"file:{console}"], stdin=subprocess.DEVNULL)
        try:
            yield lambda: console.read_text(errors="replace") if console.exists() else ""
        finally:
            guest.kill()
            guest.wait()


def _read(log: _Log) -> list[Round]:
    """Return what a guest's turns took, once it is done."""
    # Seldom: who asks takes of the processor that the guests run on.
    _until(lambda: "BENCH-IO END" in log(), lambda: log()[-500:], every_s=10.0)
    found = []
    for words in _ROUND.findall(log()):
        start, began, written, ended = map(float, words)
        found.append(Round(start, start + ended - began, written - began, ended - written))
    return found


def _until(
    condition: Callable[[], bool], told: Callable[[], str] = str, every_s: float = 0.2
) -> None:
    end = time.perf_counter() + _PATIENCE_S
    while time.perf_counter() < end:
        with contextlib.suppress(KeyError):
            if condition():
                return
        time.sleep(every_s)
    raise SystemExit(f"a guest did not do what was waited for: {told()}")

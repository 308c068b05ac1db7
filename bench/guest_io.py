"""What a guest writes to and reads from a volume, against bare QEMU with the same file.

Like `bench.guest` it needs BENCH_GUEST, and a real cloud of this machine whose volumes are files
here.  The guest runs the same script both times and tells on its console how long it took.
"""

import base64
import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.guest import accelerator
from bench.http import Cloud, tell

_MEMORY_MIB, _PATIENCE_S = 256, 180.0
_TIMES = int(os.environ.get("BENCH_GUESTS", "3"))
# The first round is not counted: it is the one that makes the file's blocks.
_SCRIPT = """#!/bin/sh
{{
while d=$(grep -l '^{serial}' /sys/block/vd*/serial 2>/dev/null | cut -d/ -f4); [ -z "$d" ]; do
    sleep 0.2
done
now() {{ cut -d' ' -f1 /proc/uptime; }}
for round in 0 1 2 3; do
    began=$(now)
    dd if=/dev/zero of=/dev/$d bs=1M count=256 oflag=direct
    dd if=/dev/zero of=/dev/$d bs=4k count=4096 oflag=direct
    written=$(now)
    dd if=/dev/$d of=/dev/null bs=1M count=256 iflag=direct
    dd if=/dev/$d of=/dev/null bs=4k count=4096 iflag=direct
    echo "BENCH-IO $began $written $(now)"
done
echo "BENCH-IO END"
}} >/dev/console 2>&1 &
"""
_ROUND = re.compile(r"BENCH-IO ([\d.]+) ([\d.]+) ([\d.]+)")


def guest_io(cloud: Cloud) -> None:
    """Measure both in turn, so that both meet the same machine, and tell how they compare."""
    image = os.environ.get("BENCH_GUEST")
    if not image:
        return
    server, volume_id, path = _prepared(cloud, Path(image))
    script = _SCRIPT.format(serial=volume_id[:20])
    pairs = []
    for _ in range(_TIMES):
        served = _served(cloud, {**server, "user_data": _encoded(script)}, volume_id)
        pairs.append((served, _bare(Path(image), path, volume_id, script)))
    for number, word in enumerate(("writes", "reads")):
        ours, theirs = (
            _median([side[number] for side in sides]) for sides in zip(*pairs, strict=True)
        )
        tell(f"a guest's {word}, 272 MiB", "s", ours, bare=round(theirs, 3))
        tell(f"a guest's {word} against bare QEMU", "ratio", ours / theirs)
    cloud.json("DELETE", "block-storage", f"/volumes/{volume_id}")


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


def _prepared(cloud: Cloud, image: Path) -> tuple[dict[str, object], str, Path]:
    """Make what a server needs, and a volume; return them, and the volume's file."""
    kind = {"name": "bench-io", "disk_format": "qcow2", "container_format": "bare"}
    image_id = cloud.json("POST", "image", "/v2/images", kind)["id"]
    octets = {"Content-Type": "application/octet-stream"}
    cloud.call(
        "PUT", f"{cloud.urls['image']}/v2/images/{image_id}/file", image.read_bytes(), octets
    )
    size = {"name": "bench-io", "vcpus": 1, "ram": _MEMORY_MIB, "disk": 1, "id": "bench-io"}
    cloud.json("POST", "compute", "/flavors", {"flavor": size})
    made = cloud.json("POST", "block-storage", "/volumes", {"volume": {"size": 1}})["volume"]
    _until(lambda: _volume(cloud, made["id"]) == "available")
    reached = {"os-initialize_connection": {"connector": {}}}
    told = cloud.json("POST", "block-storage", f"/volumes/{made['id']}/action", reached)
    path = Path(told["connection_info"]["data"]["device_path"])
    server = {
        "name": "bench-io",
        "flavorRef": "bench-io",
        "imageRef": image_id,
        "config_drive": True,
        "networks": "none",
    }
    return server, str(made["id"]), path


def _volume(cloud: Cloud, volume_id: str) -> str:
    found = cloud.json("GET", "block-storage", f"/volumes/{volume_id}")["volume"]
    return str(found["status"])


def _served(cloud: Cloud, server: dict[str, object], volume_id: str) -> tuple[float, float]:
    """Measure in a server of the cloud."""
    latest = {"OpenStack-API-Version": "compute 2.90"}
    made = cloud.json("POST", "compute", "/servers", {"server": server}, **latest)["server"]
    path = f"/servers/{made['id']}"
    _until(lambda: cloud.json("GET", "compute", path)["server"]["status"] == "ACTIVE")
    wanted = {"volumeAttachment": {"volumeId": volume_id}}
    cloud.json("POST", "compute", f"{path}/os-volume_attachments", wanted)
    log = {"os-getConsoleOutput": {}}
    times = _read(lambda: str(cloud.json("POST", "compute", f"{path}/action", log)["output"]))
    cloud.json("DELETE", "compute", path)
    _until(lambda: _volume(cloud, volume_id) == "available")
    return times


def _bare(image: Path, volume: Path, volume_id: str, script: str) -> tuple[float, float]:
    """Measure in a guest of bare QEMU, with the options that libvirt takes where none is named."""
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
            return _read(lambda: console.read_text(errors="replace") if console.exists() else "")
        finally:
            guest.kill()
            guest.wait()


def _read(log: Callable[[], str]) -> tuple[float, float]:
    """Return the seconds that writing and reading took, once the guest is done."""
    # Seldom: who asks takes of the processor that the guest runs on.
    _until(lambda: "BENCH-IO END" in log(), lambda: log()[-500:], every_s=5.0)
    rounds = [tuple(map(float, found)) for found in _ROUND.findall(log())][1:]
    writes = _median([written - began for began, written, _ in rounds])
    return writes, _median([ended - written for _, written, ended in rounds])


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

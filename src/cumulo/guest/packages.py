"""Distribution packages, downloaded by apt and unpacked; nothing is installed, nobody is root."""

import platform
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from cumulo.kit.errors import Invalid, Unavailable

# By distribution: the package that depends on the newest kernel made for virtual machines.
_KERNELS = ("linux-image-cloud-amd64", "linux-image-virtual")
_TOOLS = ("busybox-static", "dropbear-bin", "syslinux", "syslinux-common", "mtools")
_ONLY_DEPENDS = [
    f"--no-{kind}"
    for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
]
_MOST_LIBRARIES = 20  # more means that apt understood us differently: better stop than fetch them
_TIMEOUT_S = 600


class Packages:
    """Packages of this machine's distribution, kept in a directory."""

    def __init__(self, cache: Path, tell: Callable[[str], None]) -> None:
        self._debs = cache / "debs"
        self._lists = cache / "apt"
        self._tell = tell
        self._options: list[str] = []

    def fetch(self) -> list[Path]:
        """Return all packages a guest is made of, from the cache where they are."""
        if platform.machine() != "x86_64":
            raise Invalid(f"A guest can be built on x86_64 only, this is {platform.machine()}.")
        self._debs.mkdir(parents=True, exist_ok=True)
        kernel = self._kernel()
        versions = self._versions([kernel, *self._modules_of(kernel), *_TOOLS, *self._libraries()])
        return [self._deb(name, version) for name, version in versions.items()]

    def _versions(self, names: list[str]) -> dict[str, str]:
        """Return the version that apt would download of each package it knows."""
        text = _run(["apt-cache", *self._options, "policy", *names])
        found = re.findall(r"^(\S+):\n.*\n *Candidate: (\S+)", text, re.MULTILINE)
        return {name: version for name, version in found if version != "(none)"}

    def _kernel(self) -> str:
        known = self._versions([*_KERNELS, *_TOOLS]) or self._list_anew()
        missing = [name for name in _TOOLS if name not in known]
        meta = next((name for name in _KERNELS if name in known), None)
        if missing or meta is None:
            names = ", ".join(missing or _KERNELS)
            raise Unavailable(f"apt knows no package {names}: check /etc/apt/sources.list.")
        return next(name for name in self._depends(meta) if name.startswith("linux-image-"))

    def _list_anew(self) -> dict[str, str]:
        """Make a list of packages of our own, for a machine that has none."""
        self._tell("Reading the distribution's list of packages")
        for part in ("lists/partial", "cache/archives/partial"):
            (self._lists / part).mkdir(parents=True, exist_ok=True)
        self._options = [
            f"-oDir::State::Lists={self._lists}/lists",
            f"-oDir::Cache={self._lists}/cache",
        ]
        _run(["apt-get", *self._options, "-qq", "update"])
        return self._versions([*_KERNELS, *_TOOLS])

    def _depends(self, *options: str) -> list[str]:
        text = _run(["apt-cache", *self._options, "depends", *_ONLY_DEPENDS, *options])
        return re.findall(r"^ *Depends: ([a-z0-9][a-z0-9.+-]*)$", text, re.MULTILINE)

    def _modules_of(self, kernel: str) -> list[str]:
        """Return the packages with the kernel's modules, where they are packages of their own."""
        return [name for name in self._depends(kernel) if name.startswith("linux-modules-")]

    def _libraries(self) -> list[str]:
        closure = self._depends("--recurse", "dropbear-bin")
        names = sorted({name for name in closure if name.startswith(("lib", "zlib"))})
        if len(names) > _MOST_LIBRARIES:
            raise Unavailable(f"apt says that dropbear-bin needs {len(names)} libraries.")
        return names

    def _deb(self, name: str, version: str) -> Path:
        pattern = f"{name}_{version.replace(':', '%3a')}_*.deb"
        found = next(self._debs.glob(pattern), None)
        if found is None:
            self._tell(f"Downloading {name}")
            _run(["apt-get", *self._options, "-qq", "download", name], cwd=self._debs)
            found = next(self._debs.glob(pattern), None)
        if found is None:
            raise Unavailable(f"apt did not bring {name} {version} to {self._debs}.")
        return found


def unpack(debs: Iterable[Path], into: Path) -> None:
    """Unpack packages into one tree."""
    for deb in debs:
        _run(["dpkg-deb", "-x", str(deb), str(into)])


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return done.stdout

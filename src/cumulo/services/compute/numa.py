"""The memory nodes that a guest is to see, from its flavor and its image, as Nova reads them."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.kit.errors import Invalid

_PLAIN = ("small", "any")  # pages of the usual size, which every host has


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A memory node of a guest, with the processors near it."""

    number: int
    cpus: list[int]
    memory_mib: int


def cells_of(flavor: Mapping[str, Any], image: Mapping[str, str]) -> list[Cell]:
    """Return the memory nodes of a guest; none when nothing asks for any.

    Raises Invalid for what makes no sense, or what an image asks for against its flavor.
    """
    wished = _wish(flavor, image, "numa_nodes")
    page = page_size_of(flavor, image)
    if wished is None:
        return [_whole(flavor)] if page is not None else []
    if not re.fullmatch(r"[1-9]\d{0,3}", wished):
        raise Invalid(
            f"The property 'numa_nodes' cannot be '{wished}'. It must be a number greater than 0"
        )
    count = int(wished)
    told = [_told(flavor, image, number) for number in range(count)]
    if all(cpus is None and memory is None for cpus, memory in told):
        return _evenly(flavor, count)
    if any(cpus is None or memory is None for cpus, memory in told):
        raise Invalid("CPU and memory allocation must be provided for all NUMA nodes")
    cells = [
        Cell(number=number, cpus=_cpus(cpus or ""), memory_mib=int(memory or 0))
        for number, (cpus, memory) in enumerate(told)
    ]
    _check_whole(flavor, cells)
    return cells


def page_size_of(flavor: Mapping[str, Any], image: Mapping[str, str]) -> str | None:
    """Return the size of the pages that a guest's memory is to have; None: any."""
    own = flavor["extra_specs"].get("hw:mem_page_size")
    asked = image.get("hw_mem_page_size")
    if asked is not None and own not in (None, "large", "any"):
        raise Invalid(f"Page size {asked} forbidden against '{own}'")
    size = asked or own
    return str(size) if size is not None else None


def is_plain(page_size: str | None) -> bool:
    """Say whether pages of a size are those that every host has."""
    return page_size is None or page_size in _PLAIN


def _wish(flavor: Mapping[str, Any], image: Mapping[str, str], name: str) -> str | None:
    """Return what the flavor says; else the image may."""
    own, asked = flavor["extra_specs"].get(f"hw:{name}"), image.get(f"hw_{name}")
    if own is not None and asked is not None:
        raise Invalid(
            f"Image property 'hw_{name}' is not permitted to override NUMA configuration set "
            "against the flavor"
        )
    found = own if own is not None else asked
    return str(found) if found is not None else None


def _told(
    flavor: Mapping[str, Any], image: Mapping[str, str], number: int
) -> tuple[str | None, str | None]:
    cpus = _wish(flavor, image, f"numa_cpus.{number}")
    memory = _wish(flavor, image, f"numa_mem.{number}")
    if memory is not None and not re.fullmatch(r"\d{1,9}", memory):
        raise Invalid(f"hw:numa_mem.{number} must be a number of MiB.")
    return cpus, memory


def _whole(flavor: Mapping[str, Any]) -> Cell:
    return Cell(number=0, cpus=list(range(flavor["vcpus"])), memory_mib=flavor["memory_mib"])


def _evenly(flavor: Mapping[str, Any], count: int) -> list[Cell]:
    vcpus, memory = flavor["vcpus"], flavor["memory_mib"]
    if vcpus % count or memory % count:
        raise Invalid(
            "Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. "
            "Explicit assignment of CPUs and memory to nodes is required"
        )
    each = vcpus // count
    return [
        Cell(
            number=number,
            cpus=list(range(number * each, (number + 1) * each)),
            memory_mib=memory // count,
        )
        for number in range(count)
    ]


def _cpus(text: str) -> list[int]:
    """Read a set of processors: 0-3,^2,7."""
    found: set[int] = set()
    without: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\^?)(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if match is None:
            raise Invalid(f"Invalid inclusion expression '{part.strip()}'")
        first = int(match[2])
        (without if match[1] else found).update(range(first, int(match[3] or first) + 1))
    return sorted(found - without)


def _check_whole(flavor: Mapping[str, Any], cells: list[Cell]) -> None:
    free = set(range(flavor["vcpus"]))
    for cpu in (cpu for cell in cells for cpu in cell.cpus):
        if cpu >= flavor["vcpus"]:
            raise Invalid(f"CPU number {cpu} is larger than max {flavor['vcpus'] - 1}")
        if cpu not in free:
            raise Invalid(f"CPU number {cpu} is assigned to two nodes")
        free.remove(cpu)
    if free:
        raise Invalid(f"CPU number(s) {sorted(free)} are not assigned to any node")
    memory = sum(cell.memory_mib for cell in cells)
    if memory != flavor["memory_mib"]:
        raise Invalid(f"{memory} MB of memory assigned, but expected {flavor['memory_mib']} MB")

"""The things that there are commands for: where they are, what a list tells, how one is found."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cumulo.cli.daily.session import Session
from cumulo.kit.errors import Conflict, NotFound

Item: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = Callable[[Item], object]
_ID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Noun:
    """A kind of thing."""

    word: str
    service: str
    listed: str  # the path of its list
    path: str  # that of one, before its id
    plural: str
    single: str  # empty: it stands in the answer by itself
    columns: Sequence[tuple[str, Cell]]
    names: Sequence[str] = ("name",)  # by what one is named
    within: str = ""

    def all(self, session: Session, **query: object) -> list[Item]:
        """Return all of them."""
        found = session.ask("GET", self.service, self.listed, **query)[self.plural]
        return [item[self.within] for item in found] if self.within else found

    def one(self, session: Session, reference: str) -> Item:
        """Return one by its id or by its name."""
        answer = session.ask("GET", self.service, f"{self.path}/{self.id(session, reference)}")
        found: Item = answer[self.single] if self.single else answer
        return found

    def id(self, session: Session, reference: str) -> str:
        """Return the id of what is named."""
        if _ID.fullmatch(reference):
            return reference
        found = [
            str(item.get("id", reference))
            for item in self.all(session)
            if any(item.get(name) == reference for name in self.names)
        ]
        if not found:
            raise NotFound(f"There is no {self.word} {reference}: see `cumulo {self.word} list`.")
        if len(found) > 1:
            raise Conflict(f"Several are called {reference}; say which by its id: {found}.")
        return found[0]


def _addresses(server: Item) -> str:
    return ", ".join(each["addr"] for net in server["addresses"].values() for each in net)


def _status(server: Item) -> str:
    task = server.get("OS-EXT-STS:task_state")
    return f"{server['status']} ({task})" if task else str(server["status"])


def _size(item: Item) -> str:
    count = item.get("size")
    return f"{count / (1 << 20):.1f} MiB" if count else ""


SERVER = Noun(
    "server", "compute", "/servers/detail", "/servers", "servers", "server",
    (
        ("ID", lambda one: one["id"]),
        ("Name", lambda one: one["name"]),
        ("Status", _status),
        ("Addresses", _addresses),
        ("Flavor", lambda one: one["flavor"]["original_name"]),
    ),
)  # fmt: skip
IMAGE = Noun(
    "image", "image", "/images", "/images", "images", "",
    (
        ("ID", lambda one: one["id"]),
        ("Name", lambda one: one["name"]),
        ("Status", lambda one: one["status"]),
        ("Size", _size),
        ("Visibility", lambda one: one["visibility"]),
    ),
)  # fmt: skip
FLAVOR = Noun(
    "flavor", "compute", "/flavors/detail", "/flavors", "flavors", "flavor",
    (
        ("ID", lambda one: one["id"]),
        ("Name", lambda one: one["name"]),
        ("VCPUs", lambda one: one["vcpus"]),
        ("MiB", lambda one: one["ram"]),
        ("GiB", lambda one: one["disk"]),
    ),
)  # fmt: skip
NETWORK = Noun(
    "network", "network", "/networks", "/networks", "networks", "network",
    (
        ("ID", lambda one: one["id"]),
        ("Name", lambda one: one["name"]),
        ("Status", lambda one: one["status"]),
        ("External", lambda one: one["router:external"]),
        ("Subnets", lambda one: len(one["subnets"])),
    ),
)  # fmt: skip
KEYPAIR = Noun(
    "keypair", "compute", "/os-keypairs", "/os-keypairs", "keypairs", "keypair",
    (
        ("Name", lambda one: one["name"]),
        ("Type", lambda one: one["type"]),
        ("Fingerprint", lambda one: one["fingerprint"]),
    ),
    within="keypair",
)  # fmt: skip
FLOATING_IP = Noun(
    "floating-ip", "network", "/floatingips", "/floatingips", "floatingips", "floatingip",
    (
        ("ID", lambda one: one["id"]),
        ("Address", lambda one: one["floating_ip_address"]),
        ("Leads to", lambda one: one["fixed_ip_address"]),
        ("Status", lambda one: one["status"]),
    ),
    names=("floating_ip_address",),
)  # fmt: skip
SECURITY_GROUP = Noun(
    "security-group", "network", "/security-groups", "/security-groups", "security_groups",
    "security_group",
    (
        ("ID", lambda one: one["id"]),
        ("Name", lambda one: one["name"]),
        ("Description", lambda one: one["description"]),
        ("Rules", lambda one: len(one["security_group_rules"])),
    ),
)  # fmt: skip
VOLUME = Noun(
    "volume", "volume", "/volumes/detail", "/volumes", "volumes", "volume",
    (
        ("ID", lambda one: one["id"]),
        ("Name", lambda one: one["name"]),
        ("Status", lambda one: one["status"]),
        ("GiB", lambda one: one["size"]),
        ("Attached to", lambda one: ", ".join(a["server_id"] for a in one["attachments"])),
    ),
)  # fmt: skip

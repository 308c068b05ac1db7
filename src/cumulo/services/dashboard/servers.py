"""Servers: how they are told, and what may be done with one in its state."""

from collections.abc import Sequence

from cumulo.services.dashboard.cells import Cell, Code, Link, Many, State, Text, When
from cumulo.services.dashboard.lists import Button, Column, Item, Listing

# What each button sends to the API as the action of a server.
ACTIONS: dict[str, dict[str, object]] = {
    "start": {"os-start": None},
    "stop": {"os-stop": None},
    "reboot": {"reboot": {"type": "SOFT"}},
    "reboot-hard": {"reboot": {"type": "HARD"}},
    "pause": {"pause": None},
    "unpause": {"unpause": None},
    "suspend": {"suspend": None},
    "resume": {"resume": None},
    "lock": {"lock": None},
    "unlock": {"unlock": None},
    "shelve": {"shelve": None},
    "unshelve": {"unshelve": None},
    "rescue": {"rescue": None},
    "unrescue": {"unrescue": None},
    "confirm-resize": {"confirmResize": None},
    "revert-resize": {"revertResize": None},
    "force-delete": {"forceDelete": {}},
    "restore": {"restore": None},
    "reset-state": {"os-resetState": {"state": "active"}},
    "migrate": {"migrate": {"host": None}},
    "live-migrate": {"os-migrateLive": {"host": None, "block_migration": "auto"}},
}
_BUTTONS = {
    "start": Button("start", "Start"),
    "stop": Button("stop", "Stop", "Stop it? The guest is asked to power off."),
    "reboot": Button("reboot", "Reboot", "Reboot it?"),
    "reboot-hard": Button("reboot-hard", "Reboot hard", "Switch it off and on?"),
    "pause": Button("pause", "Pause"),
    "unpause": Button("unpause", "Unpause"),
    "suspend": Button("suspend", "Suspend"),
    "resume": Button("resume", "Resume"),
    "lock": Button("lock", "Lock"),
    "unlock": Button("unlock", "Unlock"),
    "shelve": Button("shelve", "Shelve", "Shelve it? An image is made and its host is left."),
    "unshelve": Button("unshelve", "Unshelve"),
    "rescue": Button("rescue", "Rescue", "Boot it from its image, with its disk beside?"),
    "unrescue": Button("unrescue", "Unrescue"),
    "confirm-resize": Button("confirm-resize", "Confirm the resize"),
    "revert-resize": Button("revert-resize", "Revert the resize"),
    "migrate": Button("migrate", "Migrate", "Move it to another host, stopped meanwhile?"),
    "live-migrate": Button("live-migrate", "Live-migrate"),
    "reset-state": Button("reset-state", "Call it active", "Say it is active, whatever it is?"),
    "restore": Button("restore", "Restore"),
    "force-delete": Button("force-delete", "Delete now", "Delete it for good?", danger=True),
    "delete": Button("delete", "Delete", "Delete it for good?", danger=True),
}
_ANY = ("lock", "delete")
_BY_STATUS: dict[str, Sequence[str]] = {
    "ACTIVE": ("stop", "reboot", "reboot-hard", "pause", "suspend", "shelve", "rescue"),
    "SHUTOFF": ("start", "reboot-hard", "shelve", "rescue"),
    "PAUSED": ("unpause", "reboot-hard", "shelve"),
    "SUSPENDED": ("resume", "reboot-hard", "shelve"),
    "VERIFY_RESIZE": ("confirm-resize", "revert-resize", "reboot", "stop"),
    "RESCUE": ("unrescue", "reboot-hard"),
    "SHELVED": ("unshelve",),
    "SHELVED_OFFLOADED": ("unshelve",),
    "SOFT_DELETED": ("restore", "force-delete"),
    "ERROR": ("reboot-hard",),
}
_BULK = ("start", "stop", "reboot", "pause", "unpause", "suspend", "resume", "shelve", "unshelve")
TASK, HOST = "OS-EXT-STS:task_state", "OS-EXT-SRV-ATTR:host"


def status_of(server: Item) -> State:
    """Return the status, with what is being done."""
    return State(server["status"], server.get(TASK) or "")


def addresses_of(server: Item) -> Cell:
    """Return the addresses, floating ones too."""
    found = [each["addr"] for net in server["addresses"].values() for each in net]
    return Many([Code(address) for address in found])


def _flavor(server: Item) -> Cell:
    return Text(server["flavor"]["original_name"])


def _link(server: Item) -> Cell:
    return Link(server["name"], f"/servers/{server['id']}")


COLUMNS = (
    Column("Name", _link, "display_name"),
    Column("Status", status_of, "vm_state"),
    Column("Addresses", addresses_of),
    Column("Flavor", _flavor, "instance_type_id"),
    Column("Key pair", lambda server: Text(server["key_name"] or ""), "key_name"),
    Column("Zone", lambda server: Text(server["OS-EXT-AZ:availability_zone"]), "availability_zone"),
    Column("Created", lambda server: When(server["created"]), "created_at"),
)
PROJECT = Column(
    "Project",
    lambda server: Link(server["tenant_id"], f"/admin/projects/{server['tenant_id']}"),
    "project_id",
)
BULK = (*(_BUTTONS[name] for name in _BULK), _BUTTONS["delete"])
LISTING = Listing(
    title="Servers",
    path="/servers",
    service="compute",
    url="/servers/detail",
    key="servers",
    columns=COLUMNS,
    pattern="name",
    create=("Launch", "/servers/new"),
    bulk=BULK,
    live=("server",),
    empty="There is no server yet. Launch one.",
)


def buttons_of(server: Item, *, is_admin: bool) -> list[Button]:
    """Return what may be done with a server as it is."""
    status = server["status"]
    names = [*_BY_STATUS.get(status, ()), *_ANY]
    if server.get("locked"):
        names = ["unlock" if name == "lock" else name for name in names]
    if is_admin and status in ("ACTIVE", "SHUTOFF"):
        names.insert(-1, "migrate")
    if is_admin and status == "ACTIVE":
        names.insert(-1, "live-migrate")
    if is_admin and (status == "ERROR" or server.get(TASK)):
        names.insert(-1, "reset-state")
    return [_BUTTONS[name] for name in names]

"""What state a server is in, and what may be done with it then.

Status is computed from the machine's state and the task under way, as nova does it.
"""

from typing import Literal, TypeAlias

from cumulo.kit.errors import Conflict

VmState: TypeAlias = Literal[
    "building",
    "active",
    "paused",
    "suspended",
    "stopped",
    "rescued",
    "resized",
    "soft-delete",
    "shelved",
    "shelved_offloaded",
    "error",
    "deleted",
]

# power_state as clients see it
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7

_STATUS = {
    "building": "BUILD",
    "active": "ACTIVE",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "stopped": "SHUTOFF",
    "rescued": "RESCUE",
    "resized": "VERIFY_RESIZE",
    "soft-delete": "SOFT_DELETED",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
    "error": "ERROR",
    "deleted": "DELETED",
}
_SOFT_REBOOT = ("rebooting", "reboot_pending", "reboot_started")
_HARD_REBOOT = ("rebooting_hard", "reboot_pending_hard", "reboot_started_hard")
_RESIZE = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")
_REBUILD = ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning")
# status -> where it shows: machine states, and the tasks that make them show it
_BY_TASK: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "REBOOT": (("active",), _SOFT_REBOOT),
    "HARD_REBOOT": (("active",), _HARD_REBOOT),
    "PASSWORD": (("active",), ("updating_password",)),
    "REBUILD": (("active", "stopped", "error"), _REBUILD),
    "MIGRATING": (("active", "paused"), ("migrating",)),
    "RESIZE": (("active", "stopped"), _RESIZE),
    "REVERT_RESIZE": (("resized",), ("resize_reverting",)),
}
_SHOWN = {
    (state, task): status
    for status, (states, tasks) in _BY_TASK.items()
    for state in states
    for task in tasks
}

_SETTLED = frozenset({"active", "stopped", "paused", "suspended"})
_WITH_VOLUMES = frozenset(
    {"active", "paused", "stopped", "resized", "soft-delete", "shelved", "shelved_offloaded"}
)
# action -> states in which it is allowed; nova's `check_instance_state`
_ALLOWED: dict[str, frozenset[str]] = {
    "stop": frozenset({"active", "error"}),
    "start": frozenset({"stopped"}),
    "reboot": frozenset({"active"}),
    "reboot hard": frozenset({"active", "stopped", "paused", "suspended", "error"}),
    "pause": frozenset({"active"}),
    "unpause": frozenset({"paused"}),
    "suspend": frozenset({"active"}),
    "resume": frozenset({"suspended"}),
    "rescue": frozenset({"active", "stopped", "error"}),
    "unrescue": frozenset({"rescued"}),
    "resize": frozenset({"active", "stopped"}),
    "migrate": frozenset({"active", "stopped"}),
    "confirmResize": frozenset({"resized"}),
    "revertResize": frozenset({"resized"}),
    "os-migrateLive": frozenset({"active", "paused"}),
    "evacuate": frozenset({"active", "stopped", "error"}),
    "changePassword": frozenset({"active"}),
    "create share": frozenset({"stopped"}),
    "delete share": frozenset({"stopped", "error"}),
    "trigger_crash_dump": frozenset({"active", "paused", "rescued", "resized", "error"}),
    "rebuild": frozenset({"active", "stopped", "error"}),
    "createImage": _SETTLED,
    "createBackup": _SETTLED,
    "shelve": _SETTLED,
    "shelveOffload": frozenset({"shelved"}),
    "unshelve": frozenset({"shelved", "shelved_offloaded"}),
    "softDelete": frozenset({"active", "stopped", "paused", "suspended"}),
    "restore": frozenset({"soft-delete"}),
    "attach_interface": frozenset({"active", "paused", "stopped"}),
    "detach_interface": frozenset({"active", "paused", "stopped"}),
    "attach_volume": _WITH_VOLUMES,
    "detach_volume": _WITH_VOLUMES,
    # Not "resized", as nova has it: what is kept to revert to names the volume's old place.
    "exchange_volume": frozenset({"active", "paused"}),
    "add_fixed_ip": _SETTLED,
    "remove_fixed_ip": _SETTLED,
    "update_server_metadata": _SETTLED,
    "delete_server_metadata": _SETTLED,
}
# Tasks that do not stand in the way of a hard reboot.
_HARD_REBOOT_OVER = frozenset(
    {None, *_SOFT_REBOOT, *_HARD_REBOOT, "resuming", "unpausing", "suspending"}
)


def status_of(vm_state: str, task_state: str | None) -> str:
    """Return the status that clients see."""
    return _SHOWN.get((vm_state, task_state or ""), _STATUS[vm_state])


def vm_states_of(status: str) -> tuple[set[str], set[str | None] | None] | None:
    """Return the machine states, and the tasks if they matter, that show as `status`."""
    wanted = status.upper()
    if wanted in _BY_TASK:
        states, tasks = _BY_TASK[wanted]
        return set(states), set(tasks)
    found = {state for state, shown in _STATUS.items() if shown == wanted}
    return (found, None) if found else None


def check(action: str, server_id: str, vm_state: str, task_state: str | None) -> None:
    """Raise `Conflict` unless `action` may be done with a server in this state."""
    if vm_state not in _ALLOWED[action]:
        raise Conflict(
            f"Cannot '{_word(action)}' instance {server_id} while it is in vm_state {vm_state}",
            server_id=server_id,
        )
    over = _HARD_REBOOT_OVER if action == "reboot hard" else {None}
    free = task_state in over or action.endswith("_metadata")
    if not free:
        raise Conflict(
            f"Cannot '{_word(action)}' instance {server_id} while it is in task_state {task_state}",
            server_id=server_id,
        )


def _word(action: str) -> str:
    """Return what a client calls an action."""
    return "reboot" if action == "reboot hard" else action


def is_counted(vm_state: str, task_state: str | None) -> bool:
    """Say whether a server counts against quotas: one that is deleted softly does not."""
    return vm_state != "soft-delete" or task_state == "restoring"


def allowed_states(action: str) -> frozenset[str]:
    """Return the machine states in which `action` may be done."""
    return _ALLOWED[action]

"""What image properties and extra specs say about a guest, read as Nova reads them."""

from cumulo.node.api import GuestSpec

_YES = frozenset({"1", "t", "true", "on", "y", "yes"})


def is_on(value: str | None) -> bool:
    """Say whether a property that is yes or no says yes."""
    return (value or "").strip().lower() in _YES


def has_agent(spec: GuestSpec) -> bool:
    """Say whether the guest has a channel to an agent inside of it."""
    return is_on(spec.properties.get("hw_qemu_guest_agent"))

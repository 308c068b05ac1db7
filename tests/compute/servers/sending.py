"""Hosts in memory that share nothing and send each other their guests."""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.node.api import GuestSpec, HostError, HostFacts
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.moving import Arrival, Place


class SendingNode(FakeNode):
    """A host that holds itself and others to what `Mover` asks of them."""

    others: ClassVar[dict[str, "SendingNode"]] = {}

    def __init__(self, name: str, *, facts: HostFacts | None = None) -> None:
        super().__init__(name, facts=facts)
        self.name = name
        self.others[name] = self
        self.offered: dict[str, str] = {}
        self.expected: dict[str, str] = {}
        self.sent: set[str] = set()
        self.boots = 0
        self.while_sending: Callable[[], None] | None = None
        self.told: list[str] = []

    def facts(self) -> HostFacts:
        return msgspec.structs.replace(super().facts(), shares_guests=False, port=8790)

    def ensure_guest(self, spec: GuestSpec) -> None:
        self.boots += spec.id not in self.guests()
        super().ensure_guest(spec)

    def offer_guest(self, guest_id: str, to: str) -> None:
        if guest_id not in self.guests() and guest_id not in self.sent:
            raise NotFound(f"No guest {guest_id}.")
        self.offered[guest_id] = to

    def fetch_guest(self, spec: GuestSpec, source: Place) -> None:
        there = self.others[source.name]
        if spec.id in self.guests():
            return
        assert there.offered.get(spec.id) == self.name
        assert there.guests()[spec.id].power == "stopped"
        super().ensure_guest(spec)
        self.ensure_power(spec.id, "stopped", 0)

    def expect_guest(self, spec: GuestSpec, source: Place) -> Arrival:
        assert self.others[source.name].offered.get(spec.id) == self.name
        self.expected[spec.id] = source.name
        return Arrival(guest="/guests", cache="/cache")

    def send_guest(self, guest_id: str, dest: Place, arrival: Arrival) -> None:
        if guest_id not in self.guests():
            if guest_id in self.sent:
                return
            raise HostError(f"No guest {guest_id} runs here.")
        there = self.others[dest.name]
        assert there.expected.get(guest_id) == self.name
        if self.while_sending is not None:
            during, self.while_sending = self.while_sending, None
            during()
        if "abort" in self.told:
            raise HostError("operation aborted: canceled by client")
        power = self.guests()[guest_id].power
        FakeNode.ensure_guest(there, self.spec(guest_id))
        there.ensure_power(guest_id, power)
        super().remove_guest(guest_id)
        self.sent.add(guest_id)

    def call_back_guest(self, guest_id: str) -> None:
        self.told.append("abort")

    def hurry_guest(self, guest_id: str) -> None:
        self.told.append("force_complete")

    def settle_guest(self, guest_id: str) -> None:
        if guest_id not in self.guests():
            raise HostError(f"Guest {guest_id} did not arrive.")
        self.expected.pop(guest_id, None)

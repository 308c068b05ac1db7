"""All of Open vSwitch and OVN that a machine has of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from cumulo.node.advertisement_guard import AdvertisementGuard
from cumulo.node.certificates import Identity
from cumulo.node.ovn import Central, Controller, Southbound
from cumulo.node.ovs import Datapath, PhysicalNetwork, Switch
from cumulo.node.plug_keeper import PlugKeeper
from cumulo.node.supervise import Supervisor


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Where hosts on other machines reach our southbound database."""

    address: str
    port: int
    identity: Identity


class FabricSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the fabric lives and what it is connected to."""

    directory: Path  # with sockets in it: a path of at most 80 characters
    hostname: str
    system_id: str
    physical_networks: Sequence[PhysicalNetwork] = ()
    encap_ip: str = "127.0.0.1"
    datapath: Datapath | None = None  # None: the best there is
    owner: int | None = None  # the user that OVN's databases belong to
    south: Southbound | None = None  # another machine's; None: our own
    served: Served | None = None  # our own databases, for hosts on other machines


class Fabric:
    """Open vSwitch and OVN, started and stopped as one."""

    def __init__(self, settings: FabricSettings, supervisor: Supervisor) -> None:
        self.switch = Switch(
            settings.directory / "ovs",
            supervisor,
            settings.physical_networks,
            settings.datapath,
        )
        self._keeper: PlugKeeper | None = None
        self._guard: AdvertisementGuard | None = None
        self._served = settings.served
        self.central = None if settings.south else _central(settings, supervisor)
        self.controller = Controller(
            self.switch,
            supervisor,
            system_id=settings.system_id,
            hostname=settings.hostname,
            south=settings.south or Southbound(_own(self.central)),
            encap_ip=settings.encap_ip,
        )

    def start(self) -> None:
        """Start what does not run and adopt what does."""
        starts = [self.switch.start, *([self.central.start] if self.central else [])]
        with ThreadPoolExecutor(max_workers=2) as pool:
            for part in [pool.submit(start) for start in starts]:
                part.result()
        if self.central is not None and self._served is not None:
            self.central.open_to_hosts(self._served.address, self._served.port)
        self.controller.start()
        if self._guard is None:
            self._keeper = PlugKeeper(self.switch)
            self._guard = AdvertisementGuard(self.switch.integration)
            self._guard.await_in_place()

    def mend_guests_by(self, mend: Callable[[str], None]) -> None:
        """Have guests whose links somebody removed mended by `mend`, once the fabric runs."""
        assert self._keeper is not None
        self._keeper.mend_guests_by(mend)

    def let_go(self) -> None:
        """Leave everything running, for a successor."""
        self._end_keepers()
        self.switch.let_go()

    def stop(self) -> None:
        """Stop all of it and take its bridges away."""
        self._end_keepers()
        self.controller.stop()
        self.switch.stop()
        if self.central is not None:
            self.central.stop()

    def _end_keepers(self) -> None:
        for each in (self._guard, self._keeper):
            if each is not None:
                each.close()
        self._guard = self._keeper = None


def _central(settings: FabricSettings, supervisor: Supervisor) -> Central:
    identity = settings.served.identity if settings.served is not None else None
    return Central(settings.directory / "ovn", supervisor, settings.owner, identity)


def _own(central: Central | None) -> str:
    assert central is not None
    return central.south_remote

"""All of Open vSwitch and OVN for a cloud on one machine."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from cumulo.node.ovn import Central, Controller
from cumulo.node.ovs import Datapath, PhysicalNetwork, Switch
from cumulo.node.plug_keeper import PlugKeeper
from cumulo.node.supervise import Supervisor


class FabricSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the fabric lives and what it is connected to."""

    directory: Path  # with sockets in it: a path of at most 80 characters
    hostname: str
    system_id: str
    physical_networks: Sequence[PhysicalNetwork] = ()
    encap_ip: str = "127.0.0.1"
    datapath: Datapath | None = None  # None: the best there is
    owner: int | None = None  # the user that OVN's databases belong to


class Fabric:
    """Open vSwitch and OVN, started and stopped as one."""

    def __init__(self, settings: FabricSettings, supervisor: Supervisor) -> None:
        self.switch = Switch(
            settings.directory / "ovs",
            supervisor,
            settings.physical_networks,
            settings.datapath,
        )
        self.central = Central(settings.directory / "ovn", supervisor, settings.owner)
        self._keeper: PlugKeeper | None = None
        self.controller = Controller(
            self.switch,
            supervisor,
            system_id=settings.system_id,
            hostname=settings.hostname,
            south_remote=self.central.south_remote,
            encap_ip=settings.encap_ip,
        )

    def start(self) -> None:
        """Start what does not run and adopt what does."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            for part in [pool.submit(self.central.start), pool.submit(self.switch.start)]:
                part.result()
        self.controller.start()
        self._keeper = self._keeper or PlugKeeper(self.switch)

    def let_go(self) -> None:
        """Leave everything running, for a successor."""
        self._end_keeper()
        self.switch.let_go()

    def stop(self) -> None:
        """Stop all of it and take its bridges away."""
        self._end_keeper()
        for part in (self.controller, self.switch, self.central):
            part.stop()

    def _end_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

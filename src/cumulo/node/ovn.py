"""OVN of our own: the databases with their translator, and the controller of this host."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from cumulo.node.certificates import Identity
from cumulo.node.ovs import (
    INTEGRATION_BRIDGE,
    PhysicalNetwork,
    Switch,
    environment,
    prepare_database,
    run,
)
from cumulo.node.processes import answers
from cumulo.node.supervise import Daemon, Supervisor

SCHEMAS = Path("/usr/share/ovn")
NORTH, SOUTH, TRANSLATOR, CONTROLLER = "ovn-nb", "ovn-sb", "ovn-northd", "ovn-controller"
_QUIET = ("-vconsole:info", "-vsyslog:off", "-vfile:off")


class Central:
    """The northbound and southbound databases and northd between them; needs no root.

    With `owner` they run as that user, and only it (and root) can reach their sockets.
    """

    def __init__(
        self,
        directory: Path,
        supervisor: Supervisor,
        owner: int | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.directory = directory
        self._identity = identity  # to show to hosts on other machines
        self.north, self.south = directory / "nb.sock", directory / "sb.sock"
        self._supervisor = supervisor
        self._owner = owner

    @property
    def north_remote(self) -> str:
        """Return where the northbound database listens."""
        return f"unix:{self.north}"

    @property
    def south_remote(self) -> str:
        """Return where the southbound database listens."""
        return f"unix:{self.south}"

    def start(self) -> None:
        """Start both databases at once, then northd."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        if self._owner is not None:
            os.chown(self.directory, self._owner, -1)
        databases = [
            self._database(NORTH, "nb", "db:OVN_Northbound,NB_Global,connections"),
            self._database(SOUTH, "sb", "db:OVN_Southbound,SB_Global,connections"),
        ]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(self._supervisor.ensure, databases))
        self._supervisor.ensure(self._northd())

    def open_to_hosts(self, address: str, port: int) -> None:
        """Let hosts with a certificate reach the southbound database, each to write of itself.

        OVN holds a host to the rows of the chassis that its certificate names.
        """
        target = f"pssl:{port}:{address}"
        row = ["create", "connection", f'target="{target}"', "role=ovn-controller"]
        run(
            "ovn-sbctl",
            f"--db={self.south_remote}",
            "--timeout=20",
            *("del-connection", "--", "--id=@hosts", *row, "inactivity_probe=60000"),
            *("--", "set", "SB_Global", ".", "connections=@hosts"),
        )

    def stop(self) -> None:
        """Stop the three, whoever started them; the databases stay on disk."""
        for name in (TRANSLATOR, SOUTH, NORTH):
            self._supervisor.stop(name)

    def _database(self, name: str, part: str, configured: str) -> Daemon:
        file = self.directory / f"{part}.db"
        return Daemon(
            name=name,
            argv=[
                "ovsdb-server",
                str(file),
                f"--remote=punix:{self.directory / f'{part}.sock'}",
                f"--remote={configured}",
                f"--unixctl={self.directory / f'{part}.ctl'}",
                *(_ssl(self._identity) if name == SOUTH else ()),
                *_QUIET,
            ],
            env=environment(self.directory),
            prepare=lambda: prepare_database(file, SCHEMAS / f"ovn-{part}.ovsschema", self._owner),
            ready=self.directory / f"{part}.sock",
            user=self._owner,
        )

    def _northd(self) -> Daemon:
        control = self.directory / "northd.ctl"
        return Daemon(
            name=TRANSLATOR,
            argv=[
                "ovn-northd",
                f"--ovnnb-db={self.north_remote}",
                f"--ovnsb-db={self.south_remote}",
                f"--unixctl={control}",
                *_QUIET,
            ],
            env=environment(self.directory),
            ready=control,
            user=self._owner,
        )


class Southbound(msgspec.Struct, frozen=True):
    """The database that says what hosts are to do, and what they show where it asks for it."""

    remote: str
    identity: Identity | None = None


class Controller:
    """What makes this host's switch do as the southbound database says."""

    def __init__(
        self,
        switch: Switch,
        supervisor: Supervisor,
        *,
        system_id: str,
        hostname: str,
        south: Southbound,
        encap_ip: str = "127.0.0.1",
    ) -> None:
        self._switch = switch
        self._identity = south.identity
        self._supervisor = supervisor
        self._ids = {
            "system-id": system_id,
            "hostname": hostname,
            "ovn-remote": south.remote,
            "ovn-encap-type": "geneve",
            "ovn-encap-ip": encap_ip,
            "ovn-bridge": INTEGRATION_BRIDGE,
            "ovn-bridge-datapath-type": switch.datapath,
            "ovn-bridge-mappings": _mappings(switch.physical_networks),
            "ovn-cms-options": _options(switch.physical_networks),
            "ovn-openflow-probe-interval": "60",
            "ovn-monitor-all": "true",  # cheaper than to follow what it needs, on a few hosts
        }

    def start(self) -> None:
        """Tell the switch who this host is and start the controller."""
        settings = [f'external_ids:{key}="{value}"' for key, value in self._ids.items()]
        self._switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", *settings)
        directory = self._switch.directory
        for stale in directory.glob("ovn-controller.*.ctl"):
            if not answers(stale):
                stale.unlink(missing_ok=True)
        self._supervisor.ensure(
            Daemon(
                name=CONTROLLER,
                argv=["ovn-controller", self._switch.remote, *_ssl(self._identity), *_QUIET],
                env=environment(directory),
                ready=lambda: any(answers(path) for path in directory.glob(f"{CONTROLLER}.*.ctl")),
            )
        )

    def stop(self) -> None:
        """Stop the controller, which takes this host out of the southbound database."""
        self._supervisor.stop(CONTROLLER)


def _ssl(identity: Identity | None) -> list[str]:
    if identity is None:
        return []
    return [
        f"--private-key={identity.key}",
        f"--certificate={identity.certificate}",
        f"--ca-cert={identity.authority}",
    ]


def _mappings(networks: tuple[PhysicalNetwork, ...]) -> str:
    return ",".join(f"{net.name}:{net.bridge}" for net in networks)


def _options(networks: tuple[PhysicalNetwork, ...]) -> str:
    """Return what the network service is told of this host's abilities."""
    rates = [
        f"{net.bridge}:{net.egress_kbps or ''}:{net.ingress_kbps or ''}"
        for net in networks
        if net.egress_kbps or net.ingress_kbps
    ]
    promises = [f"resource_provider_bandwidths={';'.join(rates)}"] if rates else []
    gateway = ["enable-chassis-as-gw"] if networks else []
    return ",".join(["cumulo-metadata", *gateway, *promises])

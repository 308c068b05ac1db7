"""What an operator may set: one TOML file, read once, checked whole, handed out in parts.

Every default is right for a laptop; a name or value that is not known stops the start, with its
place in the file.  Options that OpenStack has keep OpenStack's names.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Invalid
from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.dashboard.settings import DashboardSettings
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.image.limits import ImageLimits as ImageSettings
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.objectstore.settings import ObjectStoreSettings
from cumulo.services.volume.settings import VolumeSettings

Port = Annotated[int, Meta(ge=1, le=65535)]


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the APIs listen, and with how many threads each."""

    host: str = "127.0.0.1"
    public_host: str = ""  # what the catalog tells clients; empty: `host`
    identity_port: Port = 5000
    compute_port: Port = 8774
    metadata_port: Port = 8775
    placement_port: Port = 8778
    image_port: Port = 9292
    network_port: Port = 9696
    objectstore_port: Port = 8080
    volume_port: Port = 8776
    dashboard_port: Port = 8000
    metrics_port: Port = 9180
    metrics_host: str = "127.0.0.1"  # figures of all projects, for which nobody needs a token
    console_port: Port = 6080
    # Hosts, with their ports, whose pages may show consoles besides our own: a dashboard's.
    console_allowed_origins: tuple[str, ...] = ()
    threads: Annotated[int, Meta(ge=1, le=512)] = 16
    # Of APIs that take large bodies, each of which holds one.
    streaming_threads: Annotated[int, Meta(ge=1, le=512)] = 64


class DatabaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the truth is; empty: a SQLite file in the state directory."""

    connection: str = ""

    def url(self, control: Path) -> str:
        """Return where it is for the cloud that keeps what is secret in `control`."""
        return self.connection or f"sqlite:///{control}/cumulo.db"


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is done at once, for each service."""

    threads: Annotated[int, Meta(ge=1, le=256)] = 8


class Physical(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network outside of the cloud that flat and VLAN networks are laid on.

    The host reaches it by `addresses` on `bridge`; an `interface` of the host joins it.  Guests
    may be promised `egress_kbps` and `ingress_kbps` of it in all.
    """

    name: str
    bridge: str
    addresses: tuple[str, ...] = ()
    interface: str | None = None
    egress_kbps: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    ingress_kbps: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this machine is as a host of guests."""

    name: str = ""  # empty: the machine's host name
    # Where the cloud's other machines reach this one; empty: it is the only one.
    address: str = ""
    tunnel_address: str = ""  # where networks between machines come in; empty: `address`
    port: Port = 8790  # for commands, from those who hold a certificate of this cloud
    join_port: Port = 8791  # where machines that have a token join
    controller_port: Port = 8792  # where those that joined ask for images and metadata
    southbound_port: Port = 6642  # OVN's, for those that joined
    virt_type: Literal["auto", "kvm", "qemu"] = "auto"
    physical_networks: tuple[Physical, ...] = (
        Physical(name="provider", bridge="br-provider", addresses=("192.168.56.1/24",)),
        Physical(name="physnet1", bridge="br-ex", addresses=("203.0.113.1/24",)),
    )
    user: str = "cumulo"  # runs all that needs no root


class Emulated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hosts there are when none is real."""

    hosts: Annotated[int, Meta(ge=1, le=10_000)] = 1


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    region: str = "RegionOne"
    http: Http = Http()
    database: DatabaseSettings = DatabaseSettings()
    worker: WorkerSettings = WorkerSettings()
    node: NodeSettings = NodeSettings()
    emulated: Emulated = Emulated()
    identity: IdentitySettings = IdentitySettings()
    image: ImageSettings = ImageSettings()
    compute: ComputeSettings = ComputeSettings()
    objectstore: ObjectStoreSettings = ObjectStoreSettings()
    dashboard: DashboardSettings = DashboardSettings()
    volume: VolumeSettings = VolumeSettings()
    network: NetworkSettings = NetworkSettings(
        tenant_network_types=("geneve",), network_vlan_ranges=("physnet1:1000:2000",)
    )


def load(path: Path | None) -> Settings:
    """Read a file; without one, everything is as by default."""
    if path is None:
        return Settings()
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Settings)
    except OSError as error:
        raise Invalid(f"The settings in {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"The settings in {path} are not text in UTF-8.") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"The settings in {path} cannot be used: {error}.") from error

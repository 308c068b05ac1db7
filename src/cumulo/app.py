"""The composition root: the only module that knows every other.

A `Cloud` is everything that exists once in a process that serves APIs and runs workflows; what
differs between an emulated and a real one (hosts, network driver) is handed in.
"""

import dataclasses
import functools
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cumulo.addresses import auth_url
from cumulo.addresses import catalog as catalog
from cumulo.addresses import ports as ports
from cumulo.auth import Context, Policy
from cumulo.auth.context import system
from cumulo.bus import LocalDoorbell
from cumulo.db import Database, Tx
from cumulo.db.migrations import upgrade
from cumulo.kit import log
from cumulo.kit.errors import Unavailable
from cumulo.kit.outbound import Outbound
from cumulo.node.api import FixedNodes, Node, Nodes
from cumulo.node.certificates import Authority, Identity
from cumulo.node.client import UnixDialer
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.moving import moving_node
from cumulo.services.compute import public as compute
from cumulo.services.compute.api import OPERATIONS as COMPUTE
from cumulo.services.compute.api.metadata import OPERATIONS as METADATA
from cumulo.services.compute.instance_metadata import InstanceMetadata
from cumulo.services.compute.metadata_requests import MetadataTools
from cumulo.services.compute.policy import RULES as COMPUTE_RULES
from cumulo.services.compute.versions import HISTORY as COMPUTE_HISTORY
from cumulo.services.dashboard.api import FAMILY as DASHBOARD_FAMILY
from cumulo.services.dashboard.api import HEADERS as DASHBOARD_HEADERS
from cumulo.services.dashboard.api import OPERATIONS as DASHBOARD
from cumulo.services.dashboard.journal import Watchers
from cumulo.services.dashboard.policy import RULES as DASHBOARD_RULES
from cumulo.services.dashboard.tools import Tools as DashboardTools
from cumulo.services.dashboard.transport import App, Transport
from cumulo.services.identity import public as identity
from cumulo.services.identity.api import OPERATIONS as IDENTITY
from cumulo.services.image import public as image
from cumulo.services.image.api import FAMILY as IMAGE_FAMILY
from cumulo.services.image.api import OPERATIONS as IMAGE
from cumulo.services.image.drivers.file import FileStore
from cumulo.services.image.policy import RULES as IMAGE_RULES
from cumulo.services.image.reconcile import RECONCILERS as IMAGE_RECONCILERS
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import WORKFLOWS as IMAGE_WORKFLOWS
from cumulo.services.machines import public as machines
from cumulo.services.metrics.api import OPERATIONS as METRICS
from cumulo.services.metrics.policy import RULES as METRICS_RULES
from cumulo.services.network import public as network
from cumulo.services.network.api import OPERATIONS as NETWORK
from cumulo.services.network.drivers.base import HostBandwidth, NetworkDriver
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.drivers.ovn import OvnDriver
from cumulo.services.network.policy import RULES as NETWORK_RULES
from cumulo.services.network.reconcile import RECONCILERS as NETWORK_RECONCILERS
from cumulo.services.objectstore.api import FAMILY as OBJECTSTORE_FAMILY
from cumulo.services.objectstore.api import OPERATIONS as OBJECTSTORE
from cumulo.services.objectstore.api import new_trans_id, quick_reads
from cumulo.services.objectstore.api.s3 import FAMILY as S3_FAMILY
from cumulo.services.objectstore.api.s3 import OPERATIONS as S3
from cumulo.services.objectstore.api.s3 import is_s3
from cumulo.services.objectstore.assembly import assembled
from cumulo.services.objectstore.policy import RULES as OBJECTSTORE_RULES
from cumulo.services.objectstore.reconcile import RECONCILERS as OBJECTSTORE_RECONCILERS
from cumulo.services.objectstore.tools import Tools as ObjectStoreTools
from cumulo.services.placement.api import FAMILY as PLACEMENT_FAMILY
from cumulo.services.placement.api import OPERATIONS as PLACEMENT
from cumulo.services.placement.policy import RULES as PLACEMENT_RULES
from cumulo.services.placement.versions import HISTORY as PLACEMENT_HISTORY
from cumulo.services.volume import assembly as volume_assembly
from cumulo.services.volume import public as volume
from cumulo.services.volume.api import FAMILY as VOLUME_FAMILY
from cumulo.services.volume.api import OPERATIONS as VOLUME
from cumulo.services.volume.policy import RULES as VOLUME_RULES
from cumulo.services.volume.reconcile import RECONCILERS as VOLUME_RECONCILERS
from cumulo.services.volume.settings import BackendSettings
from cumulo.services.volume.versions import HISTORY as VOLUME_HISTORY
from cumulo.services.volume.workflows import WORKFLOWS as VOLUME_WORKFLOWS
from cumulo.settings import Settings
from cumulo.web import Operation, faults
from cumulo.web.edge import Api, Edge
from cumulo.web.faults import Family
from cumulo.web.gate import Gate
from cumulo.web.relay import VIEWER, RelayServer, files_in
from cumulo.work import Reconciler, Scheduler, Worker, housekeeping

LOG = log.get("app")


@dataclass(frozen=True)
class Machines:
    """Who vouches for the machines of a cloud, and what its controller shows them."""

    authority: Authority
    identity: Identity


@dataclass(frozen=True)
class Outside:
    """What a cloud is made of that is not the database."""

    nodes: Nodes
    driver: NetworkDriver
    host: str  # the name of the machine that this process runs on
    volumes: BackendSettings = volume_assembly.FILES  # where they go if the settings do not say
    machines: Machines | None = None  # None: no other machine can join


@dataclass(frozen=True)
class Passwords:
    """Those of the first users, and the secret that hosts sign metadata requests with."""

    admin: str
    demo: str
    metadata: str


class Cloud:
    """The services with their tools, in one process."""

    def __init__(
        self,
        settings: Settings,
        state: Path,
        outside: Outside,
        passwords: Passwords,
        db: Database | None = None,
    ) -> None:
        """Put the services together over `db`, or else over the database that settings name."""
        self.settings, self.state, self.outside = settings, state, outside
        self.passwords = passwords
        self.bell = LocalDoorbell()
        self.db = db or Database(settings.database.url(state))
        self.db.ring = self.bell.ring
        self.nodes = outside.nodes
        if outside.machines is not None:
            known = outside.machines.identity
            self.nodes = machines.JoinedNodes(outside.nodes, self.db, known)
        self.identity = identity.new_tools(self.db, settings.identity)
        self.images = state / "images"
        outbound = Outbound(settings.image.import_filtering_opts)
        read = dataclasses.replace(outbound, at_once=16)  # beside what is imported
        more = image.more_stores(settings.image, lambda: self.objectstore, read, self.db)
        self.image = ImageTools(self.db, FileStore(self.images), settings.image, outbound, more)
        self.network = network.Tools(
            self.db, outside.driver, settings.network, identity.projects_among
        )
        self.volume = self._volume()
        self.compute = self._compute()
        self.objectstore = ObjectStoreTools(
            assembled(state / "objects", settings.objectstore),
            settings.objectstore,
            self._signer,
            f"{settings.http.public_host or settings.http.host}:{settings.http.objectstore_port}",
        )
        self.metadata = MetadataTools(
            secret=passwords.metadata.encode(),
            instance_metadata=self._instance_metadata,
            set_password=compute.set_password,
        )

    def _compute(self) -> compute.Tools:
        return compute.Tools(
            db=self.db,
            nodes=self.nodes,
            settings=self.settings.compute,
            host=self.outside.host,
            project_exists=identity.project_exists,
            network=self.network,
            consoles=_consoles(self.settings),
            image_port=self.settings.http.image_port,
            images=self.images,
            image=self.image,
            volume=self.volume,
        )

    def _volume(self) -> volume.VolumeTools:
        settings, outside = self.settings.volume, self.outside
        return volume.VolumeTools(
            db=self.db,
            settings=settings,
            host=outside.host,
            places=volume_assembly.places(settings, outside.host, self.state, outside.volumes),
            project_exists=identity.project_exists,
            image=self.image,
            servers=compute.ServerVolumes(lambda: self.compute),
            backups=volume_assembly.backups(settings, self.state, lambda: self.objectstore),
            safe=volume_assembly.safe(self.state),
        )

    def _instance_metadata(self, tx: Tx, server_id: str) -> InstanceMetadata | None:
        return compute.metadata_of(tx, server_id, self.settings.compute)

    @cached_property
    def dashboard(self) -> DashboardTools:
        """Return the way from pages to the APIs."""
        transport = Transport(self._local_apps)
        chosen = self.settings.dashboard
        watchers = Watchers(self.db, self.bell, chosen.streams)
        return DashboardTools(transport, auth_url(self.settings), chosen, watchers)

    def _local_apps(self) -> dict[int, App]:
        """Return the application behind each port that pages may ask."""
        asked = [api for api in self.apis if api.claims is None and api.name != "dashboard"]
        return {api.port: self.gate(api) for api in asked}

    def _signer(self, access: str, is_signed: Callable[[str], bool]) -> Context:
        return identity.sign_in(self.db, self.identity, access, is_signed)

    def prepare(self) -> None:
        """Bring the database up to date and make what a cloud has before anybody logs in."""
        try:
            self._prepare()
        except sa.exc.DatabaseError as error:
            if isinstance(error, sa.exc.ProgrammingError | sa.exc.IntegrityError):
                raise  # ours, and nothing that another disk or server would mend
            where = self.db.engine.url.render_as_string(hide_password=True)
            raise Unavailable(f"The database {where} cannot be used: {error.orig}.") from error

    def _prepare(self) -> None:
        upgrade(self.db)
        services = [identity.ServiceSpec(*spec) for spec in catalog(self.settings)]
        first = identity.Bootstrap(
            admin_password=self.passwords.admin,
            demo_password=self.passwords.demo,
            services=services,
            region=self.settings.region,
        )
        identity.bootstrap(self.db, self.identity, first)
        self.db.write(compute.add_first_flavor, system())
        self.db.write(image.add_first_resource_types)
        self.db.write(volume.add_default_type, self.settings.volume)
        volume.report_backends(self.volume)

    @cached_property
    def apis(self) -> list[Api]:
        """Every service as the edge sees it."""
        return _apis(self, policies(self.state / "policy"))

    def edge(self, name: str) -> Edge:
        """Return the WSGI application of one service."""
        api = next(api for api in self.apis if api.name == name)
        return Edge(api, self.db, self.identity.tokens.validate)

    def gate(self, api: Api) -> Edge | Gate:
        """Return the WSGI application of a port: one API's, or several's that share it."""
        validate = self.identity.tokens.validate
        beside = [
            (one.claims, Edge(one, self.db, validate))
            for one in self.apis
            if one.claims is not None and one.port == api.port
        ]
        edge = Edge(api, self.db, validate)
        return Gate(beside, edge) if beside else edge

    def relay(self) -> RelayServer:
        """Return the port of long-lived streams: consoles, and the pages that show them."""
        http = self.settings.http
        return RelayServer(
            files_in(VIEWER),
            functools.partial(compute.connect_console, self.compute),
            http.host,
            http.console_port,
            allowed_origins=http.console_allowed_origins,
        )

    def workers(self) -> list[Worker]:
        """Return one worker for each service that has workflows."""
        served: list[tuple[Sequence[Any], Any]] = [
            (compute.WORKFLOWS, self.compute),
            (IMAGE_WORKFLOWS, self.image),
            (VOLUME_WORKFLOWS, self.volume),
        ]
        return [Worker(self.db, flows, tools, bell=self.bell) for flows, tools in served]

    def scheduler(self) -> Scheduler:
        """Return what runs the reconcilers of every service, each with its service's tools."""
        served: list[tuple[Sequence[Reconciler[Any]], Any]] = [
            (_IDENTITY_RECONCILERS, self),
            (IMAGE_RECONCILERS, self.image),
            (NETWORK_RECONCILERS, self.network),
            (OBJECTSTORE_RECONCILERS, self.objectstore),
            (VOLUME_RECONCILERS, self.volume),
            (compute.RECONCILERS, self.compute),
            (housekeeping.RECONCILERS, self),
        ]
        bound = [_bound(each, tools) for reconcilers, tools in served for each in reconcilers]
        return Scheduler(self.db, bound, None, bell=self.bell)


def _consoles(settings: Settings) -> str:
    http = settings.http
    return f"{http.public_host or http.host}:{http.console_port}"


def _rotate_keys(cloud: Cloud) -> None:
    identity.rotate_keys(cloud.db, cloud.settings.identity)


def _forget_revocations(cloud: Cloud) -> None:
    identity.forget_revocations(cloud.db, cloud.settings.identity)


_IDENTITY_RECONCILERS = [
    Reconciler(_rotate_keys, every_s=60.0, name="identity.rotate_keys"),
    Reconciler(_forget_revocations, every_s=600.0, name="identity.forget_revocations"),
]


def _bound(reconciler: Reconciler[Any], tools: Any) -> Reconciler[None]:
    return Reconciler(
        lambda _: reconciler.run(tools), reconciler.every_s, reconciler.name, reconciler.wake
    )


_RULES: dict[str, dict[str, str]] = {
    "compute": COMPUTE_RULES,
    "dashboard": DASHBOARD_RULES,
    "image": IMAGE_RULES,
    "metrics": METRICS_RULES,
    "network": NETWORK_RULES,
    "objectstore": OBJECTSTORE_RULES,
    "placement": PLACEMENT_RULES,
    "volume": VOLUME_RULES,
}


OPERATIONS: dict[str, Sequence[Operation]] = {
    "compute": COMPUTE,
    "identity": IDENTITY,
    "image": IMAGE,
    "network": NETWORK,
    "objectstore": OBJECTSTORE,
    "placement": PLACEMENT,
    "volume": VOLUME,
}


def policies(directory: Path) -> dict[str, Policy]:
    """Return the rules of every service, with what an operator wrote in a directory over them."""
    identitys = {"scopes": identity.EVERY_SCOPE, "rule_scopes": identity.RULE_SCOPES}
    found = {}
    for name, rules in {**_RULES, "identity": identity.RULES}.items():
        scopes: Any = identitys if name == "identity" else {}
        found[name] = Policy(rules, file=directory / f"{name}.yaml", **scopes)
    for name, policy in found.items():
        policy.beside(*[other for key, other in found.items() if key != name])
    return found


def policy_symptoms(directory: Path) -> list[str]:
    """Return what is wrong with the rules that an operator wrote."""
    return [
        f"{directory / name}.yaml has a rule {rule}, which nothing asks for."
        for name, policy in policies(directory).items()
        for rule in policy.unknown
    ]


def _apis(cloud: Cloud, policies: dict[str, Policy]) -> list[Api]:
    numbers = dict(ports(cloud.settings))

    def api(name: str, operations: Sequence[Operation], family: Family, **more: Any) -> Api:
        return Api(
            name=name,
            port=numbers[name],
            operations=operations,
            policy=policies[name if name in policies else "compute"],
            family=family,
            auth_url=auth_url(cloud.settings),
            **more,
        )

    first_route = {"head_follows_get": True, "route_first": True, "vary": "X-Auth-Token"}
    ids = ("X-Openstack-Request-Id", "X-Compute-Request-Id")
    prefixes = {"project_prefix": "/v2.1", "old_prefix": "/v2"}
    slashes = {"slash_counts": True, "names_all": True}
    versions = {"history": COMPUTE_HISTORY, "request_id_headers": ids, **prefixes, **slashes}
    types = ("block-storage", "volume", "volumev3")
    volumes = {"history": VOLUME_HISTORY, "project_prefix": "/v3", "service_types": types}
    volumes["slash_counts"] = True
    return [
        api("identity", IDENTITY, faults.TITLED, tools=cloud.identity, **first_route),
        api("image", IMAGE, IMAGE_FAMILY, tools=cloud.image, slash_counts=True),
        api("compute", COMPUTE, faults.NAMED, tools=cloud.compute, **versions),
        api("metadata", METADATA, faults.PAGE, tools=cloud.metadata),
        api("network", NETWORK, faults.TYPED, tools=cloud.network),
        api("placement", PLACEMENT, PLACEMENT_FAMILY, history=PLACEMENT_HISTORY),
        api("volume", VOLUME, VOLUME_FAMILY, tools=cloud.volume, **volumes),
        *_objectstore(api, cloud),
        *_for_people(api, cloud),
    ]


def _for_people(api: Callable[..., Api], cloud: Cloud) -> list[Api]:
    """Return what is looked at with a browser, and what an operator's monitoring reads."""
    pages = api(
        "dashboard",
        DASHBOARD,
        DASHBOARD_FAMILY,
        tools=cloud.dashboard,
        headers=DASHBOARD_HEADERS,
        route_first=True,
    )
    host = cloud.settings.http.metrics_host
    figures = api("metrics", METRICS, faults.PAGE, tools=cloud.compute, host=host, route_first=True)
    return [pages, figures]


def _objectstore(api: Callable[..., Api], cloud: Cloud) -> list[Api]:
    shared: dict[str, Any] = {
        "service_types": ("object-store",),
        "tools": cloud.objectstore,
        "slash_counts": True,
        "route_first": True,
        "new_request_id": new_trans_id,
    }
    ids, s3_ids = ("X-Trans-Id", "X-Openstack-Request-Id"), ("x-amz-request-id", "x-amz-id-2")
    swift = api(
        "objectstore",
        OBJECTSTORE,
        OBJECTSTORE_FAMILY,
        request_id_headers=ids,
        is_quick=quick_reads(cloud.objectstore),
        **shared,
    )
    s3 = api("objectstore", S3, S3_FAMILY, request_id_headers=s3_ids, claims=is_s3, **shared)
    return [swift, dataclasses.replace(s3, name="s3")]


def attach(settings: Settings, node_socket: Path, ovn: Path, volumes: Path) -> Outside:
    """Return this machine as the one host of a cloud, reached through its sockets.

    `volumes` is a directory that guests' processes may pass through.
    """
    name = settings.node.name or platform.node()
    nodes = FixedNodes({name: moving_node(UnixDialer(node_socket))})
    driver = OvnDriver(f"unix:{ovn}/nb.sock", f"unix:{ovn}/sb.sock")
    files = volume_assembly.files_in(volumes)
    return Outside(nodes, driver, name, volumes=files)


def emulate(settings: Settings, state: Path, passwords: Passwords) -> Cloud:
    """Return a cloud whose hosts and networks exist in this process only, and need no root."""
    names = [f"node{number}" for number in range(1, settings.emulated.hosts + 1)]
    nodes: dict[str, Node] = {
        name: FakeNode(name, directory=state / "hosts" / name) for name in names
    }
    driver = FakeDriver(names)
    driver.physical_networks = [
        HostBandwidth(
            host=name,
            bridge=one.bridge,
            physical_network=one.name,
            egress_kbps=one.egress_kbps or 0,
            ingress_kbps=one.ingress_kbps or 0,
        )
        for name in names
        for one in settings.node.physical_networks
    ]
    outside = Outside(FixedNodes(nodes), driver, names[0], volumes=volume_assembly.EMULATED)
    return Cloud(settings, state, outside, passwords)

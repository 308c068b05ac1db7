"""What a network backend must offer.

The database holds what should be.  The service turns each unit of it (a network, a port, a
router, a security group) into a plan, complete in itself, and hands it over; the driver
compares it with what its backend has and changes the difference, in one transaction where the
backend has such.  Every call may be repeated, in any order: a plan that names a unit not there
yet is applied as far as it goes and completed when that unit comes.  A driver knows no
database, no request and no quota.

Errors: `Unavailable` (ask again later) and `BackendError` (do not).
"""

from collections.abc import Collection
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

from cumulo.kit.errors import CloudError

Unit: TypeAlias = Literal["network", "port", "router", "security_group"]


class BackendError(CloudError):
    """The backend refused, and asking again will not help."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A destination and the way to it."""

    destination: str
    nexthop: str


class SubnetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet: what its DHCP server and routers tell."""

    id: str
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    dns_nameservers: list[str] = []
    host_routes: list[Route] = []
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    metadata_ip: str | None = None  # the address of the network's metadata port in this subnet


class SegmentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Another way to tell a network's frames apart, elsewhere."""

    network_type: str
    physical_network: str | None
    segmentation_id: int | None


class NetworkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A network with its subnets; its ports come as plans of their own."""

    id: str
    name: str
    network_type: str  # flat, vlan, geneve, vxlan
    physical_network: str | None
    segmentation_id: int | None
    mtu: int
    external: bool
    admin_state_up: bool
    subnets: list[SubnetPlan] = []
    dns_domain: str = ""
    vlan_transparent: bool = False  # guests' own tags pass
    more_segments: list[SegmentPlan] = []


class AddressPair(msgspec.Struct, frozen=True, kw_only=True):
    """A MAC and IP (or CIDR) that a port may use besides its own."""

    mac: str
    ip: str


class BandwidthPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the packets of a port may come or go."""

    direction: str  # ingress, egress: as the guest sees it
    max_kbps: int
    max_burst_kbps: int


class PortPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a network."""

    id: str
    network_id: str
    name: str = ""
    mac: str
    fixed_ips: list[tuple[str, str]]  # (subnet id, address)
    device_id: str
    # compute:* or network: router_interface, router_gateway, dhcp, distributed (metadata)
    device_owner: str
    admin_state_up: bool
    port_security: bool
    security_group_ids: list[str] = []
    address_pairs: list[AddressPair] = []
    host: str = ""  # binding:host_id
    router_id: str | None = None  # for a router's ports
    dhcp_options: dict[str, str] = {}
    dhcpv6_options: dict[str, str] = {}
    hostname: str = ""  # what DHCP and the network's name service say
    dns_domain: str = ""
    bandwidth: list[BandwidthPlan] = []
    min_kbps: int | None = None  # of what it sends into a physical network
    dscp_mark: int | None = None
    parent_id: str = ""  # the trunk's port that its frames come through, with a tag
    tag: int | None = None


class FloatingIpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An address that leads to a guest."""

    id: str
    address: str
    fixed_ip: str
    port_id: str
    mac: str  # of the floating IP's own port, for distributed NAT
    gateway_port_id: str = ""  # the way out that its network is beyond
    bandwidth: list[BandwidthPlan] = []
    dscp_mark: int | None = None


class RouterPortPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A router's leg in a network, without the gateway."""

    port_id: str
    network_id: str
    mac: str
    cidrs: list[str]  # address with prefix length
    ipv6_ra_mode: str | None = None
    mtu: int = 1500
    is_public: bool = False  # its addresses mean the same outside and are not translated


class GatewayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A router's leg in an external network."""

    port_id: str
    network_id: str
    mac: str
    cidrs: list[str]
    nexthops: list[str]  # the external subnets' gateways
    enable_snat: bool
    mtu: int = 1500


class PortForwardingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A port of an address outside that leads to a port of a guest."""

    id: str
    floatingip_id: str
    protocol: str  # tcp, udp, sctp
    address: str
    port: int
    fixed_ip: str
    fixed_port: int


class RouterPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A router with its legs, routes and translations."""

    id: str
    name: str
    admin_state_up: bool
    ports: list[RouterPortPlan] = []
    gateway: GatewayPlan | None = None
    routes: list[Route] = []
    floating_ips: list[FloatingIpPlan] = []
    port_forwardings: list[PortForwardingPlan] = []
    ha: bool = True  # its way out moves when the host that has it fails
    distributed: bool = True  # floating IPs are answered for where their guests are
    more_gateways: list[GatewayPlan] = []
    spreads: bool = False  # over all ways out what goes nowhere else; else it takes the first
    probes: bool = False  # whether the next hop of a way out lives, by BFD

    @property
    def gateways(self) -> list[GatewayPlan]:
        """Return all ways out; packets to nowhere else take the first."""
        return [*([] if self.gateway is None else [self.gateway]), *self.more_gateways]


class RulePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a security group permits."""

    id: str
    direction: str  # ingress, egress
    ethertype: str  # IPv4, IPv6
    protocol: str | None  # a name or number as the API keeps it; None: any
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_addresses: list[str] | None = None  # ranges of either family


class SecurityGroupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A security group; ports name the groups they are in."""

    id: str
    name: str
    stateful: bool
    rules: list[RulePlan] = []


class PortStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether traffic of a port flows, and where it is plugged in."""

    up: bool
    host: str | None


class AgentReport(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the backend on a host, as `network agent list` shows it."""

    id: str
    agent_type: str
    binary: str
    host: str
    alive: bool
    configurations: dict[str, str] = {}


class HostBandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a physical network a host may promise to its guests."""

    host: str
    bridge: str
    physical_network: str
    egress_kbps: int = 0
    ingress_kbps: int = 0


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """What the backend holds of this cloud's, by unit."""

    networks: set[str]
    ports: set[str]
    routers: set[str]
    security_groups: set[str]


class NetworkDriver(Protocol):
    """A backend that moves packets."""

    name: str

    def sync_network(self, plan: NetworkPlan) -> None:
        """Make the network and its DHCP as planned."""

    def sync_port(self, plan: PortPlan) -> None:
        """Make the port as planned: addresses, DHCP, port security, group membership."""

    def sync_router(self, plan: RouterPlan) -> None:
        """Make the router as planned: legs, routes, SNAT, floating IPs."""

    def sync_security_group(self, plan: SecurityGroupPlan) -> None:
        """Make the group's rules as planned, on running guests and open connections too."""

    def remove(self, unit: Unit, unit_id: str) -> None:
        """Remove a unit and all that was made for it, or find it gone."""

    def present(self) -> Present:
        """List what is there, so that what nobody owns can be removed."""

    def port_status(self, port_ids: set[str]) -> dict[str, PortStatus]:
        """Say which of the ports work; a port the backend does not know is left out."""

    def wait_in_force(self, timeout_s: float, without: Collection[str] = ()) -> None:
        """Return when every host that is alive has applied all that was synced before.

        Raises `Unavailable` when that takes longer.
        """

    def agents(self) -> list[AgentReport]:
        """List the backend's parts on every host."""

    def bandwidths(self) -> list[HostBandwidth]:
        """List every host's ways into physical networks; of most nothing may be promised."""

    def forget_host(self, host: str) -> None:
        """Forget a host that is gone for good; one that lives makes itself known again."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A packet that a port sends, to ask a backend what it would do with it."""

    network_id: str
    port_id: str
    source_mac: str
    destination_mac: str
    source_ip: str
    destination_ip: str
    protocol: str  # tcp, udp, sctp, icmp, or a number
    source_port: int | None = None
    destination_port: int | None = None


@runtime_checkable
class Tracing(Protocol):
    """A backend that can say what it would do with a packet, without sending one."""

    def trace(self, flow: Flow) -> str:
        """Return the way through the backend, in the backend's own words.

        Raises `Unavailable` when it does not answer in time.
        """

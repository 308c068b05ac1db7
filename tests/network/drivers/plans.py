"""Plans for tests: short to write, with what does not matter filled in."""

import ipaddress
import uuid

import msgspec

from cumulo.services.network.drivers.base import (
    FloatingIpPlan,
    GatewayPlan,
    NetworkPlan,
    PortPlan,
    RouterPlan,
    RouterPortPlan,
    RulePlan,
    SecurityGroupPlan,
    SubnetPlan,
)

# Namespaces are the whole machine's: another run of these tests must not meet ours there.
_RUN = uuid.uuid4()


def uid(name: str) -> str:
    """Return the same UUID for the same name, throughout this run."""
    return str(uuid.uuid5(_RUN, name))


def mac(name: str) -> str:
    """Return the same MAC address for the same name, throughout this run."""
    return "fa:16:3e:" + uuid.uuid5(_RUN, name).bytes[:3].hex(":")


def subnet(name: str, cidr: str, **fields: object) -> SubnetPlan:
    """Return a subnet with DHCP and a gateway at its first address."""
    first = str(next(ipaddress.ip_network(cidr).hosts()))
    given: dict[str, object] = {"gateway_ip": first, "enable_dhcp": True}
    return SubnetPlan(id=uid(name), cidr=cidr, **given | fields)  # type: ignore[arg-type]


def network(name: str, *subnets: SubnetPlan, **fields: object) -> NetworkPlan:
    """Return a tenant network."""
    given: dict[str, object] = {
        "network_type": "geneve",
        "physical_network": None,
        "segmentation_id": 7,
        "mtu": 1442,
        "external": False,
        "admin_state_up": True,
    }
    return NetworkPlan(id=uid(name), name=name, subnets=list(subnets), **given | fields)  # type: ignore[arg-type]


def port(name: str, plan: NetworkPlan, *addresses: str, **fields: object) -> PortPlan:
    """Return a guest's port with addresses in the network's subnets, one after the other."""
    given: dict[str, object] = {
        "device_id": uid(name + " guest"),
        "device_owner": "compute:nova",
        "admin_state_up": True,
        "port_security": True,
        "mac": mac(name),
    }
    subnets = {("." in s.cidr): s.id for s in plan.subnets}
    return PortPlan(
        id=uid(name),
        network_id=plan.id,
        name=name,
        fixed_ips=[(subnets["." in address], address) for address in addresses],
        **given | fields,  # type: ignore[arg-type]
    )


def rule(direction: str = "ingress", protocol: str | None = None, **fields: object) -> RulePlan:
    """Return a rule for IPv4."""
    given: dict[str, object] = {"ethertype": "IPv4"}
    given |= fields
    name = f"{direction} {protocol} {sorted(given.items())!r}"
    return RulePlan(id=uid(name), direction=direction, protocol=protocol, **given)  # type: ignore[arg-type]


EGRESS = (rule("egress"), rule("egress", ethertype="IPv6"))


def group(name: str, *rules: RulePlan, stateful: bool = True) -> SecurityGroupPlan:
    """Return a security group with just these rules."""
    own = [msgspec.structs.replace(each, id=uid(f"{name} {each.id}")) for each in rules]
    return SecurityGroupPlan(id=uid(name), name=name, stateful=stateful, rules=own)


def leg(port_plan: PortPlan, *cidrs: str, **fields: object) -> RouterPortPlan:
    """Return a router's leg that goes with a port."""
    return RouterPortPlan(
        port_id=port_plan.id,
        network_id=port_plan.network_id,
        mac=port_plan.mac,
        cidrs=list(cidrs),
        **fields,  # type: ignore[arg-type]
    )


def gateway(port_plan: PortPlan, cidr: str, nexthop: str, *, snat: bool = True) -> GatewayPlan:
    """Return a router's leg in an external network that goes with a port."""
    return GatewayPlan(
        port_id=port_plan.id,
        network_id=port_plan.network_id,
        mac=port_plan.mac,
        cidrs=[cidr],
        nexthops=[nexthop],
        enable_snat=snat,
    )


def router(name: str, *legs: RouterPortPlan, **fields: object) -> RouterPlan:
    """Return a router."""
    given: dict[str, object] = {"admin_state_up": True}
    return RouterPlan(id=uid(name), name=name, ports=list(legs), **given | fields)  # type: ignore[arg-type]


def floating_ip(address: str, target: PortPlan) -> FloatingIpPlan:
    """Return an address that leads to the port's first fixed address."""
    return FloatingIpPlan(
        id=uid(address),
        address=address,
        fixed_ip=target.fixed_ips[0][1],
        port_id=target.id,
        mac=mac(address),
    )

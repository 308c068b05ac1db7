"""The errors of this API whose type a client may look at, each with its one message."""

from cumulo.kit.errors import Conflict, Invalid, NotFound


def network_not_found(network_id: str) -> NotFound:
    """Return the error for a network that is not, or not for this caller."""
    return NotFound(f"Network {network_id} could not be found.", type="NetworkNotFound")


def subnet_not_found(subnet_id: str) -> NotFound:
    """Return the error for a subnet that is not, or not for this caller."""
    return NotFound(f"Subnet {subnet_id} could not be found.", type="SubnetNotFound")


def segment_not_found(segment_id: str) -> NotFound:
    """Return the error for a segment that is not, or not for this caller."""
    return NotFound(f"Segment {segment_id} could not be found.", type="SegmentNotFound")


def port_not_found(port_id: str) -> NotFound:
    """Return the error for a port that is not, or not for this caller."""
    return NotFound(f"Port {port_id} could not be found.", type="PortNotFound")


def router_not_found(router_id: str) -> NotFound:
    """Return the error for a router that is not, or not for this caller."""
    return NotFound(f"Router {router_id} could not be found", type="RouterNotFound")


def floatingip_not_found(floatingip_id: str) -> NotFound:
    """Return the error for a floating IP that is not, or not for this caller."""
    return NotFound(f"Floating IP {floatingip_id} could not be found", type="FloatingIPNotFound")


def security_group_not_found(group_id: str) -> NotFound:
    """Return the error for a security group that is not, or not for this caller."""
    return NotFound(f"Security group {group_id} does not exist", type="SecurityGroupNotFound")


def rule_not_found(rule_id: str) -> NotFound:
    """Return the error for a security group rule that is not, or not for this caller."""
    return NotFound(
        f"Security group rule {rule_id} does not exist", type="SecurityGroupRuleNotFound"
    )


def rbac_policy_not_found(policy_id: str) -> NotFound:
    """Return the error for an RBAC policy that is not, or not for this caller."""
    return NotFound(
        f"RBAC policy of type rbac_policy with ID {policy_id} not found",
        type="RbacPolicyNotFound",
    )


def invalid_input(message: str, type: str = "InvalidInput") -> Invalid:
    """Return the error for values that are each possible, but not here or not together."""
    return Invalid(f"Invalid input for operation: {message}.", type=type)


def bad_request(resource: str, message: str) -> Invalid:
    """Return the error for a request that makes no sense for `resource`."""
    return Invalid(f"Bad {resource} request: {message}.", type="BadRequest")


def invalid_value(field: str, reason: str) -> Invalid:
    """Return the error for a value that can never be right in `field`."""
    return Invalid(f"Invalid input for {field}. Reason: {reason}.", type="HTTPBadRequest")


def addresses_exhausted(network_id: str) -> Conflict:
    """Return the error for a network without a free address."""
    return Conflict(
        f"No more IP addresses available on network {network_id}.",
        type="IpAddressGenerationFailure",
    )


def address_in_use(network_id: str, address: str) -> Conflict:
    """Return the error for an address that another port owns."""
    return Conflict(
        f"Unable to complete operation for network {network_id}. "
        f"The IP address {address} is in use.",
        type="IpAddressInUse",
    )


def mac_in_use(network_id: str, mac: str) -> Conflict:
    """Return the error for a MAC address that another port of the network has."""
    return Conflict(
        f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.",
        type="MacAddressInUse",
    )


def bad_request_of(type: str, message: str) -> Invalid:
    """Return an error whose message stands alone."""
    return Invalid(message, type=type)

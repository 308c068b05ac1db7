"""What of the Networking API works here: the aliases by which clients find out."""

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class Extension(msgspec.Struct):
    """Something that clients must not take for granted."""

    alias: str
    name: str
    description: str
    updated: str
    links: list[str] = []


_EXTENSIONS = {
    alias: Extension(alias, name, description, f"{updated}T10:00:00-00:00")
    for alias, name, description, updated in (
        ("agent", "agent", "The parts of the network on every host.", "2013-02-03"),
        ("agent_sort_key", "Agents Sort Key", "Agents in any order.", "2013-02-03"),
        (
            "allowed-address-pairs",
            "Allowed Address Pairs",
            "Addresses that a port may use besides its own.",
            "2013-07-23",
        ),
        ("availability_zone", "Availability Zone", "Where things may be.", "2015-01-01"),
        (
            "availability_zone_filter",
            "Availability Zone Filter Extension",
            "Availability zones by their attributes.",
            "2018-06-22",
        ),
        ("binding", "Port Binding", "How and where a port is plugged in.", "2014-02-03"),
        (
            "dhcp_agent_scheduler",
            "DHCP Agent Scheduler",
            "Which DHCP agents serve a network.",
            "2013-02-07",
        ),
        (
            "service-type",
            "Neutron Service Type Management",
            "Who carries services out.",
            "2013-01-20",
        ),
        (
            "dns-integration",
            "DNS Integration",
            "Names of ports and domains of networks.",
            "2015-08-15",
        ),
        (
            "cumulo-explanations",
            "Explanations",
            "The ways of packets, and the topology.",
            "2026-11-29",
        ),
        (
            "empty-string-filtering",
            "Empty String Filtering Extension",
            "Filters for what is empty.",
            "2018-05-01",
        ),
        (
            "ext-gw-mode",
            "Neutron L3 Configurable external gateway mode",
            "Ways out with or without translation of addresses.",
            "2013-03-28",
        ),
        ("external-net", "Neutron external network", "Networks that lead out.", "2013-01-14"),
        (
            "external-gateway-multihoming",
            "Neutron L3 External Gateway Multihoming",
            "Routers with several ways out.",
            "2023-01-18",
        ),
        (
            "extra_dhcp_opt",
            "Neutron Extra DHCP options",
            "DHCP options of one port.",
            "2013-03-17",
        ),
        ("extraroute", "Neutron Extra Route", "Routes of a router.", "2013-02-01"),
        (
            "extraroute-atomic",
            "Atomically add/remove extra routes",
            "Routes that several clients change at once.",
            "2019-07-10",
        ),
        (
            "filter-validation",
            "Filter parameters validation",
            "Filters that do not exist are refused.",
            "2018-07-04",
        ),
        (
            "fip-port-details",
            "Floating IP Port Details Extension",
            "The port that a floating IP leads to.",
            "2018-04-09",
        ),
        (
            "ip-substring-filtering",
            "IP address substring filtering",
            "Ports by a part of their address.",
            "2017-11-28",
        ),
        ("net-mtu", "Network MTU", "The largest packet of a network.", "2015-03-25"),
        (
            "net-mtu-writable",
            "Network MTU (writable)",
            "The largest packet of a network, chosen.",
            "2017-07-12",
        ),
        (
            "network-ip-availability",
            "Network IP Availability",
            "How many addresses a network has left.",
            "2015-09-24",
        ),
        (
            "network_availability_zone",
            "Network Availability Zone",
            "Where a network may be.",
            "2015-01-01",
        ),
        ("pagination", "Pagination support", "Lists page by page.", "2016-06-12"),
        (
            "port-mac-address-regenerate",
            "Neutron Port MAC address regenerate",
            "A fresh MAC address for null.",
            "2018-05-03",
        ),
        ("port-security", "Port Security", "Ports that may not lie.", "2012-07-23"),
        (
            "port-security-groups-filtering",
            "Port filtering on security groups",
            "Ports by their security groups.",
            "2018-01-09",
        ),
        ("project-id", "project_id field enabled", "Owners by their newer name.", "2016-09-09"),
        ("provider", "Provider Network", "Networks as the wires have them.", "2012-09-07"),
        ("segment", "Segment", "Networks on several wires, and subnets of each.", "2016-02-24"),
        (
            "standard-attr-segment",
            "Standard Attribute Segment Extension",
            "Descriptions and times of segments.",
            "2017-01-27",
        ),
        (
            "subnet-segmentid-writable",
            "Subnet SegmentID (writable)",
            "Old subnets of a segment.",
            "2018-01-29",
        ),
        (
            "quota-check-limit",
            "Quota engine limit check",
            "Limits below what is used are refused if asked.",
            "2021-09-08",
        ),
        (
            "quota-check-limit-default",
            "Quota engine limit check by default",
            "Limits below what is used are refused unless forced.",
            "2024-08-21",
        ),
        (
            "quota_details",
            "Quota details management support",
            "What a project has of what it may have.",
            "2017-02-10",
        ),
        ("quotas", "Quota management support", "How much a project may have.", "2012-07-29"),
        ("rbac-policies", "RBAC Policies", "Things lent to single projects.", "2015-06-17"),
        (
            "rbac-security-groups",
            "Add security_group type to network RBAC",
            "Security groups lent to single projects.",
            "2018-11-28",
        ),
        (
            "revision-if-match",
            "If-Match constraints based on revision_number",
            "Changes of what has not changed meanwhile.",
            "2016-12-11",
        ),
        ("router", "Neutron L3 Router", "Routers and floating IPs.", "2012-07-20"),
        (
            "router_availability_zone",
            "Router Availability Zone",
            "Where a router may be.",
            "2015-01-01",
        ),
        ("security-group", "security-group", "What guests may receive and send.", "2012-10-05"),
        (
            "security-groups-normalized-cidr",
            "Normalized CIDR field for security group rules",
            "Remote prefixes without bits past their length.",
            "2020-07-28",
        ),
        (
            "security-groups-rules-belongs-to-default-sg",
            "Security group rule belongs to the project's default security group",
            "Rules of default groups are told from others.",
            "2023-05-23",
        ),
        (
            "security-groups-shared-filtering",
            "Security group filtering on the shared field",
            "Security groups that others lent.",
            "2021-10-01",
        ),
        (
            "sort-key-validation",
            "Sort keys validation",
            "Sort keys that do not exist are refused.",
            "2018-07-04",
        ),
        ("sorting", "Sorting support", "Lists in any order.", "2016-06-12"),
        (
            "standard-attr-description",
            "standard-attr-description",
            "Descriptions of everything.",
            "2016-02-10",
        ),
        (
            "standard-attr-revisions",
            "Resource revision numbers",
            "Everything counts its changes.",
            "2016-04-11",
        ),
        (
            "standard-attr-tag",
            "Tag support for resources with standard attribute",
            "Words on everything.",
            "2017-01-01",
        ),
        (
            "standard-attr-timestamp",
            "Resource timestamps",
            "When things came into being and last changed.",
            "2016-09-12",
        ),
        (
            "stateful-security-group",
            "Stateful security group",
            "Groups that do not remember connections.",
            "2019-11-26",
        ),
        (
            "subnet-external-network",
            "Subnet belongs to an external network",
            "Subnets of networks that lead out.",
            "2024-02-05",
        ),
        ("tag-creation", "Tag creation extension", "Several tags at once.", "2024-07-23"),
        (
            "subnet_allocation",
            "Subnet Allocation",
            "Subnets cut from pools.",
            "2015-03-30",
        ),
        (
            "enable-default-route-bfd",
            "Enable Default Route BFD",
            "Ways out that are only taken while their next hops live.",
            "2023-02-27",
        ),
        (
            "enable-default-route-ecmp",
            "Enable Default Route ECMP",
            "Several ways out for what goes nowhere else.",
            "2023-02-27",
        ),
        (
            "subnet_onboard",
            "Subnet Onboard",
            "Subnets that come to be of a pool later.",
            "2018-12-18",
        ),
        (
            "subnetpool-prefix-ops",
            "Subnet Pool Prefix Operations",
            "Prefixes that several clients add at once.",
            "2019-02-08",
        ),
        (
            "default-subnetpools",
            "Default Subnetpools",
            "Pools for those who name none.",
            "2016-02-18",
        ),
        (
            "address-scope",
            "Address scope",
            "Addresses that mean one thing wherever they are routed.",
            "2015-07-26",
        ),
        (
            "rbac-address-scope",
            "Add address_scope type to RBAC",
            "Address scopes lent to single projects.",
            "2019-12-17",
        ),
        (
            "rbac-subnetpool",
            "Add subnetpool type to RBAC",
            "Subnet pools lent to single projects.",
            "2020-01-28",
        ),
        (
            "subnet-service-types",
            "Subnet service types",
            "Subnets for certain kinds of ports.",
            "2016-03-15",
        ),
        (
            "floating-ip-port-forwarding",
            "Floating IP Port Forwarding",
            "Single ports of floating IPs.",
            "2018-02-03",
        ),
        (
            "floating-ip-port-forwarding-description",
            "Floating IP Port Forwarding new attribute description",
            "Descriptions of port forwardings.",
            "2019-11-27",
        ),
        (
            "floating-ip-port-forwarding-detail",
            "Floating IP port forwarding detail",
            "Port forwardings by all that they are.",
            "2021-03-03",
        ),
        (
            "expose-port-forwarding-in-fip",
            "Expose Floating IP port forwardings",
            "Port forwardings shown with their floating IPs.",
            "2019-04-04",
        ),
        (
            "qos",
            "Quality of Service",
            "How fast ports may be, and how their packets are marked.",
            "2015-06-08",
        ),
        (
            "qos-bw-minimum-ingress",
            "Ingress direction for QoS minimum bandwidth rule",
            "Least rates for packets that come.",
            "2018-07-09",
        ),
        (
            "port-resource-request",
            "Port Resource Request",
            "What ports ask of placement.",
            "2018-05-08",
        ),
        (
            "port-resource-request-groups",
            "Port Resource Request Groups",
            "What ports ask of placement, group by group.",
            "2021-02-01",
        ),
        (
            "qos-rules-alias",
            "Ability to access QoS rules without passing the policy ID",
            "Rules of QoS policies by their ids alone.",
            "2018-12-07",
        ),
        (
            "qos-bw-limit-direction",
            "Direction for QoS bandwidth limit rule",
            "Limits for what comes in, too.",
            "2017-04-10",
        ),
        (
            "qos-rule-type-details",
            "Details of QoS rule types",
            "Who carries out which rules.",
            "2017-06-22",
        ),
        (
            "trunk",
            "Trunk Extension",
            "Ports that carry others' frames with tags.",
            "2016-01-01",
        ),
        (
            "trunk-details",
            "Trunk port details",
            "What the trunk of a port carries.",
            "2016-01-01",
        ),
        (
            "address-group",
            "Address group",
            "Addresses that rules speak of by one name.",
            "2020-07-15",
        ),
        (
            "security-groups-remote-address-group",
            "Remote address group id field for security group rules",
            "Rules for address groups.",
            "2020-08-25",
        ),
        (
            "rbac-address-group",
            "Add address_group type to RBAC",
            "Address groups lent to single projects.",
            "2021-01-31",
        ),
        (
            "auto-allocated-topology",
            "Auto Allocated Topology Services",
            "A network with a way out for who asks.",
            "2016-01-01",
        ),
        (
            "dns-domain-ports",
            "dns_domain for ports",
            "Ports with a domain of their own.",
            "2017-06-25",
        ),
        ("dvr", "Distributed Virtual Router", "Routers on every host.", "2014-06-01"),
        (
            "floatingip-pools",
            "Floating IP Pools Extension",
            "Where floating IPs come from.",
            "2018-03-21",
        ),
        ("l3-ha", "HA Router extension", "Routers that survive a host.", "2014-04-26"),
        (
            "multi-provider",
            "Multi Provider Network",
            "Networks of several segments.",
            "2013-06-27",
        ),
        (
            "router-admin-state-down-before-update",
            "Enforce Router's Admin State Down Before Update Extension",
            "Routers that carry traffic do not change how.",
            "2019-10-06",
        ),
        (
            "security-groups-default-rules",
            "Default rules for security groups",
            "What new security groups begin with.",
            "2022-12-19",
        ),
        (
            "tag-ports-during-bulk-creation",
            "Tag Ports During Bulk Creation",
            "Ports with tags from the start.",
            "2019-12-29",
        ),
        (
            "vlan-transparent",
            "Vlantransparent",
            "Networks that let guests' tags pass.",
            "2015-03-23",
        ),
        (
            "qos-fip",
            "Floating IP QoS",
            "How fast floating IPs may be.",
            "2017-07-20",
        ),
        (
            "qos-default",
            "QoS default policy",
            "Policies for new networks for which none is named.",
            "2017-04-19",
        ),
    )
}


@routes.get("/v2.0/extensions", policy="regular_user")
def list_extensions(call: Call[Tools]) -> Answer:
    """List what of the API works here."""
    return {"extensions": list(_EXTENSIONS.values())}


@routes.get("/v2.0/extensions/{alias}", policy="regular_user")
def show_extension(call: Call[Tools], alias: str) -> Answer:
    """Say whether something of the API works here."""
    found = _EXTENSIONS.get(alias)
    if found is None:
        raise NotFound(f"Extension with alias {alias} does not exist", type="HTTPNotFound")
    return {"extension": found}

"""All that other services may do with networks.

Functions of `tx` run in the caller's transaction; those that take `db` talk to the backend and
belong into a workflow's step or a reconciler.
"""

from cumulo.services.network import (
    bandwidth,
    in_force,
    networks,
    security_group_rules,
    security_groups,
    segment_reach,
    server_addresses,
    server_floatingips,
    server_groups,
    server_networks,
    server_ports,
    server_views,
)
from cumulo.services.network.drivers.base import BackendError as BackendError
from cumulo.services.network.settings import NetworkSettings as NetworkSettings
from cumulo.services.network.store import security_groups as rule_rows
from cumulo.services.network.symptoms import symptoms as symptoms
from cumulo.services.network.tools import Tools as Tools

# What a server is plugged into.
Nic = server_networks.Nic
RequestedNic = server_networks.RequestedNic
check_nics = server_networks.check_nics
allocated_nics = server_networks.allocated_nics

# Where its floating IPs may come from.
external_networks_visible = networks.external_networks_visible
networks_visible = networks.networks_visible
network_visible = networks.network_visible
ServerFloatingIp = server_floatingips.ServerFloatingIp
list_floatingips = server_floatingips.list_floatingips
show_floatingip = server_floatingips.show_floatingip
allocate_floatingip = server_floatingips.allocate
release_floatingip = server_floatingips.release
associate_floatingip = server_floatingips.associate
dissociate_floatingip = server_floatingips.dissociate

# Its ports, from the request to its end.
Plug = server_ports.Plug
create_server_port = server_ports.create_server_port
take_port = server_ports.take_port
bind_ports = server_ports.bind_ports
ResourceGroup = bandwidth.ResourceGroup
bandwidth_groups = bandwidth.groups_of_server
hosts_out_of_segments = segment_reach.misfits
bandwidth_asked_by = bandwidth.asked_by_ports
claimable_bandwidth = bandwidth.claimable
promised_bandwidth = bandwidth.promised_to_servers
promise_bandwidth = server_ports.promise_bandwidth
ServerBinding = server_ports.ServerBinding
server_bindings = server_ports.server_bindings
release_port = server_ports.release_port
release_ports = server_ports.release_ports
add_address = server_addresses.add_address
remove_address = server_addresses.remove_address
put_in_force = in_force.put_in_force
ports_up = in_force.ports_up

# Its security groups.
server_group_ids = server_groups.server_group_ids
join_group = server_groups.join_group
leave_group = server_groups.leave_group
SecurityGroup = security_groups.Details
SecurityGroupSpec = security_groups.SecurityGroupSpec
SecurityGroupRule = rule_rows.Rule
SecurityGroupRuleSpec = security_group_rules.RuleSpec
security_groups_of_project = server_groups.groups_of_project
security_groups_of_server = server_groups.groups_of_server
security_group_shown = server_groups.group_shown
create_security_group = security_groups.create_group
rename_security_group = server_groups.rename_group
remove_security_group = server_groups.remove_group
add_security_group_rule = server_groups.add_rule
remove_security_group_rule = server_groups.remove_rule

# What is shown of it, told to it and known by it.
ShownAddress = server_views.ShownAddress
ServerAddress = server_views.ServerAddress
ServerPort = server_views.ServerPort
ServerSubnet = server_views.ServerSubnet
MetadataPort = server_views.MetadataPort
shown_of_servers = server_views.shown_of_servers
ports_of_servers = server_views.ports_of_servers
networks_of_server = server_views.networks_of_server
subnets_of_ports = server_views.subnets_of_ports
server_by_address = server_views.server_by_address
servers_with_address = server_views.servers_with_address
metadata_port = server_views.metadata_port
metadata_ports_on_host = server_views.metadata_ports_on_host

"""What this API can do beyond its first version, as old clients ask for it."""

import msgspec


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """A feature by the name it had when features were extensions."""

    alias: str
    name: str
    description: str


# Those of whole resources, also of resources that only say that they were removed; those of
# servers, one by one, as servers have them.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("OS-DCF", "DiskConfig", "Servers have a disk configuration."),
    ("OS-EXT-AZ", "ExtendedAvailabilityZone", "Servers show their availability zone."),
    ("OS-EXT-IPS", "ExtendedIps", "Addresses show whether they are fixed or floating."),
    ("OS-EXT-IPS-MAC", "ExtendedIpsMac", "Addresses show their MAC address."),
    ("OS-EXT-SRV-ATTR", "ExtendedServerAttributes", "Administrators see hosts of servers."),
    ("OS-EXT-STS", "ExtendedStatus", "Servers show task, power and machine states."),
    ("OS-FLV-DISABLED", "FlavorDisabled", "Flavors show whether they are disabled."),
    ("OS-FLV-EXT-DATA", "FlavorExtraData", "Flavors have ephemeral disks."),
    ("OS-SCH-HNT", "SchedulerHints", "A new server may come with hints for the scheduler."),
    ("OS-SRV-USG", "ServerUsage", "Servers show when they were launched and terminated."),
    ("os-access-ips", "AccessIPs", "Servers have addresses for access."),
    ("os-admin-actions", "AdminActions", "Administrators can reset a server's state."),
    ("os-agents", "Agents", "Removed."),
    ("os-aggregates", "Aggregates", "Hosts can be grouped."),
    ("os-volumes", "Volumes", "Volumes can be plugged into and out of servers."),
    ("os-attach-interfaces", "AttachInterfaces", "Ports can be plugged into and out of servers."),
    ("os-availability-zone", "AvailabilityZone", "There are availability zones."),
    ("os-cell-capacities", "CellCapacities", "Removed."),
    ("os-cells", "Cells", "Removed."),
    ("os-certificates", "Certificates", "Removed."),
    ("os-cloudpipe", "Cloudpipe", "Removed."),
    ("os-cloudpipe-update", "CloudpipeUpdate", "Removed."),
    ("os-config-drive", "ConfigDrive", "A server may have a config drive."),
    ("os-console-output", "ConsoleOutput", "What a server says on its console can be read."),
    ("os-console-auth-tokens", "ConsoleAuthTokens", "Tokens of consoles can be looked up."),
    ("os-consoles", "Consoles", "Removed."),
    ("os-create-backup", "CreateBackup", "Servers can be backed up in rotation."),
    ("os-deferred-delete", "DeferredDelete", "Servers can be deleted by force."),
    ("os-evacuate", "Evacuate", "Servers can be taken from a host that is dead."),
    ("os-extended-hypervisors", "ExtendedHypervisors", "Hypervisors show their address."),
    ("os-extended-quotas", "ExtendedQuotas", "Quotas can be deleted and forced."),
    ("os-extended-services", "ExtendedServices", "Services show why they are disabled."),
    ("os-extended-services-delete", "ExtendedServicesDelete", "Services can be deleted."),
    ("os-extended-status", "ExtendedStatus", "Servers show whether they are locked."),
    ("os-fixed-ips", "FixedIPs", "Removed."),
    ("os-flavor-access", "FlavorAccess", "Private flavors are for some projects only."),
    ("os-flavor-extra-specs", "FlavorExtraSpecs", "Flavors have extra specs."),
    ("os-flavor-manage", "FlavorManage", "Flavors can be created and deleted."),
    ("os-flavor-rxtx", "FlavorRxtx", "Flavors have an rxtx factor."),
    ("os-flavor-swap", "FlavorSwap", "Flavors have swap space."),
    ("os-floating-ip-dns", "FloatingIpDns", "Removed."),
    ("os-floating-ip-pools", "FloatingIpPools", "Pools of floating IPs can be listed."),
    ("os-floating-ips-bulk", "FloatingIpsBulk", "Removed."),
    ("os-fping", "Fping", "Removed."),
    ("os-hosts", "Hosts", "Hosts can be listed."),
    ("os-hypervisor-status", "HypervisorStatus", "Hypervisors show state and status."),
    ("os-hypervisors", "Hypervisors", "Hypervisors can be listed."),
    ("os-instance-actions", "InstanceActions", "What was done with a server is kept."),
    ("os-keypairs", "Keypairs", "There are keypairs."),
    ("os-lock-server", "LockServer", "Servers can be locked."),
    ("os-migrate-server", "MigrateServer", "Servers can be taken to another host."),
    ("os-migrations", "Migrations", "Moves of servers can be listed."),
    ("os-multiple-create", "MultipleCreate", "Several servers can be created at once."),
    ("os-multinic", "Multinic", "Servers can be given more addresses."),
    ("os-pause-server", "PauseServer", "Servers can be paused."),
    ("os-personality", "Personality", "Files can be put into a new server."),
    ("os-quota-class-sets", "QuotaClasses", "There are quota classes."),
    ("os-quota-sets", "Quotas", "There are quotas."),
    ("os-remote-consoles", "Consoles", "Consoles of servers can be opened."),
    ("os-rescue", "Rescue", "Servers can be started from another image to be mended."),
    ("os-security-group-default-rules", "SecurityGroupDefaultRules", "Removed."),
    ("os-security-groups", "SecurityGroups", "Servers have security groups."),
    ("os-server-diagnostics", "ServerDiagnostics", "Guests tell how they do."),
    ("os-server-group-quotas", "ServerGroupQuotas", "Server groups have quotas."),
    ("os-server-groups", "ServerGroups", "There are server groups."),
    ("os-server-list-multi-status", "ServerListMultiStatus", "Servers are found by statuses."),
    ("os-server-password", "ServerPassword", "Guests tell the password they made up."),
    ("os-server-sort-keys", "ServerSortKeys", "Servers can be sorted."),
    ("os-server-start-stop", "ServerStartStop", "Servers can be started and stopped."),
    ("os-services", "Services", "The parts of compute can be listed."),
    ("os-shelve", "Shelve", "Servers can be shelved."),
    ("os-simple-tenant-usage", "SimpleTenantUsage", "The use of projects is reported."),
    ("os-suspend-server", "SuspendServer", "Servers can be suspended."),
    ("os-used-limits", "UsedLimits", "Limits show what is used."),
    ("os-used-limits-for-admin", "UsedLimitsForAdmin", "So they do for other projects."),
    ("os-user-data", "UserData", "A server may be given data for its first start."),
    ("os-user-quotas", "UserQuotas", "Users within a project have quotas."),
    ("os-virtual-interfaces", "VirtualInterfaces", "Removed."),
)

EXTENSIONS = tuple(
    Extension(alias=alias, name=name, description=description)
    for alias, name, description in _KNOWN
)

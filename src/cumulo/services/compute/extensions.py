"""What this API can do beyond its first version, as old clients ask for it."""

import msgspec


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """A feature by the name it had when features were extensions."""

    alias: str
    name: str
    description: str


_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("OS-FLV-DISABLED", "FlavorDisabled", "Flavors show whether they are disabled."),
    ("OS-FLV-EXT-DATA", "FlavorExtraData", "Flavors have ephemeral disks."),
    ("os-aggregates", "Aggregates", "Hosts can be grouped."),
    ("os-availability-zone", "AvailabilityZone", "There are availability zones."),
    ("os-extended-hypervisors", "ExtendedHypervisors", "Hypervisors show their address."),
    ("os-extended-quotas", "ExtendedQuotas", "Quotas can be deleted and forced."),
    ("os-extended-services", "ExtendedServices", "Services show why they are disabled."),
    ("os-extended-services-delete", "ExtendedServicesDelete", "Services can be deleted."),
    ("os-flavor-access", "FlavorAccess", "Private flavors are for some projects only."),
    ("os-flavor-extra-specs", "FlavorExtraSpecs", "Flavors have extra specs."),
    ("os-flavor-manage", "FlavorManage", "Flavors can be created and deleted."),
    ("os-flavor-rxtx", "FlavorRxtx", "Flavors have an rxtx factor."),
    ("os-flavor-swap", "FlavorSwap", "Flavors have swap space."),
    ("os-hypervisor-status", "HypervisorStatus", "Hypervisors show state and status."),
    ("os-hypervisors", "Hypervisors", "Hypervisors can be listed."),
    ("os-keypairs", "Keypairs", "There are keypairs."),
    ("os-quota-class-sets", "QuotaClasses", "There are quota classes."),
    ("os-quota-sets", "Quotas", "There are quotas."),
    ("os-server-group-quotas", "ServerGroupQuotas", "Server groups have quotas."),
    ("os-server-groups", "ServerGroups", "There are server groups."),
    ("os-services", "Services", "The parts of compute can be listed."),
    ("os-used-limits", "UsedLimits", "Limits show what is used."),
    ("os-used-limits-for-admin", "UsedLimitsForAdmin", "So they do for other projects."),
    ("os-user-quotas", "UserQuotas", "Users within a project have quotas."),
)

EXTENSIONS = tuple(
    Extension(alias=alias, name=name, description=description)
    for alias, name, description in _KNOWN
)

"""Who may do what with compute's resources, by OpenStack's names.

The rules of servers live in a module of their own; `RULES` is all of them.
"""

from cumulo.services.compute.server_policy import SERVER_RULES

_ADMIN = "rule:context_is_admin"
_MEMBER = "rule:project_member_or_admin"
_READER = "rule:project_reader_or_admin"
_OWN_USER = "(rule:context_is_admin) or user_id:%(user_id)s"
_ANYONE = "@"

_BASE = {
    "context_is_admin": "role:admin",
    "project_member_api": "role:member and project_id:%(project_id)s",
    "project_reader_api": "role:reader and project_id:%(project_id)s",
    "project_manager_api": "role:manager and project_id:%(project_id)s",
    "project_manager_or_admin": "rule:project_manager_api or rule:context_is_admin",
    "service_api": "role:service",
    "service_or_admin": "rule:service_api or rule:context_is_admin",
    "project_member_or_admin": "rule:project_member_api or rule:context_is_admin",
    "project_reader_or_admin": "rule:project_reader_api or rule:context_is_admin",
}

_NOUNS = {
    "extensions": _ANYONE,
    "limits": _ANYONE,
    "limits:other_project": _ADMIN,
    "os-aggregates:add_host": _ADMIN,
    "os-aggregates:create": _ADMIN,
    "os-aggregates:delete": _ADMIN,
    "os-aggregates:index": _ADMIN,
    "os-aggregates:remove_host": _ADMIN,
    "os-aggregates:set_metadata": _ADMIN,
    "os-aggregates:show": _ADMIN,
    "os-aggregates:update": _ADMIN,
    "os-availability-zone:detail": _ADMIN,
    "os-baremetal-nodes:list": _ADMIN,
    "os-baremetal-nodes:show": _ADMIN,
    "os-availability-zone:list": _ANYONE,
    "os-console-auth-tokens": _ADMIN,
    "os-flavor-access": _ADMIN,
    "os-flavor-access:add_tenant_access": _ADMIN,
    "os-flavor-access:remove_tenant_access": _ADMIN,
    "os-flavor-extra-specs:create": _ADMIN,
    "os-flavor-extra-specs:delete": _ADMIN,
    "os-flavor-extra-specs:index": _READER,
    "os-flavor-extra-specs:show": _READER,
    "os-flavor-extra-specs:update": _ADMIN,
    "os-flavor-manage:create": _ADMIN,
    "os-flavor-manage:delete": _ADMIN,
    "os-flavor-manage:update": _ADMIN,
    "os-floating-ip-pools": _ANYONE,
    "os-floating-ips:add": _MEMBER,
    "os-floating-ips:create": _MEMBER,
    "os-floating-ips:delete": _MEMBER,
    "os-floating-ips:list": _READER,
    "os-floating-ips:remove": _MEMBER,
    "os-floating-ips:show": _READER,
    "os-hosts:list": _ADMIN,
    "os-hosts:reboot": _ADMIN,
    "os-hosts:show": _ADMIN,
    "os-hosts:shutdown": _ADMIN,
    "os-hosts:start": _ADMIN,
    "os-hosts:update": _ADMIN,
    "os-hypervisors:list": _ADMIN,
    "os-hypervisors:list-detail": _ADMIN,
    "os-hypervisors:search": _ADMIN,
    "os-hypervisors:servers": _ADMIN,
    "os-hypervisors:show": _ADMIN,
    "os-hypervisors:statistics": _ADMIN,
    "os-hypervisors:uptime": _ADMIN,
    "os-instance-usage-audit-log:list": _ADMIN,
    "os-instance-usage-audit-log:show": _ADMIN,
    "os-keypairs:create": _OWN_USER,
    "os-keypairs:delete": _OWN_USER,
    "os-keypairs:index": _OWN_USER,
    "os-keypairs:show": _OWN_USER,
    "os-networks:list": _READER,
    "os-networks:show": _READER,
    "os-quota-class-sets:show": _ADMIN,
    "os-quota-class-sets:update": _ADMIN,
    "os-quota-sets:defaults": _ANYONE,
    "os-quota-sets:delete": _ADMIN,
    "os-quota-sets:detail": _READER,
    "os-quota-sets:show": _READER,
    "os-quota-sets:update": _ADMIN,
    "os-server-groups:create": _MEMBER,
    "os-server-groups:delete": _MEMBER,
    "os-server-groups:index": _READER,
    "os-server-groups:index:all_projects": _ADMIN,
    "os-server-groups:show": _READER,
    "os-services:delete": _ADMIN,
    "os-services:list": _ADMIN,
    "os-services:update": _ADMIN,
    "os-tenant-networks:list": _READER,
    "os-tenant-networks:show": _READER,
}

RULES = {
    **_BASE,
    **{f"os_compute_api:{name}": check for name, check in _NOUNS.items()},
    "compute:aggregates:images": _ADMIN,
    **SERVER_RULES,
}

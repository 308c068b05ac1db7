"""Who may do what in identity: Keystone's rules and their defaults, for what is built."""

_ADMIN = "rule:admin_required"
_READ = "rule:admin_required or (role:reader and system_scope:all)"
_GET_PROJECT = (
    "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
    "domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s) or "
    "project_id:%(target.project.id)s"
)
_LIST_PROJECTS = (
    "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
    "domain_id:%(target.domain_id)s)"
)
_CREATE_PROJECT = (
    "(rule:admin_required) or (role:manager and domain_id:%(target.project.domain_id)s and not"
    " None:%(target.project.domain_id)s)"
)
_CREATE_USER = (
    "(rule:admin_required) or (role:manager and token.domain.id:%(target.user.domain_id)s)"
)
_GET_GROUP = (
    "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
    "domain_id:%(target.group.domain_id)s)"
)
_CREATE_GROUP = "(rule:admin_required) or (role:manager and domain_id:%(target.group.domain_id)s)"
_ADD_USER_TO_GROUP = (
    "(rule:admin_required) or (role:manager and domain_id:%(target.group.domain_id)s and "
    "domain_id:%(target.user.domain_id)s)"
)
_CREATE_GRANT = (
    "(rule:admin_required) or ((role:admin and domain_id:%(target.user.domain_id)s and "
    "domain_id:%(target.project.domain_id)s) or (role:admin and "
    "domain_id:%(target.user.domain_id)s and domain_id:%(target.domain.id)s) or (role:admin "
    "and domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or "
    "(role:admin and domain_id:%(target.group.domain_id)s and domain_id:%(target.domain.id)s))"
    " and (domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s) or "
    "((role:manager and domain_id:%(target.user.domain_id)s and "
    "domain_id:%(target.project.domain_id)s) or (role:manager and "
    "domain_id:%(target.user.domain_id)s and domain_id:%(target.domain.id)s) or (role:manager "
    "and domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or "
    "(role:manager and domain_id:%(target.group.domain_id)s and "
    "domain_id:%(target.domain.id)s)) and rule:domain_managed_target_role"
)
_LIST_ROLE_ASSIGNMENTS = (
    "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
    "domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
)
_GET_CREDENTIAL = (
    "(rule:admin_required) or (role:reader and system_scope:all) or "
    "user_id:%(target.credential.user_id)s"
)
_CREATE_CREDENTIAL = "(rule:admin_required) or user_id:%(target.credential.user_id)s"
_EC2_CREATE_CREDENTIAL = (
    "(rule:admin_required) or (role:member and user_id:%(target.credential.user_id)s)"
)
_GET_TRUST = (
    "(rule:admin_required) or (role:reader and system_scope:all or "
    "user_id:%(target.trust.trustor_user_id)s or user_id:%(target.trust.trustee_user_id)s)"
)
_ADMIN_READER_OR_OWNER = "(rule:admin_required) or (role:reader and system_scope:all) or rule:owner"
_READER_OR_SELF = "(role:reader and system_scope:all) or user_id:%(target.user.id)s"
_GET_LIMIT = (
    "rule:admin_required or (role:reader and system_scope:all) or "
    "(domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s) or "
    "(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)"
)

RULES: dict[str, str] = {
    "admin_required": "role:admin or is_admin:1",
    "owner": "user_id:%(user_id)s",
    "admin_or_owner": "rule:admin_required or rule:owner",
    "token_subject": "user_id:%(target.token.user_id)s",
    "admin_or_token_subject": "rule:admin_required or rule:token_subject",
    "service_role": "role:service",
    "service_or_admin": "rule:admin_required or rule:service_role",
    "domain_managed_target_role": (
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or "
        "'reader':%(target.role.name)s"
    ),
    "identity:get_domain": (
        "rule:admin_required or (role:reader and system_scope:all) or "
        "token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s"
    ),
    "identity:list_domains": (
        "rule:admin_required or (role:reader and system_scope:all) or (role:reader and "
        "domain_id:%(target.domain.id)s)"
    ),
    "identity:create_domain": _ADMIN,
    "identity:update_domain": _ADMIN,
    "identity:delete_domain": _ADMIN,
    "identity:get_project": _GET_PROJECT,
    "identity:list_projects": _LIST_PROJECTS,
    "identity:create_project": _CREATE_PROJECT,
    "identity:update_project": _CREATE_PROJECT,
    "identity:delete_project": _CREATE_PROJECT,
    "identity:get_user": (
        "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
        "token.domain.id:%(target.user.domain_id)s) or user_id:%(target.user.id)s"
    ),
    "identity:list_users": _LIST_PROJECTS,
    "identity:create_user": _CREATE_USER,
    "identity:update_user": _CREATE_USER,
    "identity:delete_user": _CREATE_USER,
    "identity:get_group": _GET_GROUP,
    "identity:list_groups": _GET_GROUP,
    "identity:create_group": _CREATE_GROUP,
    "identity:update_group": _CREATE_GROUP,
    "identity:delete_group": _CREATE_GROUP,
    "identity:get_role": (
        "(rule:admin_required or (role:reader and system_scope:all)) or (role:manager and "
        "rule:domain_managed_target_role)"
    ),
    "identity:list_roles": (
        "(rule:admin_required or (role:reader and system_scope:all)) or (role:manager and not "
        "domain_id:None)"
    ),
    "identity:create_role": _ADMIN,
    "identity:update_role": _ADMIN,
    "identity:delete_role": _ADMIN,
    "identity:get_domain_role": _READ,
    "identity:list_domain_roles": _READ,
    "identity:create_domain_role": _ADMIN,
    "identity:update_domain_role": _ADMIN,
    "identity:delete_domain_role": _ADMIN,
    "identity:get_region": "",
    "identity:list_regions": "",
    "identity:create_region": _ADMIN,
    "identity:update_region": _ADMIN,
    "identity:delete_region": _ADMIN,
    "identity:get_service": _READ,
    "identity:list_services": _READ,
    "identity:create_service": _ADMIN,
    "identity:update_service": _ADMIN,
    "identity:delete_service": _ADMIN,
    "identity:get_endpoint": _READ,
    "identity:list_endpoints": _READ,
    "identity:create_endpoint": _ADMIN,
    "identity:update_endpoint": _ADMIN,
    "identity:delete_endpoint": _ADMIN,
    "identity:list_user_projects": (
        "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
        "domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s"
    ),
    "identity:get_project_tag": _GET_PROJECT,
    "identity:list_project_tags": _GET_PROJECT,
    "identity:create_project_tag": _CREATE_PROJECT,
    "identity:update_project_tags": _CREATE_PROJECT,
    "identity:delete_project_tag": _CREATE_PROJECT,
    "identity:delete_project_tags": _CREATE_PROJECT,
    "identity:list_groups_for_user": (
        "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
        "domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s"
    ),
    "identity:list_users_in_group": _GET_GROUP,
    "identity:check_user_in_group": (
        "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and "
        "domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)"
    ),
    "identity:add_user_to_group": _ADD_USER_TO_GROUP,
    "identity:remove_user_from_group": _ADD_USER_TO_GROUP,
    "identity:revoke_tokens_for_user": "rule:admin_or_owner",
    "identity:list_role_inference_rules": _READ,
    "identity:list_implied_roles": _READ,
    "identity:get_implied_role": _READ,
    "identity:check_implied_role": _READ,
    "identity:create_implied_role": _ADMIN,
    "identity:delete_implied_role": _ADMIN,
    "identity:check_grant": (
        "(rule:admin_required) or ((role:reader and system_scope:all) or ((role:reader and "
        "domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or "
        "(role:reader and domain_id:%(target.user.domain_id)s and "
        "domain_id:%(target.domain.id)s) or (role:reader and "
        "domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or "
        "(role:reader and domain_id:%(target.group.domain_id)s and "
        "domain_id:%(target.domain.id)s)) and (domain_id:%(target.role.domain_id)s or "
        "None:%(target.role.domain_id)s))"
    ),
    "identity:list_grants": (
        "(rule:admin_required) or ((role:reader and system_scope:all) or (role:reader and "
        "domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or "
        "(role:reader and domain_id:%(target.user.domain_id)s and "
        "domain_id:%(target.domain.id)s) or (role:reader and "
        "domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or "
        "(role:reader and domain_id:%(target.group.domain_id)s and "
        "domain_id:%(target.domain.id)s))"
    ),
    "identity:create_grant": _CREATE_GRANT,
    "identity:revoke_grant": _CREATE_GRANT,
    "identity:check_system_grant_for_user": _READ,
    "identity:list_system_grants_for_user": _READ,
    "identity:create_system_grant_for_user": _ADMIN,
    "identity:revoke_system_grant_for_user": _ADMIN,
    "identity:check_system_grant_for_group": _READ,
    "identity:list_system_grants_for_group": _READ,
    "identity:create_system_grant_for_group": _ADMIN,
    "identity:revoke_system_grant_for_group": _ADMIN,
    "identity:list_role_assignments": _LIST_ROLE_ASSIGNMENTS,
    "identity:list_role_assignments_for_tree": _LIST_ROLE_ASSIGNMENTS,
    "identity:validate_token": (
        "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or "
        "rule:token_subject"
    ),
    "identity:check_token": (
        "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject"
    ),
    "identity:revoke_token": "rule:admin_required or rule:token_subject",
    "identity:get_credential": _GET_CREDENTIAL,
    "identity:list_credentials": _GET_CREDENTIAL,
    "identity:create_credential": _CREATE_CREDENTIAL,
    "identity:update_credential": _CREATE_CREDENTIAL,
    "identity:delete_credential": _CREATE_CREDENTIAL,
    "identity:ec2_get_credential": _GET_CREDENTIAL,
    "identity:ec2_list_credentials": (
        "(rule:admin_required) or (role:reader and system_scope:all) or rule:owner"
    ),
    "identity:ec2_create_credential": _EC2_CREATE_CREDENTIAL,
    "identity:ec2_delete_credential": _EC2_CREATE_CREDENTIAL,
    "identity:ec2tokens_validate": "rule:service_or_admin",
    "identity:s3tokens_validate": "rule:service_or_admin",
    "identity:get_policy": _READ,
    "identity:list_policies": _READ,
    "identity:create_policy": _ADMIN,
    "identity:update_policy": _ADMIN,
    "identity:delete_policy": _ADMIN,
    "identity:list_trusts": _READ,
    "identity:list_trusts_for_trustor": (
        "(rule:admin_required) or (role:reader and system_scope:all or "
        "user_id:%(target.trust.trustor_user_id)s)"
    ),
    "identity:list_trusts_for_trustee": (
        "(rule:admin_required) or (role:reader and system_scope:all or "
        "user_id:%(target.trust.trustee_user_id)s)"
    ),
    "identity:create_trust": "user_id:%(target.trust.trustor_user_id)s",
    "identity:get_trust": _GET_TRUST,
    "identity:list_roles_for_trust": _GET_TRUST,
    "identity:get_role_for_trust": _GET_TRUST,
    "identity:delete_trust": ("rule:admin_required or user_id:%(target.trust.trustor_user_id)s"),
    "identity:get_application_credential": _ADMIN_READER_OR_OWNER,
    "identity:list_application_credentials": _ADMIN_READER_OR_OWNER,
    "identity:create_application_credential": "user_id:%(user_id)s",
    "identity:delete_application_credential": "rule:admin_or_owner",
    "identity:get_access_rule": _READER_OR_SELF,
    "identity:list_access_rules": _READER_OR_SELF,
    "identity:delete_access_rule": (
        "(role:admin and system_scope:all) or user_id:%(target.user.id)s"
    ),
    "identity:list_endpoint_groups": _READ,
    "identity:create_endpoint_group": _ADMIN,
    "identity:get_endpoint_group": _READ,
    "identity:update_endpoint_group": _ADMIN,
    "identity:delete_endpoint_group": _ADMIN,
    "identity:list_endpoints_associated_with_endpoint_group": _READ,
    "identity:list_projects_associated_with_endpoint_group": _READ,
    "identity:get_endpoint_group_in_project": _READ,
    "identity:add_endpoint_group_to_project": _ADMIN,
    "identity:remove_endpoint_group_from_project": _ADMIN,
    "identity:list_endpoint_groups_for_project": _READ,
    "identity:list_projects_for_endpoint": _READ,
    "identity:list_endpoints_for_project": _READ,
    "identity:check_endpoint_in_project": _READ,
    "identity:add_endpoint_to_project": _ADMIN,
    "identity:remove_endpoint_from_project": _ADMIN,
    "identity:get_domain_config": _READ,
    "identity:get_domain_config_default": _READ,
    "identity:get_security_compliance_domain_config": "",
    "identity:create_domain_config": _ADMIN,
    "identity:update_domain_config": _ADMIN,
    "identity:delete_domain_config": _ADMIN,
    "identity:get_registered_limit": "",
    "identity:list_registered_limits": "",
    "identity:create_registered_limits": _ADMIN,
    "identity:update_registered_limit": _ADMIN,
    "identity:delete_registered_limit": _ADMIN,
    "identity:get_limit_model": "",
    "identity:get_limit": _GET_LIMIT,
    "identity:list_limits": "",
    "identity:create_limits": _ADMIN,
    "identity:update_limit": _ADMIN,
    "identity:delete_limit": _ADMIN,
    "identity:get_consumer": _READ,
    "identity:list_consumers": _READ,
    "identity:create_consumer": _ADMIN,
    "identity:update_consumer": _ADMIN,
    "identity:delete_consumer": _ADMIN,
    "identity:check_policy_association_for_endpoint": _READ,
    "identity:check_policy_association_for_region_and_service": _READ,
    "identity:check_policy_association_for_service": _READ,
    "identity:create_policy_association_for_endpoint": _ADMIN,
    "identity:create_policy_association_for_region_and_service": _ADMIN,
    "identity:create_policy_association_for_service": _ADMIN,
    "identity:delete_policy_association_for_endpoint": _ADMIN,
    "identity:delete_policy_association_for_region_and_service": _ADMIN,
    "identity:delete_policy_association_for_service": _ADMIN,
    "identity:get_policy_for_endpoint": _READ,
    "identity:list_endpoints_for_policy": _READ,
    "identity:list_revoke_events": "rule:service_or_admin",
    "identity:revocation_list": "rule:service_or_admin",
    "identity:get_auth_catalog": "",
    "identity:get_auth_projects": "",
    "identity:get_auth_domains": "",
    "identity:get_auth_system": "",
}

EVERY_SCOPE = frozenset({"system", "domain", "project", "none"})
_NO_DOMAIN = EVERY_SCOPE - {"domain"}
# A token of a domain is refused these whatever its roles: they concern the whole cloud.
RULE_SCOPES: dict[str, frozenset[str]] = dict.fromkeys(
    [
        "identity:create_domain",
        "identity:update_domain",
        "identity:delete_domain",
        "identity:create_role",
        "identity:update_role",
        "identity:delete_role",
        "identity:get_domain_role",
        "identity:list_domain_roles",
        "identity:create_domain_role",
        "identity:update_domain_role",
        "identity:delete_domain_role",
        "identity:create_region",
        "identity:update_region",
        "identity:delete_region",
        "identity:get_service",
        "identity:list_services",
        "identity:create_service",
        "identity:update_service",
        "identity:delete_service",
        "identity:get_endpoint",
        "identity:list_endpoints",
        "identity:create_endpoint",
        "identity:update_endpoint",
        "identity:delete_endpoint",
        "identity:list_role_inference_rules",
        "identity:list_implied_roles",
        "identity:get_implied_role",
        "identity:check_implied_role",
        "identity:create_implied_role",
        "identity:delete_implied_role",
        "identity:check_system_grant_for_user",
        "identity:list_system_grants_for_user",
        "identity:create_system_grant_for_user",
        "identity:revoke_system_grant_for_user",
        "identity:check_system_grant_for_group",
        "identity:list_system_grants_for_group",
        "identity:create_system_grant_for_group",
        "identity:revoke_system_grant_for_group",
        "identity:ec2_get_credential",
        "identity:ec2_list_credentials",
        "identity:ec2_create_credential",
        "identity:ec2_delete_credential",
        "identity:get_policy",
        "identity:list_policies",
        "identity:create_policy",
        "identity:update_policy",
        "identity:delete_policy",
        "identity:list_endpoint_groups",
        "identity:create_endpoint_group",
        "identity:get_endpoint_group",
        "identity:update_endpoint_group",
        "identity:delete_endpoint_group",
        "identity:list_endpoints_associated_with_endpoint_group",
        "identity:list_projects_associated_with_endpoint_group",
        "identity:get_endpoint_group_in_project",
        "identity:add_endpoint_group_to_project",
        "identity:remove_endpoint_group_from_project",
        "identity:list_endpoint_groups_for_project",
        "identity:list_projects_for_endpoint",
        "identity:list_endpoints_for_project",
        "identity:check_endpoint_in_project",
        "identity:add_endpoint_to_project",
        "identity:remove_endpoint_from_project",
        "identity:get_domain_config",
        "identity:get_domain_config_default",
        "identity:create_domain_config",
        "identity:update_domain_config",
        "identity:delete_domain_config",
        "identity:create_registered_limits",
        "identity:update_registered_limit",
        "identity:delete_registered_limit",
        "identity:create_limits",
        "identity:update_limit",
        "identity:delete_limit",
        "identity:get_consumer",
        "identity:list_consumers",
        "identity:create_consumer",
        "identity:update_consumer",
        "identity:delete_consumer",
        "identity:check_policy_association_for_endpoint",
        "identity:check_policy_association_for_region_and_service",
        "identity:check_policy_association_for_service",
        "identity:create_policy_association_for_endpoint",
        "identity:create_policy_association_for_region_and_service",
        "identity:create_policy_association_for_service",
        "identity:delete_policy_association_for_endpoint",
        "identity:delete_policy_association_for_region_and_service",
        "identity:delete_policy_association_for_service",
        "identity:get_policy_for_endpoint",
        "identity:list_endpoints_for_policy",
        "identity:list_revoke_events",
        "identity:revocation_list",
        "identity:list_trusts",
        "identity:list_trusts_for_trustor",
        "identity:list_trusts_for_trustee",
        "identity:get_trust",
        "identity:list_roles_for_trust",
        "identity:get_role_for_trust",
        "identity:delete_trust",
        "identity:get_application_credential",
        "identity:list_application_credentials",
        "identity:delete_application_credential",
        "identity:get_access_rule",
        "identity:list_access_rules",
        "identity:delete_access_rule",
    ],
    _NO_DOMAIN,
)
RULE_SCOPES |= dict.fromkeys(
    ["identity:create_trust", "identity:create_application_credential"],
    frozenset({"project", "none"}),
)

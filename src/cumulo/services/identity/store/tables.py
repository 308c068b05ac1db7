"""Identity's tables.

A domain is a project with `is_domain`, as in the API.  Where a unique key has a domain that may be
absent (domains themselves, global roles), absent is stored as the empty string, since NULL is
never equal to NULL.
"""

import sqlalchemy as sa

from cumulo.db import metadata
from cumulo.db.types import UtcDateTime, long_text, text_key
from cumulo.services.identity.store.columns import JsonObject, JsonStrings

_ID = 64

generation = sa.Table(
    "identity_generation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
)

project = sa.Table(
    "identity_project",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("name", text_key(64), nullable=False),
    sa.Column("domain_id", text_key(_ID), nullable=False),
    sa.Column("parent_id", text_key(_ID), nullable=True, index=True),
    sa.Column("description", long_text(), nullable=True),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("is_domain", sa.Boolean, nullable=False),
    sa.Column("tags", JsonStrings, nullable=False),
    sa.Column("options", JsonObject, nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
    sa.Column("tokens_since", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("domain_id", "name"),
)

user = sa.Table(
    "identity_user",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("domain_id", text_key(_ID), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("default_project_id", text_key(_ID), nullable=True, index=True),
    sa.Column("password_hash", text_key(255), nullable=True),
    sa.Column("options", JsonObject, nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
    sa.Column("tokens_since", sa.BigInteger, nullable=False),
    sa.Column("password_created_at", UtcDateTime, nullable=True),
    sa.Column("password_expires_at", UtcDateTime, nullable=True),
    sa.Column("failed_auth_count", sa.Integer, nullable=False),
    sa.Column("failed_auth_at", UtcDateTime, nullable=True),
    sa.Column("last_active_at", UtcDateTime, nullable=True),
    sa.UniqueConstraint("domain_id", "name"),
)

password_history = sa.Table(
    "identity_password_history",
    metadata,
    sa.Column("user_id", text_key(_ID), primary_key=True),
    sa.Column("password_hash", text_key(255), primary_key=True),
    sa.Column("kept_at", sa.BigInteger, nullable=False),  # a generation: no two are alike
)

group = sa.Table(
    "identity_group",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("name", text_key(64), nullable=False),
    sa.Column("domain_id", text_key(_ID), nullable=False),
    sa.Column("description", long_text(), nullable=True),
    sa.Column("extra", JsonObject, nullable=False),
    sa.UniqueConstraint("domain_id", "name"),
)

membership = sa.Table(
    "identity_membership",
    metadata,
    sa.Column("group_id", text_key(_ID), primary_key=True),
    sa.Column("user_id", text_key(_ID), primary_key=True, index=True),
)

role = sa.Table(
    "identity_role",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("domain_id", text_key(_ID), nullable=False),
    sa.Column("description", long_text(), nullable=True),
    sa.Column("options", JsonObject, nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
    sa.UniqueConstraint("domain_id", "name"),
)

implied_role = sa.Table(
    "identity_implied_role",
    metadata,
    sa.Column("prior_role_id", text_key(_ID), primary_key=True),
    sa.Column("implied_role_id", text_key(_ID), primary_key=True),
)

assignment = sa.Table(
    "identity_assignment",
    metadata,
    sa.Column("actor_kind", text_key(8), primary_key=True),
    sa.Column("actor_id", text_key(_ID), primary_key=True),
    sa.Column("target_kind", text_key(8), primary_key=True),
    sa.Column("target_id", text_key(_ID), primary_key=True),
    sa.Column("role_id", text_key(_ID), primary_key=True),
    sa.Column("inherited", sa.Boolean, primary_key=True),
    sa.Index(None, "target_kind", "target_id"),
)

region = sa.Table(
    "identity_region",
    metadata,
    sa.Column("id", text_key(255), primary_key=True),
    sa.Column("description", long_text(), nullable=False),
    sa.Column("parent_region_id", text_key(255), nullable=True),
    sa.Column("extra", JsonObject, nullable=False),
)

service = sa.Table(
    "identity_service",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("type", text_key(255), nullable=False),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
)

endpoint = sa.Table(
    "identity_endpoint",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("service_id", text_key(_ID), nullable=False, index=True),
    sa.Column("interface", text_key(8), nullable=False),
    sa.Column("region_id", text_key(255), nullable=True, index=True),
    sa.Column("url", long_text(), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
)

fernet_key = sa.Table(
    "identity_fernet_key",
    metadata,
    sa.Column("purpose", text_key(16), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", text_key(16), nullable=False),
    sa.Column("secret", text_key(64), nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
)

revocation = sa.Table(
    "identity_revocation",
    metadata,
    sa.Column("audit_id", text_key(32), primary_key=True),
    sa.Column("with_descendants", sa.Boolean, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

credential = sa.Table(
    "identity_credential",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("type", text_key(255), nullable=False),
    sa.Column("user_id", text_key(_ID), nullable=False, index=True),
    sa.Column("project_id", text_key(_ID), nullable=True, index=True),
    sa.Column("sealed_blob", long_text(), nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
)

policy = sa.Table(
    "identity_policy",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("type", text_key(255), nullable=False),
    sa.Column("blob", long_text(), nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
)

trust = sa.Table(
    "identity_trust",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("trustor_user_id", text_key(_ID), nullable=False, index=True),
    sa.Column("trustee_user_id", text_key(_ID), nullable=False, index=True),
    sa.Column("project_id", text_key(_ID), nullable=True, index=True),
    sa.Column("impersonation", sa.Boolean, nullable=False),
    sa.Column("role_ids", JsonStrings, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=True),
    sa.Column("remaining_uses", sa.Integer, nullable=True),
    sa.Column("redelegated_trust_id", text_key(_ID), nullable=True, index=True),
    sa.Column("redelegation_count", sa.Integer, nullable=False),
)

application_credential = sa.Table(
    "identity_application_credential",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("user_id", text_key(_ID), nullable=False),
    sa.Column("project_id", text_key(_ID), nullable=False, index=True),
    sa.Column("secret_hash", text_key(255), nullable=False),
    sa.Column("description", long_text(), nullable=True),
    sa.Column("expires_at", UtcDateTime, nullable=True),
    sa.Column("unrestricted", sa.Boolean, nullable=False),
    sa.Column("role_ids", JsonStrings, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
)

access_rule = sa.Table(
    "identity_access_rule",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("user_id", text_key(_ID), nullable=False),
    sa.Column("service", text_key(64), nullable=False),
    sa.Column("path", text_key(128), nullable=False),
    sa.Column("method", text_key(16), nullable=False),
    sa.UniqueConstraint("user_id", "service", "path", "method"),
)

credential_rule = sa.Table(
    "identity_application_credential_rule",
    metadata,
    sa.Column("application_credential_id", text_key(_ID), primary_key=True),
    sa.Column("access_rule_id", text_key(_ID), primary_key=True, index=True),
)

endpoint_group = sa.Table(
    "identity_endpoint_group",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("name", text_key(255), nullable=False),
    sa.Column("description", long_text(), nullable=True),
    sa.Column("filters", JsonObject, nullable=False),
)

project_endpoint = sa.Table(
    "identity_project_endpoint",
    metadata,
    sa.Column("project_id", text_key(_ID), primary_key=True),
    sa.Column("endpoint_id", text_key(_ID), primary_key=True, index=True),
)

project_endpoint_group = sa.Table(
    "identity_project_endpoint_group",
    metadata,
    sa.Column("project_id", text_key(_ID), primary_key=True),
    sa.Column("endpoint_group_id", text_key(_ID), primary_key=True, index=True),
)

domain_config = sa.Table(
    "identity_domain_config",
    metadata,
    sa.Column("domain_id", text_key(_ID), primary_key=True),
    sa.Column("section", text_key(64), primary_key=True),
    sa.Column("option", text_key(64), primary_key=True),
    sa.Column("held", JsonObject, nullable=False),
)

registered_limit = sa.Table(
    "identity_registered_limit",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("service_id", text_key(_ID), nullable=False),
    sa.Column("region_id", text_key(255), nullable=False),
    sa.Column("resource_name", text_key(255), nullable=False),
    sa.Column("default_limit", sa.Integer, nullable=False),
    sa.Column("description", long_text(), nullable=True),
    sa.UniqueConstraint("service_id", "region_id", "resource_name"),
)

limit = sa.Table(
    "identity_limit",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("registered_limit_id", text_key(_ID), nullable=False),
    sa.Column("project_id", text_key(_ID), nullable=False, index=True),
    sa.Column("domain_id", text_key(_ID), nullable=False, index=True),
    sa.Column("service_id", text_key(_ID), nullable=False),
    sa.Column("region_id", text_key(255), nullable=True),
    sa.Column("resource_name", text_key(255), nullable=False),
    sa.Column("resource_limit", sa.Integer, nullable=False),
    sa.Column("description", long_text(), nullable=True),
    sa.UniqueConstraint("registered_limit_id", "project_id", "domain_id"),
)

consumer = sa.Table(
    "identity_consumer",
    metadata,
    sa.Column("id", text_key(_ID), primary_key=True),
    sa.Column("description", long_text(), nullable=True),
    sa.Column("sealed_secret", long_text(), nullable=False),
    sa.Column("extra", JsonObject, nullable=False),
)

policy_association = sa.Table(
    "identity_policy_association",
    metadata,
    sa.Column("endpoint_id", text_key(_ID), primary_key=True),
    sa.Column("service_id", text_key(_ID), primary_key=True),
    sa.Column("region_id", text_key(255), primary_key=True),
    sa.Column("policy_id", text_key(_ID), nullable=False, index=True),
)

"""Who is asking."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cumulo.auth.access import AccessRule
from cumulo.auth.policy import Policy
from cumulo.kit.errors import Forbidden
from cumulo.kit.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the token itself says, for whoever shows or rescopes it."""

    audit_ids: tuple[str, ...]
    methods: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    # By what it was had, when not by the user's own proof alone.
    trust_id: str | None = None
    trustor_id: str | None = None
    trustee_id: str | None = None
    application_credential_id: str | None = None
    is_restricted: bool = False  # such a credential must not make others


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The identity behind one request; everything in it comes from a verified token.

    At most one of `project_id`, `domain_id` and `system_scope` is set; none in an unscoped
    token.  `policy` holds the rules of the service that was asked.
    """

    user_id: str
    user_name: str = ""
    user_domain_id: str = "default"
    user_domain_name: str = "Default"
    project_id: str | None = None
    project_name: str = ""
    project_domain_id: str | None = None
    project_domain_name: str = ""
    domain_id: str | None = None
    domain_name: str = ""
    system_scope: str | None = None
    roles: frozenset[str] = frozenset()
    role_ids: frozenset[str] = frozenset()
    group_ids: frozenset[str] = frozenset()
    # The only requests that the token is good for; None: all that the roles permit.
    access_rules: tuple[AccessRule, ...] | None = None
    token: Token | None = field(default=None, repr=False)
    request_id: str = field(default_factory=lambda: f"req-{new_id()}", compare=False)
    policy: Policy | None = field(default=None, repr=False, compare=False)

    @property
    def is_admin(self) -> bool:
        """Say whether the caller runs this cloud."""
        return "admin" in self.roles

    def reaches(self, services: Collection[str], method: str, path: str) -> bool:
        """Say whether the caller's access rules, if it has any, permit a kind of request."""
        rules = self.access_rules
        return rules is None or any(rule.permits(services, method, path) for rule in rules)

    def may(self, rule: str, **target: object) -> bool:
        """Say whether `rule` permits the caller to act on `target`, facts of a stored object."""
        return self.policy is not None and self.policy.allows(rule, self, target or self.own())

    def require(self, rule: str, **target: object) -> None:
        """Raise `Forbidden` unless `rule` permits the caller to act on `target`."""
        if not self.may(rule, **target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.", rule=rule)

    def own(self) -> Mapping[str, object]:
        """Return the target that stands for the caller's own things."""
        return {
            "project_id": self.project_id,
            "tenant_id": self.project_id,
            "owner": self.project_id,
            "member_id": self.project_id,
            "user_id": self.user_id,
            "domain_id": self.domain_id,
        }

    def credentials(self) -> Mapping[str, object]:
        """Return what the left side of a rule may name."""
        return {
            "user_id": self.user_id,
            "project_id": self.project_id,
            "tenant_id": self.project_id,
            "tenant": self.project_id,
            "user": self.user_id,
            "domain_id": self.domain_id,
            "user_domain_id": self.user_domain_id,
            "project_domain_id": self.project_domain_id,
            "system_scope": self.system_scope,
            "token.domain.id": self.domain_id,
            "token.project.domain.id": self.project_domain_id,
            "is_admin": self.is_admin,
            "trust_id": self.token.trust_id if self.token else None,
            "trustor_id": self.token.trustor_id if self.token else None,
            "trustee_id": self.token.trustee_id if self.token else None,
        }

    def serving(self, request_id: str, policy: Policy) -> "Context":
        """Return the same caller within one request to one service."""
        return dataclasses.replace(self, request_id=request_id, policy=policy)


def anonymous(request_id: str, policy: Policy) -> Context:
    """Return the context of a request that needs no token; it has no role."""
    return Context(user_id="", request_id=request_id, policy=policy)


def system(name: str = "cumulo") -> Context:
    """Return the context in which the cloud itself acts: bootstrap, reconcilers, workflows."""
    return Context(user_id=name, roles=frozenset({"admin"}), system_scope="all")

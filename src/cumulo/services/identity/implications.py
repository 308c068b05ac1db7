"""Which roles bring which others with them."""

from collections.abc import Iterable

from cumulo.db import Tx
from cumulo.services.identity.store.roles import Role, implied_all, roles_all


class Implications:
    """Every role and what it implies, read at once: there are few, and rules form chains."""

    def __init__(self, tx: Tx) -> None:
        self.roles = roles_all(tx)
        self._implied: dict[str, list[str]] = {}
        for prior_role_id, implied_role_id in implied_all(tx):
            self._implied.setdefault(prior_role_id, []).append(implied_role_id)

    def pairs(self) -> dict[str, list[str]]:
        """Return what each role implies directly, by id."""
        return self._implied

    def brought_by(self, role_id: str) -> dict[str, str]:
        """Return each role that `role_id` brings, with the role that implies it directly."""
        brought: dict[str, str] = {}
        rest = [role_id]
        while rest:
            prior = rest.pop()
            for implied in self._implied.get(prior, []):
                if implied != role_id and implied not in brought:
                    brought[implied] = prior
                    rest.append(implied)
        return brought

    def effective(self, role_ids: Iterable[str]) -> list[Role]:
        """Return the global roles that these amount to, by name; a domain's roles only imply."""
        reached: set[str] = set()
        for role_id in role_ids:
            reached |= {role_id, *self.brought_by(role_id)}
        found = [self.roles[role_id] for role_id in reached if role_id in self.roles]
        return sorted((r for r in found if r.domain_id is None), key=lambda role: role.name)

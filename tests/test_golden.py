"""What the APIs are, and who may use them, kept as files so that a change is seen in review."""

from pathlib import Path

import pytest

from cumulo.auth import Context, Policy
from cumulo.web.edge import Api
from tests import golden
from tests.cloud import Emulated

OWN = {"project_id": "p1", "tenant_id": "p1", "user_id": "ann", "domain_id": "default"}
LADDER = ["reader", "member", "manager", "admin"]


def _holder(role: str, project: str = "p1", **scope: str) -> Context:
    roles = frozenset(LADDER[: LADDER.index(role) + 1]) if role in LADDER else frozenset({role})
    owner = {"user_id": "ann" if project == "p1" else "eve", "roles": roles}
    return Context(**owner, project_id=None if scope else project, **scope)  # type: ignore[arg-type]


CALLERS = {
    "reader": _holder("reader"),
    "member": _holder("member"),
    "manager": _holder("manager"),
    "service": _holder("service"),
    "stranger": _holder("member", "p2"),
    "admin": _holder("admin", "p2"),
    "domain-admin": _holder("admin", domain_id="default"),
    "system-reader": _holder("reader", system_scope="all"),
    "system-admin": _holder("admin", system_scope="all"),
}


@pytest.fixture(scope="module")
def apis(tmp_path_factory: pytest.TempPathFactory) -> list[Api]:
    cloud = Emulated(tmp_path_factory.mktemp("golden"))
    found = cloud.cloud.apis
    cloud.close()
    return found


def test_what_the_apis_are(apis: list[Api]) -> None:
    lines = []
    for api in apis:
        lines.append(f"# {api.name}")
        for op in api.operations:
            place = f"{op.path}#{op.action}" if op.action else op.path
            window = f"{op.since or ''}-{op.until or ''}" if op.since or op.until else ""
            fields = (
                f"{op.method:6}",
                place,
                str(op.status),
                "(open)" if op.policy is None else op.policy or "(any token)",
                window,
            )
            lines.append(" ".join(field for field in fields if field))
    golden.check("operations.txt", "\n".join(lines) + "\n")


def test_who_may_do_what(apis: list[Api]) -> None:
    lines = []
    for api in {api.name: api for api in apis if api.name != "metadata"}.values():
        lines.append(f"# {api.name}: {' '.join(CALLERS)}")
        lines += [f"{rule} {_row(api.policy, rule)}" for rule in api.policy.names]
    golden.check("policy.txt", "\n".join(lines) + "\n")


def test_no_row_of_identitys_is_empty(apis: list[Api]) -> None:
    """A rule that lets nobody do anything was asked about the wrong target."""
    (api,) = [api for api in apis if api.name == "identity"]
    assert [rule for rule in api.policy.names if "y" not in _row(api.policy, rule)] == []


def _row(policy: Policy, rule: str) -> str:
    return "".join(
        "y" if policy.allows(rule, who, _target(rule)) else "-" for who in CALLERS.values()
    )


def _target(rule: str) -> dict[str, object]:
    """Return a target that belongs to ann and her project, by every name that rules use."""
    target: dict[str, object] = {**OWN, "owner": "p1", "member_id": "p1", "shared": False}
    for kind in ("user", "project", "group", "role", "domain", "credential", "trust"):
        target[f"target.{kind}.domain_id"] = "default"
        target[f"target.{kind}.id"] = "p1" if kind == "project" else "ann"
        target[f"target.{kind}.user_id"] = "ann"
        target[f"target.{kind}.project_id"] = "p1"
    return target | {
        "target.token.user_id": "ann",
        "target.trust.trustor_user_id": "ann",
        "target.trust.trustee_user_id": "bob",
        "target.role.name": "member",
        "target.domain_id": "default",
        "target.limit.project_id": "p1",
        "target.limit.project.domain_id": "default",
    }


def test_every_operation_has_its_rule_and_its_sentence(apis: list[Api]) -> None:
    for api in apis:
        for op in api.operations:
            assert op.run.__doc__, f"{op.method} {op.path} lacks the sentence that users read"
            assert not op.policy or op.policy in api.policy.names, f"{op.policy} is no rule"


def test_every_rule_is_of_openstack(apis: list[Api], request: pytest.FixtureRequest) -> None:
    """Rule names are an interface: operators' policy.yaml files use them."""
    known = Path(__file__).parent / "golden" / "openstack-rules.txt"
    names = set(known.read_text().split())
    for api in apis:
        unknown = [rule for rule in api.policy.names if rule not in names]
        assert not unknown, f"{api.name} has rules that OpenStack does not: {unknown}"


def test_microversions_are_in_order(apis: list[Api]) -> None:
    for api in apis:
        if api.history:
            found = [version for version, _ in api.history.entries]
            assert found == sorted(set(found))

from pathlib import Path

import pytest

from cumulo.auth import Context, Policy
from cumulo.kit import clock
from cumulo.kit.errors import Forbidden, Invalid

ANN = Context(user_id="ann", project_id="p1", roles=frozenset({"member", "reader"}))


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("", True),
        ("@", True),
        ("!", False),
        ("role:member", True),
        ("role:MEMBER", True),
        ("role:admin", False),
        ("not role:admin", True),
        ("role:admin or role:reader", True),
        ("role:admin or role:member and role:nobody", False),
        ("(role:admin or role:member) and role:reader", True),
        ("project_id:%(project_id)s", True),
        ("project_id:%(missing)s", False),
        ("user_id:%(owner)s", False),
        ("system_scope:all", False),
        ("'yes':%(answer)s", True),
        ("True:%(enabled)s", True),
        ("None:%(nothing)s", True),
        ("domain_id:None", True),
        ("not domain_id:None", False),
        ("user_id:None", False),
        ("domain_id:%(nothing)s", False),
        ("field:networks:shared=True", True),
        ("rule:inner", True),
        ("rule:inner and rule:refused", False),
    ],
)
def test_the_language(rule: str, allowed: bool) -> None:
    policy = Policy({"it": rule, "inner": "role:member", "refused": "!"})
    target = {"project_id": "p1", "owner": "bob", "answer": "yes", "enabled": True, "shared": True}
    assert policy.allows("it", ANN, {**target, "nothing": None}) is allowed


@pytest.mark.parametrize("rule", ["role:a or", "(role:a", "role:a role:b", "and", "admin", ")"])
def test_an_operators_rule_that_cannot_be_read_stops_the_start(rule: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"it: '{rule}'")
    with pytest.raises(Invalid, match="Policy rule"):
        Policy({"it": ""}, file=file)


def test_a_default_that_cannot_be_read_permits_nothing() -> None:
    with pytest.raises(Invalid):
        Policy({"it": "role:a or"}).allows("it", ANN, {})


def test_an_unknown_rule_is_an_error_and_not_a_yes() -> None:
    with pytest.raises(Invalid, match="nothing"):
        Policy({"it": "rule:nothing"}).allows("it", ANN, {})


def test_an_operators_file_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    with clock.CLOCK.held():
        policy = Policy({"it": "role:admin"}, file=file)
        ann = ANN.serving("req-1", policy)
        assert not ann.may("it")
        file.write_text('"it": "role:member"\n')
        clock.CLOCK.move(2)
        assert ann.may("it")
        file.unlink()
        clock.CLOCK.move(2)
        with pytest.raises(Forbidden, match="it"):
            ann.require("it")


def test_a_token_of_the_wrong_scope_passes_no_rule() -> None:
    everywhere = Context(user_id="root", system_scope="all", roles=frozenset({"admin"}))
    assert not Policy({"it": "role:admin"}).allows("it", everywhere, {})
    system = Policy({"it": "role:admin"}, scopes=frozenset({"system"}))
    assert system.allows("it", everywhere, {})


def test_a_rule_may_be_written_for_fewer_scopes_than_the_rest() -> None:
    everyone = frozenset({"project", "domain", "system", "none"})
    narrow = {"list_services": everyone - {"domain"}}
    policy = Policy({"list_services": "@", "list_users": "@"}, scopes=everyone, rule_scopes=narrow)
    ann = Context(user_id="ann", domain_id="d1", roles=frozenset({"admin"})).serving("r", policy)
    assert ann.may("list_users")
    assert not ann.may("list_services")


def test_rules_may_ask_for_the_domain_of_the_token() -> None:
    policy = Policy({"it": "token.project.domain.id:%(target.domain.id)s"})
    ann = Context(user_id="ann", project_id="p1", project_domain_id="d1").serving("r", policy)
    assert ann.may("it", **{"target.domain.id": "d1"})
    assert not ann.may("it", **{"target.domain.id": "d2"})


def test_a_service_may_ask_by_anothers_rules() -> None:
    images = Policy({"get_image": "rule:base", "base": "role:member"})
    compute = Policy({"boot": "rule:base", "base": "!"})
    compute.beside(images)
    assert compute.allows("get_image", ANN, {})
    assert not compute.allows("boot", ANN, {})


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("", "yes @"),
        ("not role:admin", "yes not"),
        ("role:admin or @", "yes any of"),
        ("role:admin and @", "no  all of"),
        ("rule:inner", "yes inner: role:member"),
        ("user_id:%(owner)s", "no  user_id:%(owner)s (the caller's user_id is ann; the target's"),
    ],
)
def test_an_explanation_agrees_with_the_rule(rule: str, told: str) -> None:
    policy = Policy({"asked": rule, "inner": "role:member"})
    verdict = policy.explain("asked", ANN, {"owner": "bob"})
    assert verdict.holds == policy.allows("asked", ANN, {"owner": "bob"})
    assert any(line.strip().startswith(told) for line in verdict.lines())


def test_an_explanation_looks_at_the_scope_first() -> None:
    policy = Policy({"asked": "@"}, scopes=frozenset({"system"}))
    verdict = policy.explain("asked", ANN, {})
    assert not verdict.holds
    assert verdict.lines()[1] == "  no  scope is system (the token's is project)"

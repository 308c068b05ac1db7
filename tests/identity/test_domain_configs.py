import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, made

CONFIG = {
    "identity": {"driver": "ldap"},
    "ldap": {"url": "ldap://here", "user_tree_dn": "ou=Users"},
}


@pytest.fixture
def path(admin: Client) -> str:
    return f"/v3/domains/{made(admin, 'domain', {'name': 'branch'})['id']}/config"


def test_a_configuration_from_first_to_last(admin: Client, path: str) -> None:
    assert admin.get(path).status == 404
    assert admin.put(path, {"config": CONFIG}).status == 201
    assert admin.put(path, {"config": CONFIG}).status == 200
    assert admin.get(path).json() == {"config": CONFIG}
    assert admin.get(f"{path}/ldap").json() == {"config": {"ldap": CONFIG["ldap"]}}
    assert admin.get(f"{path}/ldap/url").json() == {"config": {"url": "ldap://here"}}
    assert admin.get(f"{path}/ldap/suffix").status == 404
    changed = admin.patch(path, {"config": {"ldap": {"url": "ldap://there"}}}).json()["config"]
    assert changed["ldap"] == {"url": "ldap://there", "user_tree_dn": "ou=Users"}
    changed = admin.patch(f"{path}/ldap", {"config": {"ldap": {"user_tree_dn": "x"}}}).json()
    assert changed["config"]["ldap"] == {"url": "ldap://there", "user_tree_dn": "x"}
    changed = admin.patch(f"{path}/ldap/url", {"config": {"url": "ldap://x"}}).json()
    assert changed["config"]["ldap"]["url"] == "ldap://x"
    assert admin.delete(f"{path}/ldap/url").status == 204
    assert admin.patch(f"{path}/ldap/url", {"config": {"url": "x"}}).status == 404
    assert admin.delete(f"{path}/ldap").status == 204
    assert admin.get(path).json() == {"config": {"identity": {"driver": "ldap"}}}
    assert admin.delete(path).status == 204
    assert admin.delete(path).status == 404


@pytest.mark.parametrize(
    "config",
    [{}, {"ldap": {}}, {"oslo": {"x": 1}}, {"ldap": {"no_such": 1}}, {"ldap": {"password": "x"}}],
)
def test_only_what_is_known_is_configured(
    admin: Client, path: str, config: dict[str, object]
) -> None:
    assert admin.put(path, {"config": config}).status == 403
    assert admin.patch(path, {"config": config}).status == 403


def test_what_holds_by_default(cloud: Cloud, admin: Client) -> None:
    default = admin.get("/v3/domains/config/default").json()["config"]
    assert default["identity"]["driver"] == "sql"
    ldap = admin.get("/v3/domains/config/ldap/default").json()["config"]
    assert ldap == {"ldap": default["ldap"]}
    for option, value in default["ldap"].items():
        shown = admin.get(f"/v3/domains/config/ldap/{option}/default").json()["config"]
        assert shown == {option: value}
    assert admin.get("/v3/domains/config/none/default").status == 403
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert demo.get("/v3/domains/config/default").status == 403


def test_anyone_may_know_what_passwords_must_be(cloud: Cloud, path: str) -> None:
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    here = "/v3/domains/default/config/security_compliance"
    known = {"password_regex": None, "password_regex_description": None}
    assert demo.get(here).json() == {"config": {"security_compliance": known}}
    assert demo.get(f"{here}/password_regex").json() == {"config": {"password_regex": None}}
    assert demo.get(f"{here}/lockout_duration").status == 403
    assert demo.get(f"{path}/security_compliance").status == 403
    assert demo.get(f"{path}/ldap").status == 403


def test_it_goes_with_its_domain(admin: Client, path: str) -> None:
    admin.put(path, {"config": CONFIG})
    domain = path.removesuffix("/config")
    admin.patch(domain, {"domain": {"enabled": False}})
    assert admin.delete(domain).status == 204
    assert admin.get(path).status == 404

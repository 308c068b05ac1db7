from tests.client import Client
from tests.identity.conftest import Cloud, made


def test_the_nearest_policy_holds(admin: Client) -> None:
    names = ("own", "region", "service")
    own, region, service = (
        made(admin, "policy", {"type": "text", "blob": name})["id"] for name in names
    )
    compute = admin.get("/v3/services?type=compute").json()["services"][0]["id"]
    first, second = (
        one["id"]
        for one in admin.get(f"/v3/endpoints?service_id={compute}").json()["endpoints"][:2]
    )
    asked = f"/v3/endpoints/{first}/OS-ENDPOINT-POLICY/policy"
    assert admin.get(asked).status == 404
    places = {
        service: f"/v3/policies/{service}/OS-ENDPOINT-POLICY/services/{compute}",
        region: f"/v3/policies/{region}/OS-ENDPOINT-POLICY/services/{compute}/regions/RegionOne",
        own: f"/v3/policies/{own}/OS-ENDPOINT-POLICY/endpoints/{first}",
    }
    for policy, place in places.items():
        assert admin.get(place).status == 404
        assert admin.put(place).status == 204
        assert admin.request("HEAD", place).status == 204
        assert admin.get(asked).json()["policy"]["id"] == policy
    at = f"/v3/policies/{own}/OS-ENDPOINT-POLICY/endpoints"
    assert [one["id"] for one in admin.get(at).json()["endpoints"]] == [first]
    at = f"/v3/policies/{region}/OS-ENDPOINT-POLICY/endpoints"
    assert second in [one["id"] for one in admin.get(at).json()["endpoints"]]
    assert first not in [one["id"] for one in admin.get(at).json()["endpoints"]]
    assert admin.delete(places[own]).status == 204
    assert admin.delete(places[own]).status == 404
    assert admin.get(asked).json()["policy"]["id"] == region
    assert admin.delete(f"/v3/policies/{region}").status == 204
    assert admin.get(asked).json()["policy"]["id"] == service
    assert admin.put(f"{places[service]}x").status == 404


def test_what_was_revoked_is_listed(cloud: Cloud, admin: Client) -> None:
    gone = cloud.login()
    subject = {"X-Subject-Token": gone.token or ""}
    audit_id = admin.get("/v3/auth/tokens", headers=subject).json()["token"]["audit_ids"][0]
    assert admin.get("/v3/OS-REVOKE/events").json()["events"] == []
    assert admin.delete("/v3/auth/tokens", headers=subject).status == 204
    (event,) = admin.get("/v3/OS-REVOKE/events").json()["events"]
    assert event["audit_chain_id"] == audit_id
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert demo.get("/v3/OS-REVOKE/events").status == 403


def test_what_is_gone_says_so(admin: Client) -> None:
    for path in ("OS-SIMPLE-CERT/ca", "OS-SIMPLE-CERT/certificates", "auth/tokens/OS-PKI/revoked"):
        assert admin.get(f"/v3/{path}").status == 410

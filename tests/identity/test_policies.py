import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, made


def test_a_policy_from_first_to_last(cloud: Cloud, admin: Client) -> None:
    policy = made(admin, "policy", {"type": "application/json", "blob": "{}", "for": "x"})
    assert policy == {
        "id": policy["id"],
        "type": "application/json",
        "blob": "{}",
        "for": "x",
        "links": {"self": f"http://cloud/v3/policies/{policy['id']}"},
    }
    one = f"/v3/policies/{policy['id']}"
    assert admin.get(one).json()["policy"] == policy
    assert admin.get("/v3/policies?type=application/json").json()["policies"] == [policy]
    assert admin.get("/v3/policies?type=other").json()["policies"] == []
    changed = admin.patch(one, {"policy": {"type": "text", "for": "y"}}).json()["policy"]
    assert (changed["type"], changed["for"]) == ("text", "y")
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert demo.get(one).status == 403
    assert demo.post("/v3/policies", {"policy": {"type": "t", "blob": "b"}}).status == 403
    assert admin.delete(one).status == 204
    assert admin.get(one).status == 404


@pytest.mark.parametrize("policy", [{}, {"type": "x"}, {"blob": "x"}, {"type": 1, "blob": "x"}])
def test_a_wrong_policy_is_refused(admin: Client, policy: dict[str, object]) -> None:
    assert admin.post("/v3/policies", {"policy": policy}).status == 400

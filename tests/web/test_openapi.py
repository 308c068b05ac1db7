from cumulo.auth import Policy
from cumulo.web import faults, openapi
from cumulo.web.edge import Api
from tests.web.test_edge import HISTORY, RULES, routes


def test_the_description_follows_from_the_operations() -> None:
    api = Api(
        name="things",
        port=1,
        operations=routes.operations,
        policy=Policy(RULES),
        family=faults.NAMED,
        history=HISTORY,
    )
    document = openapi.describe(api, "1")
    create = document["paths"]["/v2/things"]["post"]
    assert create["operationId"] == "create"
    assert create["x-openstack-policy"] == "create"
    assert create["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Create"
    }
    assert set(create["responses"]) == {"201"}
    listing = document["paths"]["/v2/things"]["get"]
    assert [p["name"] for p in listing["parameters"]] == ["limit", "name", "fast"]
    assert "/v2/things/{name}/action#reboot" in document["paths"]
    assert "Spec" in document["components"]["schemas"]

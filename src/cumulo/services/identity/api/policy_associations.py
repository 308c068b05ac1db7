"""Which policy holds for which endpoints: OS-ENDPOINT-POLICY; deprecated, and still asked for."""

from cumulo.services.identity import policy_associations as associations
from cumulo.services.identity.api.policies import show_policy
from cumulo.services.identity.api.views import show_endpoint
from cumulo.services.identity.api.wire import Call, collection
from cumulo.services.identity.listings import Page
from cumulo.services.identity.policy_associations import Place
from cumulo.web import Routes

routes = Routes()

_AT = "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY"
_ENDPOINT = _AT + "/endpoints/{endpoint_id}"
_SERVICE = _AT + "/services/{service_id}"
_REGION = _SERVICE + "/regions/{region_id}"
_RULE = "identity:{}_policy_association_for_{}"


@routes.put(_ENDPOINT, policy=_RULE.format("create", "endpoint"), status=204)
@routes.put(_SERVICE, policy=_RULE.format("create", "service"), status=204)
@routes.put(_REGION, policy=_RULE.format("create", "region_and_service"), status=204)
def associate(
    call: Call, policy_id: str, endpoint_id: str = "", service_id: str = "", region_id: str = ""
) -> None:
    """Let a policy hold for an endpoint, a service, or a service in a region."""
    place = Place(endpoint_id, service_id, region_id)
    call.db.write(associations.associate, call.ctx, policy_id, place)


@routes.get(_ENDPOINT, policy=_RULE.format("check", "endpoint"), status=204)
@routes.get(_SERVICE, policy=_RULE.format("check", "service"), status=204)
@routes.get(_REGION, policy=_RULE.format("check", "region_and_service"), status=204)
def check(
    call: Call, policy_id: str, endpoint_id: str = "", service_id: str = "", region_id: str = ""
) -> None:
    """Say whether a policy holds for exactly this."""
    place = Place(endpoint_id, service_id, region_id)
    call.db.read(associations.check_associated, policy_id, place)


@routes.delete(_ENDPOINT, policy=_RULE.format("delete", "endpoint"), status=204)
@routes.delete(_SERVICE, policy=_RULE.format("delete", "service"), status=204)
@routes.delete(_REGION, policy=_RULE.format("delete", "region_and_service"), status=204)
def dissociate(
    call: Call, policy_id: str, endpoint_id: str = "", service_id: str = "", region_id: str = ""
) -> None:
    """Let a policy hold for this no more."""
    place = Place(endpoint_id, service_id, region_id)
    call.db.write(associations.dissociate, call.ctx, policy_id, place)


@routes.get(_AT + "/endpoints", policy="identity:list_endpoints_for_policy")
def list_policy_endpoints(call: Call, policy_id: str) -> dict[str, object]:
    """List the endpoints that a policy holds for."""
    found = Page(call.db.read(associations.endpoints_of, policy_id))
    return collection(call, "endpoints", found, lambda one: show_endpoint(call, one))


@routes.get(
    "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
    policy="identity:get_policy_for_endpoint",
)
def get_endpoint_policy(call: Call, endpoint_id: str) -> dict[str, object]:
    """Show the policy that holds for an endpoint."""
    return {"policy": show_policy(call, call.db.read(associations.policy_for, endpoint_id))}

"""Which policy holds for which endpoints: the nearest that was said."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.identity.catalog import endpoint_get, region_get, service_get
from cumulo.services.identity.journal import note
from cumulo.services.identity.policies import Policy, policy_get
from cumulo.services.identity.store import policy_associations as store
from cumulo.services.identity.store.catalog import Endpoint, endpoint_page
from cumulo.services.identity.store.listing import Listing
from cumulo.services.identity.store.policy_associations import Place as Place


def associate(tx: Tx, ctx: Context, policy_id: str, place: Place) -> None:
    """Let a policy hold at a place, instead of any other."""
    policy = _parties(tx, policy_id, place)
    store.association_set(tx, place, policy.id)
    note(tx, ctx, "associate", after=policy)


def check_associated(tx: Tx, policy_id: str, place: Place) -> Policy:
    """Return a policy that holds at a place."""
    policy = _parties(tx, policy_id, place)
    if store.association_find(tx, place) != policy.id:
        raise NotFound("No policy association found.")
    return policy


def dissociate(tx: Tx, ctx: Context, policy_id: str, place: Place) -> None:
    """Let a policy hold at a place no more."""
    policy = check_associated(tx, policy_id, place)
    store.association_unset(tx, place)
    note(tx, ctx, "dissociate", before=policy)


def policy_for(tx: Tx, endpoint_id: str) -> Policy:
    """Return the policy for an endpoint: its own, else its region's or one above, else its
    service's.
    """
    endpoint = endpoint_get(tx, endpoint_id)
    for place in _places(tx, endpoint):
        policy_id = store.association_find(tx, place)
        if policy_id is not None:
            return policy_get(tx, policy_id)
    raise NotFound(f"No policy is associated with endpoint {endpoint_id}.")


def endpoints_of(tx: Tx, policy_id: str) -> list[Endpoint]:
    """Return the endpoints that a policy holds for."""
    policy = policy_get(tx, policy_id)
    places = set(store.places_of(tx, policy.id))
    found = []
    for endpoint in endpoint_page(tx, Listing()).members:
        ways = _places(tx, endpoint)
        nearest = next((way for way in ways if store.association_find(tx, way)), None)
        if nearest in places:
            found.append(endpoint)
    return found


def _places(tx: Tx, endpoint: Endpoint) -> list[Place]:
    """Return where a policy for an endpoint may have been said, the nearest first."""
    places = [Place(endpoint_id=endpoint.id)]
    region_id = endpoint.region_id
    while region_id is not None:
        places.append(Place(service_id=endpoint.service_id, region_id=region_id))
        region_id = region_get(tx, region_id).parent_region_id
    return [*places, Place(service_id=endpoint.service_id)]


def _parties(tx: Tx, policy_id: str, place: Place) -> Policy:
    policy = policy_get(tx, policy_id)
    if place.endpoint_id:
        endpoint_get(tx, place.endpoint_id)
    if place.service_id:
        service_get(tx, place.service_id)
    if place.region_id:
        region_get(tx, place.region_id)
    return policy

"""What was revoked, and lists of an older kind of token that are gone."""

from typing import NoReturn

import msgspec

from cumulo.kit.clock import iso_micro_z
from cumulo.services.identity import revocations
from cumulo.services.identity.api.wire import Call, link
from cumulo.web import Routes
from cumulo.web.errors import Gone

routes = Routes()

_PKI = "This API is no longer available due to the removal of support for PKI tokens."


class Event(msgspec.Struct):
    """A token that was revoked, and perhaps those made from it."""

    audit_id: str | msgspec.UnsetType = msgspec.UNSET
    audit_chain_id: str | msgspec.UnsetType = msgspec.UNSET
    issued_before: str | msgspec.UnsetType = msgspec.UNSET


class EventsBody(msgspec.Struct):
    """What was revoked, in an answer."""

    events: list[Event]
    links: dict[str, object]


@routes.get("/v3/OS-REVOKE/events", policy="identity:list_revoke_events")
def list_revoke_events(call: Call) -> EventsBody:
    """List the tokens that were revoked by themselves and would not have expired yet."""
    found = call.db.read(revocations.revocation_list)
    shown = []
    for one in found:
        event = Event(issued_before=iso_micro_z(one.expires_at))
        if one.with_descendants:
            event.audit_chain_id = one.audit_id
        else:
            event.audit_id = one.audit_id
        shown.append(event)
    return EventsBody(shown, link(call, "OS-REVOKE", "events"))


@routes.get("/v3/OS-SIMPLE-CERT/ca", policy=None, status=410)
@routes.get("/v3/OS-SIMPLE-CERT/certificates", policy=None, status=410)
@routes.get("/v3/auth/tokens/OS-PKI/revoked", policy="identity:revocation_list", status=410)
def show_what_is_gone(call: Call) -> NoReturn:
    """Say that there are no such tokens any more."""
    raise Gone(_PKI)

"""Tokens for whoever signed a request with an access key: what EC2 and S3 front ends ask for."""

from datetime import timedelta

import msgspec

from cumulo.services.identity import access_keys
from cumulo.services.identity.api.tokens import answer
from cumulo.services.identity.api.wire import Call
from cumulo.services.identity.refusals import lacking
from cumulo.services.identity.signatures import SignedRequest, is_signed, is_signed_s3
from cumulo.web import Reply, Routes

routes = Routes()


class SignedBody(msgspec.Struct):
    """A signed request, as its receiver forwards it; under either name."""

    credentials: SignedRequest | None = None
    ec2_credentials: SignedRequest | None = msgspec.field(name="ec2Credentials", default=None)


@routes.post("/v3/ec2tokens", policy="identity:ec2tokens_validate")
def create_ec2_token(call: Call, body: SignedBody) -> Reply:
    """Issue a token to the owner of the key that an EC2 request was signed with."""
    said = _said(body)
    ttl = timedelta(minutes=call.tools.settings.auth_ttl)
    made = access_keys.token_of(
        call.db, call.tools, said.access, lambda secret: is_signed(said, secret, ttl)
    )
    return answer(call, *made, with_catalog=True, status=200)


@routes.post("/v3/s3tokens", policy="identity:s3tokens_validate")
def create_s3_token(call: Call, body: SignedBody) -> Reply:
    """Issue a token to the owner of the key that an S3 request was signed with."""
    said = _said(body)
    made = access_keys.token_of(
        call.db, call.tools, said.access, lambda secret: is_signed_s3(said, secret)
    )
    return answer(call, *made, with_catalog=True, status=200)


def _said(body: SignedBody) -> SignedRequest:
    said = body.credentials or body.ec2_credentials
    if said is None:
        raise lacking("credentials", "request body")
    return said

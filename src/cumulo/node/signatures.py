"""How the metadata API knows that a host, not a guest, says where a request comes from.

A host forwards a guest's request with the network and the address that it came from, signed.
"""

import hashlib
import hmac

NETWORK = "X-Cumulo-Network-ID"
PEER = "X-Forwarded-For"
SIGNATURE = "X-Cumulo-Signature"


def sign(secret: bytes, network_id: str, address: str) -> str:
    """Return the signature of a request from `address` in the network."""
    return hmac.new(secret, f"{network_id}\n{address}".encode(), hashlib.sha256).hexdigest()


def is_signed(secret: bytes, network_id: str, address: str, signature: str) -> bool:
    """Say whether a host of ours signed this; takes the same time whatever the answer."""
    return hmac.compare_digest(
        sign(secret, network_id, address).encode(), signature.encode(errors="replace")
    )

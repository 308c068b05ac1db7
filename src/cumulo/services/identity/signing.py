"""JSON web signatures, ES256 only: tokens that anyone may read and nobody may forge."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from cumulo.db import Tx
from cumulo.services.identity.store.generation import generation_get
from cumulo.services.identity.store.keys import key_list

JWS = "jws"
_ALGORITHM = ec.ECDSA(SHA256())
_HALF = 32  # bytes of each of the two numbers in a signature
_ORDER = {"primary": 0, "staged": 1, "secondary": 2}


class Signer:
    """The signing keys as this process knows them; read again when generations move."""

    def __init__(self) -> None:
        self._loaded: tuple[int, list[ec.EllipticCurvePrivateKey]] | None = None

    def sign(self, tx: Tx, payload: bytes) -> str:
        """Return a payload with the signature of the key that signs now."""
        text = f"{_HEADER}.{_text(payload)}"
        numbers = decode_dss_signature(self._keys(tx)[0].sign(text.encode(), _ALGORITHM))
        signature = b"".join(number.to_bytes(_HALF) for number in numbers)
        return f"{text}.{_text(signature)}"

    def verified(self, tx: Tx, token: str) -> bytes | None:
        """Return the payload, if one of our keys signed it, the only way that we sign."""
        header, _, rest = token.partition(".")
        body, _, signature = rest.partition(".")
        # Whatever else a header might ask for, such as no algorithm at all, is not ours.
        if header != _HEADER:
            return None
        try:
            raw, payload = _bytes(signature), _bytes(body)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != 2 * _HALF:
            return None
        mark = encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))
        text = f"{header}.{body}".encode()
        return payload if any(_signed(key, mark, text) for key in self._keys(tx)) else None

    def _keys(self, tx: Tx) -> list[ec.EllipticCurvePrivateKey]:
        generation = generation_get(tx)
        loaded = self._loaded
        if loaded is None or loaded[0] != generation:
            keys = sorted(key_list(tx, JWS), key=lambda key: _ORDER[key.state])
            loaded = self._loaded = (generation, [_private(key.secret) for key in keys])
        return loaded[1]


def new_secret_number() -> str:
    """Return what a new key is made of, as it is stored."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.b64encode(number.to_bytes(_HALF)).decode()


def _private(secret: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(base64.b64decode(secret)), ec.SECP256R1())


def _signed(key: ec.EllipticCurvePrivateKey, signature: bytes, text: bytes) -> bool:
    try:
        key.public_key().verify(signature, text, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


_HEADER = _text(b'{"typ":"JWT","alg":"ES256"}')

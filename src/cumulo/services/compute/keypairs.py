"""Keypairs: made here or brought along, each known to its user by a name."""

import base64
import binascii
import hashlib
from datetime import timedelta
from typing import Literal, TypeAlias

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, OverQuota
from cumulo.services.compute import quotas
from cumulo.services.compute.store import keypairs as store
from cumulo.services.compute.store.keypairs import Keypair as Keypair
from cumulo.work import events

KeyType: TypeAlias = Literal["ssh", "x509"]
_BITS = 2048
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_VALID_DAYS = 3650


class KeyMaterial(msgspec.Struct, frozen=True, kw_only=True):
    """Both halves of a key; `private_key` only when it was made here."""

    public_key: str
    fingerprint: str
    private_key: str | None = None


def generate(key_type: KeyType, user_id: str) -> KeyMaterial:
    """Make a key; it takes a while, so do it outside of a transaction."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    return _certificate(key, user_id) if key_type == "x509" else _ssh(key)


def imported(key_type: KeyType, public_key: str) -> KeyMaterial:
    """Check a public key that a client brought."""
    find = _x509_fingerprint if key_type == "x509" else _ssh_fingerprint
    return KeyMaterial(public_key=public_key, fingerprint=find(public_key))


def new_keypair(
    tx: Tx, ctx: Context, *, user_id: str, name: str, key_type: KeyType, material: KeyMaterial
) -> Keypair:
    """Record a user's keypair and count it."""
    if store.keypair_find(tx, user_id, name):
        raise Conflict(f"Key pair '{name}' already exists.", name=name)
    try:
        quotas.claim_keypair(tx, ctx, user_id)
    except OverQuota as error:
        raise OverQuota("Quota exceeded, too many key pairs.", **error.data) from error
    new = Keypair(
        id=0,
        user_id=user_id,
        name=name,
        type=key_type,
        fingerprint=material.fingerprint,
        public_key=material.public_key,
        created_at=clock.now(),
    )
    store.keypair_add(tx, new)
    keypair = store.keypair_get(tx, user_id, name)
    _record(tx, ctx, "create", keypair)
    return keypair


def keypair_visible(tx: Tx, ctx: Context, user_id: str, name: str) -> Keypair:
    """Return a user's keypair; whether the caller may see that user's is for the rule to say."""
    ctx.require("os_compute_api:os-keypairs:show", user_id=user_id)
    return store.keypair_get(tx, user_id, name)


def list_keypairs(
    tx: Tx, ctx: Context, user_id: str, *, marker: str | None = None, limit: int | None = None
) -> list[Keypair]:
    """Return a user's keypairs after the one named `marker`."""
    ctx.require("os_compute_api:os-keypairs:index", user_id=user_id)
    if marker is not None and store.keypair_find(tx, user_id, marker) is None:
        raise Invalid(f"Marker {marker} could not be found.", marker=marker)
    return store.keypair_list(tx, user_id, marker=marker, limit=limit)


def delete_keypair(tx: Tx, ctx: Context, user_id: str, name: str) -> None:
    """Remove a keypair; servers keep the key they were created with."""
    ctx.require("os_compute_api:os-keypairs:delete", user_id=user_id)
    keypair = store.keypair_get(tx, user_id, name)
    if store.keypair_delete(tx, user_id, name):
        quotas.release_keypair(tx, user_id)
        _record(tx, ctx, "delete", keypair)


def _record(tx: Tx, ctx: Context, action: str, keypair: Keypair) -> None:
    before, after = (keypair, None) if action == "delete" else (None, keypair)
    events.record(
        tx,
        ctx,
        resource="keypair",
        resource_id=str(keypair.id),
        action=action,
        before=before,
        after=after,
    )


def _ssh(key: rsa.RSAPrivateKey) -> KeyMaterial:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    public_key = f"{public.decode()} Generated-by-Nova"  # what clients have always found there
    return KeyMaterial(
        public_key=public_key,
        fingerprint=_ssh_fingerprint(public_key),
        private_key=private.decode(),
    )


def _certificate(key: rsa.RSAPrivateKey, user_id: str) -> KeyMaterial:
    """Make a certificate that Windows guests take in place of a password."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id)])
    principal = f"{user_id}@localhost".encode()
    # A DER UTF8String; a name of up to 64 characters keeps its length in one byte.
    other_name = x509.OtherName(_UPN, bytes([0x0C, len(principal)]) + principal)
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .add_extension(x509.SubjectAlternativeName([other_name]), False)
        .sign(key, hashes.SHA256())
    )
    public_key = certificate.public_bytes(serialization.Encoding.PEM).decode()
    store_file = pkcs12.serialize_key_and_certificates(
        None, key, certificate, None, serialization.NoEncryption()
    )
    return KeyMaterial(
        public_key=public_key,
        fingerprint=_x509_fingerprint(public_key),
        private_key=base64.b64encode(store_file).decode(),
    )


def _ssh_fingerprint(public_key: str) -> str:
    try:
        serialization.load_ssh_public_key(public_key.encode())
        blob = base64.b64decode(public_key.split()[1])
    except (ValueError, IndexError, binascii.Error, UnsupportedAlgorithm):
        raise Invalid(
            "Keypair data is invalid: failed to generate fingerprint", field="public_key"
        ) from None
    return _coloned(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def _x509_fingerprint(pem: str) -> str:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise Invalid(
            f"Keypair data is invalid: failed to generate X509 fingerprint. Error message: {error}",
            field="public_key",
        ) from None
    return _coloned(certificate.fingerprint(hashes.SHA1()).hex())  # noqa: S303 - a name, no proof


def _coloned(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))

"""The cloud's own certificate authority, and connections whose both ends it vouches for.

A certificate names its holder and what that is: the controller of the cloud, or one of its hosts.
A key is made where it is used and never travels.  Names are not looked up anywhere: whoever
dials says whom it expects, and whoever is dialled is told who came.
"""

import datetime
import hashlib
import os
import ssl
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cumulo.kit import clock
from cumulo.kit.errors import Invalid

Kind: TypeAlias = Literal["controller", "host"]

# The authority's has no end (RFC 5280, 4.1.2.5): another for the same key would prove no more.
_NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
_LASTS = datetime.timedelta(days=730)  # renewed when a third of it is left
_SKEW = datetime.timedelta(days=1)  # machines that join may not have the time yet
_PEM = serialization.Encoding.PEM


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection."""

    name: str
    kind: Kind
    fingerprint: str  # of its key, which stays when its certificate is renewed


class Authority(msgspec.Struct, frozen=True):
    """Who vouches for the machines of one cloud; both parts as PEM."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "Authority(...)"

    @property
    def fingerprint(self) -> str:
        """Return by what a machine that joins knows it."""
        return fingerprint_of(self.certificate)

    def issue(self, request: str, name: str, kind: Kind) -> str:
        """Return a certificate of that name for the key in a request, whatever else this says."""
        try:
            asked = x509.load_pem_x509_csr(request.encode())
            asked.public_key().verify(  # type: ignore[union-attr, call-arg]
                asked.signature,
                asked.tbs_certrequest_bytes,
                ec.ECDSA(hashes.SHA256()),  # type: ignore[arg-type]
            )
        except (ValueError, TypeError, AttributeError, InvalidSignature) as error:
            raise Invalid("The request is not one for a certificate, signed by its key.") from error
        ours = x509.load_pem_x509_certificate(self.certificate.encode())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        made = (
            _builder(_name(name, kind), ours.subject, clock.now() + _LASTS)
            .public_key(asked.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(_key(self.key), hashes.SHA256())
        )
        return made.public_bytes(_PEM).decode()


class Identity(msgspec.Struct, frozen=True):
    """The files by which a machine shows who it is."""

    directory: Path

    @property
    def key(self) -> Path:
        """Return where the key is."""
        return self.directory / "key.pem"

    @property
    def certificate(self) -> Path:
        """Return where the certificate is."""
        return self.directory / "certificate.pem"

    @property
    def authority(self) -> Path:
        """Return where the authority's certificate is."""
        return self.directory / "authority.pem"

    def request(self, owner: tuple[int, int] | None = None) -> str:
        """Return a request for a certificate, of a key that is made if there is none."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        if owner is not None:
            os.chown(self.directory, *owner)
        if not self.key.exists():
            self._write(self.key, _pem(ec.generate_private_key(ec.SECP256R1())), owner)
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        signed = builder.sign(_key(self.key.read_text()), hashes.SHA256())
        return signed.public_bytes(_PEM).decode()

    def keep(self, certificate: str, authority: str, owner: tuple[int, int] | None = None) -> None:
        """Keep what the authority gave."""
        self._write(self.authority, authority, owner)
        self._write(self.certificate, certificate, owner)
        # Open vSwitch reads a certificate again only after the file with its key has changed too.
        os.utime(self.key)

    def take_from(
        self, authority: Authority, name: str, kind: Kind, owner: tuple[int, int] | None = None
    ) -> None:
        """Have a certificate of an authority that is at hand; one that fits and lasts is kept."""
        if self.certificate.exists() and self.authority.exists() and self.key.exists():
            known = _peer_of(x509.load_pem_x509_certificate(self.certificate.read_bytes()))
            same = self.authority.read_text() == authority.certificate
            fits = known is not None and (known.name, known.kind) == (name, kind)
            if same and fits and not self.is_ending():
                return
        self.keep(authority.issue(self.request(owner), name, kind), authority.certificate, owner)

    def is_ending(self) -> bool:
        """Say whether it is time for another certificate: less than a third of its time is left."""
        held = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        lasts = held.not_valid_after_utc - held.not_valid_before_utc
        return held.not_valid_after_utc - clock.now() < lasts / 3

    def renew(self, certificate: str) -> None:
        """Keep another certificate for the key that there is."""
        self.keep(certificate, self.authority.read_text())

    def serving(self, *, known_only: bool = True) -> ssl.SSLContext:
        """Return how to be dialled: by holders of certificates only, unless told otherwise."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        if known_only:
            context.load_verify_locations(self.authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def dialling(self) -> ssl.SSLContext:
        """Return how to dial: whoever answers must hold a certificate too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # `peer` says who it is, the dialler whom it wanted
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.authority)
        return context

    def _write(self, path: Path, text: str, owner: tuple[int, int] | None) -> None:
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(text)
        draft.replace(path)


def new_authority(cloud: str = "Cumulo") -> Authority:
    """Make one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{cloud} certificate authority")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(subject, subject, _NEVER)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(made.public_bytes(_PEM).decode(), _pem(key))


def dialling_as_nobody(authority: str) -> ssl.SSLContext:
    """Return how to dial without a certificate; empty: whoever answers is not to be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    if authority:
        context.load_verify_locations(cadata=authority)
    else:
        context.verify_mode = ssl.CERT_NONE
    return context


def peer(connection: ssl.SSLSocket) -> Peer | None:
    """Return who is at the other end, on the authority's word."""
    raw = connection.getpeercert(binary_form=True)
    return _peer_of(x509.load_der_x509_certificate(raw)) if raw else None


def fingerprint_of(certificate: str) -> str:
    """Return a certificate's SHA-256."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def key_of(certificate: str) -> str:
    """Return the SHA-256 of the key that a certificate is for."""
    return _key_of(x509.load_pem_x509_certificate(certificate.encode()))


def _key_of(certificate: x509.Certificate) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key = certificate.public_key().public_bytes(serialization.Encoding.DER, form)
    return hashlib.sha256(key).hexdigest()


def _peer_of(certificate: x509.Certificate) -> Peer | None:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    kinds = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if len(names) != 1 or len(kinds) != 1:
        return None
    digest = _key_of(certificate)
    match kinds[0].value:
        case "controller":
            return Peer(str(names[0].value), "controller", digest)
        case "host":
            return Peer(str(names[0].value), "host", digest)
    return None


def _name(name: str, kind: Kind) -> x509.Name:
    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, kind)
    return x509.Name([unit, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, until: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - _SKEW)
        .not_valid_after(until)
    )


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(_PEM, kind, none).decode()

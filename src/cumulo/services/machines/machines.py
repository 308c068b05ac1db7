"""Who may join the cloud, who did, and who is no longer part of it."""

import hashlib
import ipaddress
import re
import secrets
from datetime import timedelta

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.node.certificates import Authority, key_of
from cumulo.services.machines.store import machines as store
from cumulo.services.machines.store.machines import Machine as Machine

TOKEN_LIFE_S = 3600
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


def new_token(tx: Tx, authority: Authority, life_s: int = TOKEN_LIFE_S) -> str:
    """Return a token that lets one machine join; it says too which cloud is meant."""
    secret = secrets.token_hex(16)
    store.token_insert(tx, _digest(secret), clock.now() + timedelta(seconds=life_s))
    return f"{secret}.{authority.fingerprint}"


class Applicant(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that wants to join."""

    name: str
    address: str
    port: int
    request: str  # for a certificate


def admit(tx: Tx, authority: Authority, own: str, token: str, applicant: Applicant) -> str:
    """Use a token up for a machine; return the certificate that it gets.

    A name that is taken stays its machine's, and the token stays good.
    """
    _check(applicant)
    name = applicant.name
    if not store.token_spend(tx, _digest(token.partition(".")[0])):
        raise Conflict("The token is unknown, used or expired: `cumulo node token` makes one.")
    if name == own or store.machine_find(tx, name) is not None:
        raise Conflict(
            f"The cloud has a host {name}: give another --name, or remove that one first with "
            f"`cumulo node remove {name}`.",
            name=name,
        )
    certificate = authority.issue(applicant.request, name, "host")
    place = (applicant.address, applicant.port)
    store.machine_insert(tx, name, place, key_of(certificate))
    return certificate


def _check(applicant: Applicant) -> None:
    name, address, port = applicant.name, applicant.address, applicant.port
    if not _NAME.fullmatch(name):
        raise Invalid(f"name: {name!r} is no name of a host.", field="name")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise Invalid(f"address: {address!r} is no IP address.", field="address") from None
    if not 1 <= port <= 65535:
        raise Invalid(f"port: {port} is none.", field="port")


def list_machines(tx: Tx) -> list[Machine]:
    """Return the machines that joined."""
    return store.machine_list(tx)


def find_machine(tx: Tx, name: str) -> Machine | None:
    """Return the machine of that name."""
    return store.machine_find(tx, name)


def is_member(tx: Tx, name: str, fingerprint: str) -> bool:
    """Say whether a machine is part of the cloud, with this key and no former one's."""
    found = store.machine_find(tx, name)
    return found is not None and found.fingerprint == fingerprint


def renew(tx: Tx, authority: Authority, name: str, request: str) -> str:
    """Return another certificate for a member, for the key that it has."""
    certificate = authority.issue(request, name, "host")
    if not is_member(tx, name, key_of(certificate)):
        raise Invalid(
            f"{name} joined with another key: only for that one is its certificate renewed.",
            field="request",
        )
    return certificate


def remove(tx: Tx, name: str) -> None:
    """Strike a machine off: nobody speaks with it any more, whatever certificate it holds."""
    if not store.machine_delete(tx, name):
        raise NotFound(f"No machine {name} has joined this cloud.", name=name)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

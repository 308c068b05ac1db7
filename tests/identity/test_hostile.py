"""Whatever stands in a field, the answer is a refusal or a success, on every kind of database."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from cumulo.services.identity.api import (
    catalog,
    credentials,
    domains,
    groups,
    policies,
    projects,
    roles,
    users,
)
from tests.client import Client
from tests.fuzz.strategies import NASTY
from tests.identity.conftest import Cloud
from tests.stores import db, servers

__all__ = ["db", "servers"]

SPECS: dict[str, tuple[type[msgspec.Struct], type[msgspec.Struct]]] = {
    "domain": (domains.DomainSpec, domains.DomainPatch),
    "project": (projects.ProjectSpec, projects.ProjectPatch),
    "user": (users.UserSpec, users.UserPatch),
    "group": (groups.GroupSpec, groups.GroupPatch),
    "role": (roles.RoleSpec, roles.RolePatch),
    "region": (catalog.RegionSpec, catalog.RegionPatch),
    "service": (catalog.ServiceSpec, catalog.ServicePatch),
    "endpoint": (catalog.EndpointSpec, catalog.EndpointPatch),
    "credential": (credentials.CredentialSpec, credentials.BlobSpec),
    "policy": (policies.PolicySpec, policies.PolicyPatch),
}


def right(noun: str, service_id: str) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "service": {"type": "x"},
        "endpoint": {"service_id": service_id, "interface": "public", "url": "http://x"},
        "credential": {"type": "cert", "blob": "x", "user_id": "u"},
        "policy": {"type": "x", "blob": "x"},
        "region": {},
    }
    return more.get(noun, {"name": "right"})


@pytest.mark.walk
@pytest.mark.timeout(300)
@pytest.mark.parametrize("noun", SPECS)
def test_no_field_is_a_bug(cloud: Cloud, admin: Client, noun: str) -> None:
    plural = "policies" if noun == "policy" else f"{noun}s"
    create, change = SPECS[noun]
    service_id = admin.get("/v3/services").json()["services"][0]["id"]
    good = right(noun, service_id)
    one = admin.post(f"/v3/{plural}", {noun: good}).json()[noun]["id"]
    for struct, method, url in (
        (create, "POST", f"/v3/{plural}"),
        (change, "PATCH", f"/v3/{plural}/{one}"),
    ):
        for field in [*(f.encode_name for f in msgspec.structs.fields(struct)), "of_ours"]:
            for value in NASTY:
                answer = admin.request(method, url, {noun: {**good, field: value}})
                assert answer.status < 500, (method, field, str(value)[:50], answer.text)
        assert admin.get(f"/v3/{plural}").status == 200


@pytest.mark.walk
@pytest.mark.timeout(300)
@pytest.mark.parametrize("plural", ["users", "projects", "roles", "endpoints", "role_assignments"])
def test_no_filter_is_a_bug(cloud: Cloud, admin: Client, plural: str) -> None:
    names = [
        *("name", "domain_id", "enabled", "limit", "marker", "name__icontains", "tags"),
        *("user.id", "scope.project.id", "region_id", "interface", "parent_id"),
    ]
    for name in names:
        for value in (v for v in NASTY if isinstance(v, str)):
            answer = admin.get(f"/v3/{plural}?{urlencode({name: value[:500]})}")
            assert answer.status < 500, (name, value[:50], answer.text)
    for value in ("9" * 30, "-1", "1e5", " 1"):
        assert admin.get(f"/v3/{plural}?limit={value}").status in (200, 400)

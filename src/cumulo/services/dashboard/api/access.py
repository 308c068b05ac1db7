"""/access: how other programs reach the cloud: addresses, files, application credentials."""

import shlex
from datetime import UTC, datetime

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.dashboard.api.pages import TEXT, Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import detail_page, each, form_page, submitted
from cumulo.services.dashboard.cells import Cell, Code, Text, When, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, options_of
from cumulo.services.dashboard.lists import DELETE
from cumulo.web import Reply

pages = Pages()


@pages.get("/access")
def show_access(visit: Visit) -> Page:
    """Show addresses of services, files for clients, and application credentials."""
    scope = visit.scope
    mine = f"/users/{scope.user_id}/application_credentials"
    credentials = visit.cloud.get("identity", mine)["application_credentials"]
    detail = Detail(
        title=visit.say("API access"),
        id=scope.user_id,
        back=("Overview", "/"),
        links=(("openrc", "/access/openrc"), ("clouds.yaml", "/access/clouds.yaml")),
        groups=[
            Group(
                title="Services", columns=("Service", "Region", "Address"), rows=_services(visit)
            ),
            Group(
                title="Application credentials",
                columns=("Name", "ID", "Description", "Roles", "Expires"),
                rows=[
                    [
                        one["id"],
                        Text(one["name"]),
                        Code(one["id"]),
                        text(one["description"]),
                        text([role["name"] for role in one["roles"]]),
                        When(one["expires_at"] or ""),
                    ]
                    for one in credentials
                ],
                buttons=(DELETE,),
                action="/access/credentials/actions",
                links=(("New application credential", "/access/credentials/new"),),
            ),
        ],
    )
    return detail_page(detail, "/access")


def _services(visit: Visit) -> list[list[Cell]]:
    return [
        [Text(entry["type"]), Text(endpoint["region"] or ""), Code(endpoint["url"])]
        for entry in sorted(visit.scope.catalog, key=lambda one: str(one["type"]))
        for endpoint in entry["endpoints"]
        if endpoint["interface"] == "public"
    ]


def _auth(visit: Visit) -> dict[str, str]:
    scope = visit.scope
    auth = {"auth_url": visit.cloud.auth_url, "username": scope.user_name}
    auth |= {"user_domain_name": scope.user_domain}
    if scope.project_id:
        auth |= {"project_id": scope.project_id, "project_name": scope.project_name}
        auth |= {"project_domain_name": scope.project_domain}
    elif scope.domain_id:
        auth |= {"domain_id": scope.domain_id}
    elif scope.is_system:
        auth |= {"system_scope": "all"}
    return auth


@pages.get("/access/openrc")
def download_openrc(visit: Visit) -> Reply:
    """Return a file that a shell reads; the password is asked for when it is."""
    region = visit.cloud.region or next(iter(visit.scope.regions), "")
    values = {f"OS_{name.upper()}": value for name, value in _auth(visit).items()}
    values |= {"OS_IDENTITY_API_VERSION": "3", "OS_REGION_NAME": region}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    who = shlex.quote(f"Password of {visit.scope.user_name}: ")
    ask = [f"printf %s {who}", "read -sr OS_PASSWORD", "echo", "export OS_PASSWORD"]
    return _file("openrc.sh", "\n".join(["#!/usr/bin/env bash", *lines, *ask, ""]))


@pages.get("/access/clouds.yaml")
def download_clouds_yaml(visit: Visit) -> Reply:
    """Return a file that OpenStack's clients read; a password is to be written into it."""
    region = visit.cloud.region or next(iter(visit.scope.regions), "")
    cloud = {"auth": _auth(visit), "identity_api_version": 3, "region_name": region}
    return _file("clouds.yaml", msgspec.yaml.encode({"clouds": {"cumulo": cloud}}).decode())


def _file(name: str, content: str) -> Reply:
    headers = {"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"}
    return Reply(content, headers=headers, content_type=TEXT)


def _form(visit: Visit) -> Form:
    scope = visit.scope
    roles = [{"id": name, "name": name} for name in scope.roles]
    fields = [
        Field(name="name", label="Name", required=True),
        Field(name="description", label="Description"),
        Field(name="expires", label="Expires (UTC)", hint="For example 2030-12-31 23:59."),
        Field(name="role", label="Roles", kind="choices", options=options_of(roles),
              value=sorted(scope.roles)),
        Field(name="unrestricted", label="It may make further credentials", kind="flag"),
    ]  # fmt: skip
    return Form(
        title="New application credential", action="/access/credentials", fields=fields,
        submit="Create", back="/access", section="/access",
    )  # fmt: skip


@pages.get("/access/credentials/new")
def new_credential(visit: Visit) -> Page:
    """Ask what a program may do in somebody's name."""
    return form_page(_form(visit))


@pages.post("/access/credentials")
def create_credential(visit: Visit) -> Page | Go:
    """Make an application credential, and show its secret this once."""
    given, made = visit.given, {}

    def act() -> Go:
        nonlocal made
        wish: dict[str, object] = {
            **given.some(name="name", description="description"),
            "roles": [{"name": name} for name in given.many("role")],
            "unrestricted": given.flag("unrestricted"),
        }
        if given.text("expires"):
            wish["expires_at"] = _moment(given.text("expires"))
        path = f"/users/{visit.scope.user_id}/application_credentials"
        body = {"application_credential": wish}
        made = visit.cloud.post("identity", path, body)["application_credential"]
        return Go("/access")

    shown = submitted(visit, _form(visit), act)
    if not made:
        return shown
    auth = {
        "auth_url": visit.cloud.auth_url,
        "application_credential_id": made["id"],
        "application_credential_secret": made["secret"],
    }
    cloud = {"auth_type": "v3applicationcredential", "auth": auth}
    secret = msgspec.yaml.encode({"clouds": {"cumulo": cloud}}).decode()
    return Page("secret.html", {
        "title": "The application credential", "secret": secret, "file": "clouds.yaml",
        "back": "/access", "section": "/access",
        "note": "Save it now: it is not kept here and cannot be shown again.",
    })  # fmt: skip


def _moment(words: str) -> str:
    try:
        moment = datetime.fromisoformat(words)
    except ValueError as error:
        raise Invalid(f"{words[:50]} is not a moment like 2030-12-31 23:59.") from error
    return f"{(moment.astimezone(UTC) if moment.tzinfo else moment):%Y-%m-%dT%H:%M:%S.000000}"


@pages.post("/access/credentials/actions")
def act_on_credentials(visit: Visit) -> Go:
    """Delete application credentials."""
    path = f"/users/{visit.scope.user_id}/application_credentials"

    def delete(one: str) -> None:
        visit.cloud.delete("identity", f"{path}/{part(one)}")

    return each(visit, {"delete": delete}, "/access", "Deleted: {count}.")

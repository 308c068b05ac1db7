"""/sign-in, /sign-out, /scopes, /look: who somebody is, where they work, how pages look."""

from typing import Any

from cumulo.kit.errors import CloudError
from cumulo.services.dashboard import sessions
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.cloud import Refusal, Scope, scope_of
from cumulo.services.dashboard.sessions import Look

pages = Pages()


@pages.get("/sign-in", to_all=True)
def show_sign_in(visit: Visit) -> Page | Go:
    """Ask who somebody is."""
    return _asking(visit, to=visit.asked("next"))


@pages.post("/sign-in", to_all=True)
def sign_in(visit: Visit) -> Page | Go:
    """Take a token with a password, and where it is asked for a passcode."""
    given = visit.given
    try:
        token, scope = _login(visit)
    except Refusal as refusal:
        receipt = refusal.headers.get("openstack-auth-receipt", "")
        return _asking(visit, to=given.text("next"), problem=refusal.message, receipt=receipt)
    except CloudError as error:
        return _asking(visit, to=given.text("next"), problem=error.message)
    visit.cloud.token = token
    if not (scope.project_id or scope.domain_id or scope.is_system):
        token = _first_scope(visit) or token
    return Go(sessions.local_path(given.text("next") or "/"), token=token)


def _asking(visit: Visit, *, to: str, problem: str = "", receipt: str = "") -> Page:
    values = {
        "next": sessions.local_path(to) if to else "",
        "name": visit.given.text("name"),
        "domain": visit.given.text("domain") or "Default",
        "problem": problem,
        "receipt": receipt,
    }
    return Page("sign_in.html", values, 401 if problem else 200)


def _login(visit: Visit) -> tuple[str, Scope]:
    given = visit.given
    user: dict[str, Any] = {"name": given.text("name"), "domain": {"name": given.text("domain")}}
    if given.text("receipt"):
        proof = {
            "methods": ["totp"],
            "totp": {"user": {**user, "passcode": given.text("passcode")}},
        }
    else:
        user["password"] = given.raw("password")
        proof = {"methods": ["password"], "password": {"user": user}}
    headers = {"Openstack-Auth-Receipt": given.text("receipt"), "X-Auth-Token": ""}
    return _token(visit, {"identity": proof}, headers)


def _token(visit: Visit, auth: dict[str, Any], headers: dict[str, str]) -> tuple[str, Scope]:
    told = visit.cloud.ask("POST", "identity", "/auth/tokens", {"auth": auth}, headers=headers)
    return told.headers["x-subject-token"], scope_of(told.json()["token"])


def _first_scope(visit: Visit) -> str | None:
    """Return a token for the first of the projects, or else domains, of a person."""
    for kind, name in (("projects", "project"), ("domains", "domain")):
        found = visit.cloud.get("identity", f"/auth/{kind}")[kind]
        for one in sorted(found, key=lambda each: str(each["name"])):
            if one["enabled"]:
                return _rescoped(visit, {name: {"id": one["id"]}})
    return None


def _rescoped(visit: Visit, scope: dict[str, Any]) -> str:
    proof = {"methods": ["token"], "token": {"id": visit.cloud.token}}
    return _token(visit, {"identity": proof, "scope": scope}, {"X-Auth-Token": ""})[0]


@pages.post("/sign-out")
def sign_out(visit: Visit) -> Go:
    """End the session: its token is good for nothing any more."""
    headers = {"X-Subject-Token": visit.token}
    visit.cloud.ask("DELETE", "identity", "/auth/tokens", headers=headers).read()
    return Go("/sign-in", token="", notice=visit.say("You have signed out."))


@pages.get("/scopes")
def list_scopes(visit: Visit) -> Page:
    """List where somebody may work: projects, domains, the whole cloud."""
    cloud = visit.cloud
    choices: list[tuple[str, str, Any]] = [
        ("Projects", "project", cloud.get("identity", "/auth/projects")["projects"]),
        ("Domains", "domain", cloud.get("identity", "/auth/domains")["domains"]),
    ]
    if cloud.get("identity", "/auth/system")["system"]:
        choices.append(("The whole cloud", "system", [{"id": "all", "name": "system"}]))
    return Page("scopes.html", {"choices": choices})


@pages.post("/scopes")
def choose_scope(visit: Visit) -> Go:
    """Work in another project, in a domain or on the cloud itself."""
    kind, chosen = visit.given.text("kind"), visit.given.text("id")
    scope: dict[str, Any] = {kind: {"id": chosen}} if kind != "system" else {kind: {"all": True}}
    return Go("/", token=_rescoped(visit, scope))


@pages.post("/look")
def change_look(visit: Visit) -> Go:
    """Remember the language, the colours and the region."""
    given = visit.given
    look = Look(given.text("language"), given.text("theme"), given.text("region"))
    return Go(sessions.local_path(given.text("back") or "/"), look=look)

"""/key-pairs: what people log in to servers with."""

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Code, Link, Text, When
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form
from cumulo.services.dashboard.lists import DELETE, Column, Listing

pages = Pages()
# The last version whose API makes keys itself.
_MAKES_KEYS = {"OpenStack-API-Version": "compute 2.91"}


LISTING = Listing(
    title="Key pairs",
    path="/key-pairs",
    service="compute",
    url="/os-keypairs",
    key="keypairs",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"/key-pairs/{part(one['name'])}"), "name"),
        Column("Type", lambda one: Text(one["type"])),
        Column("Fingerprint", lambda one: Code(one["fingerprint"])),
    ),
    is_paged=False,
    create=("New key pair", "/key-pairs/new"),
    bulk=(DELETE,),
    live=("keypair",),
    identifier="name",
    within="keypair",
)


@pages.get("/key-pairs")
def list_key_pairs(visit: Visit) -> Page:
    """List the key pairs of the user."""
    return list_page(visit, LISTING)


@pages.post("/key-pairs/actions")
def act_on_key_pairs(visit: Visit) -> Go:
    """Delete key pairs."""
    return delete_each(visit, "compute", "/os-keypairs", "/key-pairs")


_NEW = Form(
    title="New key pair",
    action="/key-pairs",
    fields=[
        Field(name="name", label="Name", required=True),
        Field(name="key", label="Public key", kind="long",
              hint="Empty: a pair is made, and its private key shown once."),
    ],
    submit="Create",
    back="/key-pairs",
    section="/key-pairs",
)  # fmt: skip


@pages.get("/key-pairs/new")
def new_key_pair(visit: Visit) -> Page:
    """Ask for a public key."""
    return form_page(_NEW)


@pages.post("/key-pairs")
def create_key_pair(visit: Visit) -> Page | Go:
    """Keep a public key, or make a pair and show its private key this once."""
    wish = {"name": visit.given.text("name"), "type": "ssh"}
    if visit.given.text("key"):
        wish["public_key"] = visit.given.text("key")
    secret = ""

    def act() -> Go:
        nonlocal secret
        told = visit.cloud.ask(
            "POST", "compute", "/os-keypairs", {"keypair": wish}, headers=_MAKES_KEYS
        )
        secret = told.json()["keypair"].get("private_key", "")
        return Go("/key-pairs", visit.say("The key pair is kept."))

    shown = submitted(visit, _NEW, act)
    if not secret:
        return shown
    return Page("secret.html", {
        "title": "The private key", "secret": secret, "file": f"{wish['name']}.pem",
        "back": "/key-pairs", "section": "/key-pairs",
        "note": "Save it now: it is not kept here and cannot be shown again.",
    })  # fmt: skip


@pages.get("/key-pairs/{name}")
def show_key_pair(visit: Visit, name: str) -> Page:
    """Show a key pair."""
    one = visit.cloud.get("compute", f"/os-keypairs/{part(name)}")["keypair"]
    detail = Detail(
        title=one["name"],
        id=one["fingerprint"],
        back=("Key pairs", "/key-pairs"),
        buttons=(DELETE,),
        groups=[
            Group(
                title="Key pair",
                facts=[("Type", Text(one["type"])), ("Created", When(one.get("created_at") or ""))],
            ),
            Group(title="Public key", text=one["public_key"]),
        ],
    )
    return detail_page(detail, "/key-pairs")


@pages.post("/key-pairs/{name}/actions")
def act_on_key_pair(visit: Visit, name: str) -> Go:
    """Delete a key pair."""
    return delete_one(visit, "compute", f"/os-keypairs/{part(name)}", "/key-pairs")

"""/server-groups: servers that are to be kept together or apart."""

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Code, Link, Text, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option
from cumulo.services.dashboard.lists import DELETE, Column, Listing

pages = Pages()
_POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
LISTING = Listing(
    title="Server groups",
    path="/server-groups",
    service="compute",
    url="/os-server-groups",
    key="server_groups",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"/server-groups/{one['id']}"), "name"),
        Column("Policy", lambda one: Text(one["policy"]), "policy"),
        Column("Members", lambda one: Text(str(len(one["members"])))),
        Column("ID", lambda one: Code(one["id"])),
    ),
    is_paged=False,
    create=("New server group", "/server-groups/new"),
    bulk=(DELETE,),
    live=("server_group",),
)
_NEW = Form(
    title="New server group",
    action="/server-groups",
    fields=[
        Field(name="name", label="Name", required=True),
        Field(name="policy", label="Policy", kind="choice", required=True,
              options=[Option(name, name) for name in _POLICIES]),
        Field(name="most", label="Most members on a host", kind="number", least=1,
              hint="For anti-affinity."),
    ],
    submit="Create",
    back="/server-groups",
    section="/server-groups",
)  # fmt: skip


@pages.get("/server-groups")
def list_server_groups(visit: Visit) -> Page:
    """List the server groups of the project."""
    return list_page(visit, LISTING)


@pages.post("/server-groups/actions")
def act_on_server_groups(visit: Visit) -> Go:
    """Delete server groups."""
    return delete_each(visit, "compute", "/os-server-groups", "/server-groups")


@pages.get("/server-groups/new")
def new_server_group(visit: Visit) -> Page:
    """Ask what server group to make."""
    return form_page(_NEW)


@pages.post("/server-groups")
def create_server_group(visit: Visit) -> Page | Go:
    """Make a server group."""

    def act() -> Go:
        wish: dict[str, object] = visit.given.some(name="name", policy="policy")
        most = visit.given.number("most")
        wish |= {"rules": {"max_server_per_host": most}} if most is not None else {}
        body = {"server_group": wish}
        made = visit.cloud.post("compute", "/os-server-groups", body)["server_group"]
        return Go(f"/server-groups/{made['id']}", visit.say("The server group is made."))

    return submitted(visit, _NEW, act)


@pages.get("/server-groups/{group_id}")
def show_server_group(visit: Visit, group_id: str) -> Page:
    """Show a server group with its members."""
    one = visit.cloud.get("compute", f"/os-server-groups/{part(group_id)}")["server_group"]
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Server groups", "/server-groups"),
        buttons=(DELETE,),
        groups=[
            Group(
                title="Server group",
                facts=[("Policy", Text(one["policy"])), ("Rules", text(one["rules"]))],
            ),
            Group(
                title="Members",
                columns=("Server",),
                rows=[[Link(member, f"/servers/{member}")] for member in one["members"]],
            ),
        ],
        live=("server_group", "server"),
    )
    return detail_page(detail, "/server-groups")


@pages.post("/server-groups/{group_id}/actions")
def act_on_server_group(visit: Visit, group_id: str) -> Go:
    """Delete a server group."""
    return delete_one(visit, "compute", f"/os-server-groups/{part(group_id)}", "/server-groups")

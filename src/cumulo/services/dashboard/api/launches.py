"""/servers/new: which servers to launch, and which hosts would take one."""

import base64
from typing import Any

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.placements import decided
from cumulo.services.dashboard.api.server_forms import flavors, images, networks
from cumulo.services.dashboard.api.showing import submitted
from cumulo.services.dashboard.cells import text
from cumulo.services.dashboard.cloud import Refusal
from cumulo.services.dashboard.details import Group
from cumulo.services.dashboard.forms import Field, Form, Option, options_of
from cumulo.services.dashboard.lists import Item

pages = Pages()


def _form(visit: Visit) -> Form:
    cloud = visit.cloud
    zones = cloud.get("compute", "/os-availability-zone")["availabilityZoneInfo"]
    open_zones = [zone for zone in zones if zone["zoneState"]["available"]]
    groups = cloud.get("compute", "/os-server-groups")["server_groups"]
    fields = [
        Field(name="name", label="Name", required=True, group="Server"),
        Field(name="count", label="How many", kind="number", value="1", least=1),
        Field(name="description", label="Description"),
        Field(name="image", label="Image", kind="choice", options=images(visit),
              group="Source and size", value=visit.asked("image")),
        Field(name="flavor", label="Flavor", kind="choice", options=flavors(visit), required=True),
        *_volume_fields(visit),
        *_network_fields(visit),
        Field(name="key", label="Key pair", kind="choice", options=_keys(visit)),
        Field(name="user_data", label="User data", kind="long", group="More",
              hint="Run by the guest when it first boots, for example a cloud-config."),
        Field(name="server_group", label="Server group", kind="choice", options=options_of(groups)),
        Field(name="zone", label="Zone", kind="choice", none="Any",
              options=options_of(open_zones, lambda zone: str(zone["zoneName"]), "zoneName")),
        Field(name="metadata", label="Metadata", kind="long", hint="One key=value a line."),
        Field(name="tags", label="Tags", kind="long", hint="One a line."),
        Field(name="config_drive", label="Give it a config drive", kind="flag"),
    ]  # fmt: skip
    return Form(
        title="Launch servers", action="/servers", fields=fields, submit="Launch",
        back="/servers", section="/servers",
    )  # fmt: skip


def _volume_fields(visit: Visit) -> list[Field]:
    if not visit.cloud.has("volume"):
        return []
    free = visit.cloud.get("volume", "/volumes/detail", status="available")["volumes"]
    snapshots = visit.cloud.get("volume", "/snapshots/detail", status="available")["snapshots"]
    bootable = [one for one in free if one["bootable"] in (True, "true")]
    return [
        Field(name="volume_size", label="Boot from a new volume of so many GiB", kind="number",
              least=1, hint="Empty: from a disk that goes with the server."),
        Field(name="volume", label="Or boot from this volume", kind="choice",
              options=options_of(bootable, _sized)),
        Field(name="snapshot", label="Or boot from a new volume of this snapshot", kind="choice",
              options=options_of(snapshots, _sized)),
        Field(name="keep_volume", label="Keep the volume when the server is deleted", kind="flag"),
        Field(name="further_volume", label="Further volumes", kind="choices",
              options=options_of(free, _sized)),
    ]  # fmt: skip


def _sized(item: Item) -> str:
    return f"{item['name'] or item['id']} ({item['size']} GiB)"


def _network_fields(visit: Visit) -> list[Field]:
    mine = {"project_id": visit.scope.project_id} if visit.scope.project_id else {}
    groups = options_of(visit.cloud.get("network", "/security-groups", **mine)["security_groups"])
    ports = visit.cloud.get("network", "/ports", device_id="", **mine)["ports"]
    available = networks(visit)
    only = [available[0].value] if len(available) == 1 and not ports else []
    return [
        Field(name="network", label="Networks", kind="choices", options=available, value=only,
              group="Networks and access"),
        Field(name="port", label="Ports", kind="choices", options=[_port(one) for one in ports]),
        Field(name="security_group", label="Security groups", kind="choices", options=groups,
              value=[group.value for group in groups if group.label == "default"]),
    ]  # fmt: skip


def _port(one: Item) -> Option:
    addresses = ", ".join(ip["ip_address"] for ip in one["fixed_ips"])
    return Option(one["id"], f"{one['name'] or one['id']} ({addresses or one['mac_address']})")


def _keys(visit: Visit) -> list[Option]:
    found = visit.cloud.get("compute", "/os-keypairs")["keypairs"]
    pairs = [one["keypair"] for one in found]
    return options_of(pairs, lambda pair: str(pair["name"]), "name")


def _page(form: Form, groups: list[Group], problem: str = "") -> Page:
    values = {"form": form, "section": form.section, "groups": groups, "problem": problem}
    return Page("launch.html", values)


@pages.get("/servers/new")
def new_server(visit: Visit) -> Page:
    """Ask what servers to launch."""
    return _page(_form(visit), [])


@pages.post("/servers/preview")
def preview_launch(visit: Visit) -> Page:
    """Say which hosts would take such a server now, and why others would not."""
    given, form = visit.given, _form(visit).again(visit.given, "")
    group = given.text("server_group")
    from_volume = given.text("volume") or given.text("snapshot") or given.text("volume_size")
    wish = {
        **given.some(flavorRef="flavor", availability_zone="zone"),
        **({} if from_volume else given.some(imageRef="image")),
        "scheduler_hints": {"group": group} if group else {},
    }
    try:
        found = visit.cloud.post("compute", "/explain/scheduling", {"server": wish})["preview"]
    except Refusal as refusal:
        if refusal.status == 401:
            raise
        return _page(form, [], refusal.message)
    room = ("Room for", text(found["room_for"]))
    return _page(form, [decided(found, title="Where it would go", facts=[room])])


@pages.post("/servers")
def launch_servers(visit: Visit) -> Page | Go:
    """Launch servers."""

    def act() -> Go:
        body = {"server": _spec(visit)}
        group = visit.given.text("server_group")
        hints = {"os:scheduler_hints": {"group": group}} if group else {}
        made = visit.cloud.post("compute", "/servers", {**body, **hints})["server"]
        told = visit.say("The server is being made.")
        count = visit.given.number("count") or 1
        return Go("/servers" if count > 1 else f"/servers/{made['id']}", told)

    return submitted(visit, _form(visit), act, "launch.html", groups=[], problem="")


def _spec(visit: Visit) -> dict[str, Any]:
    given = visit.given
    links = [{"uuid": one} for one in given.many("network")]
    links += [{"port": one} for one in given.many("port")]
    spec: dict[str, Any] = {
        **given.some(
            name="name", description="description", imageRef="image", flavorRef="flavor",
            key_name="key", availability_zone="zone",
        ),
        "min_count": given.number("count") or 1,
        "max_count": given.number("count") or 1,
        "networks": links or "auto",
        "metadata": given.pairs("metadata"),
        "tags": given.lines("tags"),
        "config_drive": given.flag("config_drive"),
    }  # fmt: skip
    if given.many("security_group"):
        spec["security_groups"] = [{"name": one} for one in given.many("security_group")]
    if given.raw("user_data").strip():
        spec["user_data"] = base64.b64encode(given.raw("user_data").encode()).decode()
    disks = _disks(visit)
    if disks:
        spec["block_device_mapping_v2"] = disks
        if disks[0]["destination_type"] == "volume":
            spec.pop("imageRef", None)
    return spec


def _disks(visit: Visit) -> list[dict[str, Any]]:
    """Return the disks, that to boot from first; none where the image is all there is."""
    given = visit.given
    further = [
        {"uuid": one, "source_type": "volume", "destination_type": "volume"}
        for one in given.many("further_volume")
    ]
    size = given.number("volume_size")
    first: dict[str, Any] = {
        "boot_index": 0,
        "delete_on_termination": not given.flag("keep_volume"),
    }
    if size is not None:
        first["volume_size"] = size
    for source in ("volume", "snapshot", "image"):
        if given.text(source):
            is_local = source == "image" and size is None
            first |= {"source_type": source, "uuid": given.text(source)}
            first["destination_type"] = "local" if is_local else "volume"
            if source == "volume":  # it was there before, and stays
                first["delete_on_termination"] = False
            return [first, *further] if further or not is_local else []
    return further

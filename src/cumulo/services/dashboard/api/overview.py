"""/: what a project uses of what it may."""

from datetime import timedelta
from typing import Any

from cumulo.kit import clock
from cumulo.services.dashboard import cells
from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.cells import Amount, Cell, Gauge, Link, When
from cumulo.services.dashboard.servers import addresses_of, status_of

pages = Pages()
_COMPUTE = (
    ("Servers", "totalInstancesUsed", "maxTotalInstances", ""),
    ("VCPUs", "totalCoresUsed", "maxTotalCores", ""),
    ("Memory", "totalRAMUsed", "maxTotalRAMSize", "MiB"),
    ("Server groups", "totalServerGroupsUsed", "maxServerGroups", ""),
)
_NETWORK = (
    ("Networks", "network"),
    ("Subnets", "subnet"),
    ("Ports", "port"),
    ("Routers", "router"),
    ("Floating IPs", "floatingip"),
    ("Security groups", "security_group"),
    ("Security group rules", "security_group_rule"),
)
_VOLUME = (
    ("Volumes", "totalVolumesUsed", "maxTotalVolumes", ""),
    ("Volume storage", "totalGigabytesUsed", "maxTotalVolumeGigabytes", "GiB"),
    ("Snapshots", "totalSnapshotsUsed", "maxTotalSnapshots", ""),
    ("Backups", "totalBackupsUsed", "maxTotalBackups", ""),
)
_USAGE_DAYS = 30


@pages.get("/")
def show_overview(visit: Visit) -> Page:
    """Show quotas with what is used, and the newest servers."""
    scope, cloud = visit.scope, visit.cloud
    quotas: list[tuple[str, list[tuple[str, Gauge]]]] = []
    usages: list[tuple[str, list[tuple[str, Cell]]]] = []
    servers: list[list[Cell]] | None = None
    if scope.project_id and cloud.has("compute"):
        quotas.append(("Compute", _limits(cloud.get("compute", "/limits"), _COMPUTE)))
        usages.append(("Use of the last 30 days", _usage(visit)))
        servers = _newest(visit)
    if scope.project_id and cloud.has("network"):
        quotas.append(("Network", _network(visit, scope.project_id)))
    if scope.project_id and cloud.has("volume"):
        quotas.append(("Volumes", _limits(cloud.get("volume", "/limits"), _VOLUME)))
    values = {"quotas": quotas, "usages": usages, "servers": servers, "section": "/"}
    return Page("overview.html", values)


def _limits(body: Any, names: tuple[tuple[str, str, str, str], ...]) -> list[tuple[str, Gauge]]:
    found = body["limits"]["absolute"]
    return [
        (label, cells.gauge(found.get(used, 0), found[most], unit))
        for label, used, most, unit in names
        if most in found
    ]


def _network(visit: Visit, project_id: str) -> list[tuple[str, Gauge]]:
    found = visit.cloud.get("network", f"/quotas/{project_id}/details.json")["quota"]
    return [
        (label, Gauge(found[name]["used"], found[name]["limit"]))
        for label, name in _NETWORK
        if name in found
    ]


def _usage(visit: Visit) -> list[tuple[str, Cell]]:
    end = clock.now()
    start = end - timedelta(days=_USAGE_DAYS)
    span = {"start": f"{start:%Y-%m-%dT%H:%M:%S}", "end": f"{end:%Y-%m-%dT%H:%M:%S}"}
    path = f"/os-simple-tenant-usage/{visit.scope.project_id}"
    found = visit.cloud.get("compute", path, **span).get("tenant_usage") or {}
    return [
        ("VCPU hours", Amount(found.get("total_vcpus_usage", 0))),
        ("GiB hours of memory", Amount(_gib_hours(found))),
        ("GiB hours of disk", Amount(found.get("total_local_gb_usage", 0))),
    ]


def _gib_hours(found: Any) -> float:
    return float(found.get("total_memory_mb_usage", 0)) / 1024


def _newest(visit: Visit) -> list[list[Cell]]:
    query = {"limit": "5", "sort_key": "created_at", "sort_dir": "desc"}
    found = visit.cloud.get("compute", "/servers/detail", **query)["servers"]
    return [
        [
            Link(one["name"], f"/servers/{one['id']}"),
            status_of(one),
            addresses_of(one),
            When(one["created"]),
        ]
        for one in found
    ]

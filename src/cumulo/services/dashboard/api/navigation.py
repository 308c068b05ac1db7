"""The way to every page: what there is of it depends on the catalog and on the roles."""

from dataclasses import dataclass

from cumulo.services.dashboard.cloud import Cloud, Scope


@dataclass(frozen=True, slots=True)
class Place:
    """A page that the navigation leads to."""

    title: str
    path: str
    service: str = ""  # without which there is no such page


@dataclass(frozen=True, slots=True)
class Part:
    """Places that belong together."""

    title: str
    places: tuple[Place, ...]


_PROJECT = (
    Part("", (Place("Overview", "/"), Place("Events", "/events"))),
    Part(
        "Compute",
        (
            Place("Servers", "/servers", "compute"),
            Place("Images", "/images", "image"),
            Place("Key pairs", "/key-pairs", "compute"),
            Place("Server groups", "/server-groups", "compute"),
        ),
    ),
)
_REST: tuple[Part, ...] = (
    Part(
        "Network",
        (
            Place("Topology", "/topology", "network"),
            Place("Networks", "/networks", "network"),
            Place("Routers", "/routers", "network"),
            Place("Floating IPs", "/floating-ips", "network"),
            Place("Security groups", "/security-groups", "network"),
            Place("Ports", "/ports", "network"),
            Place("Way of a packet", "/path", "network"),
        ),
    ),
    Part(
        "Storage",
        (
            Place("Volumes", "/volumes", "volume"),
            Place("Snapshots", "/snapshots", "volume"),
            Place("Backups", "/backups", "volume"),
            Place("Containers", "/containers", "object-store"),
        ),
    ),
    Part("Programs", (Place("API access", "/access"),)),
)
_ADMIN: tuple[Part, ...] = (
    Part(
        "Cloud",
        (
            Place("All servers", "/admin/servers", "compute"),
            Place("All networks", "/admin/networks", "network"),
            Place("All routers", "/admin/routers", "network"),
            Place("All floating IPs", "/admin/floating-ips", "network"),
            Place("All volumes", "/admin/volumes", "volume"),
            Place("All images", "/admin/images", "image"),
            Place("Hypervisors", "/admin/hypervisors", "compute"),
            Place("Services", "/admin/services", "compute"),
            Place("Network agents", "/admin/agents", "network"),
            Place("Aggregates", "/admin/aggregates", "compute"),
            Place("Flavors", "/admin/flavors", "compute"),
        ),
    ),
    Part(
        "People",
        (
            Place("Projects", "/admin/projects"),
            Place("Users", "/admin/users"),
            Place("Groups", "/admin/groups"),
            Place("Roles", "/admin/roles"),
            Place("Domains", "/admin/domains"),
        ),
    ),
)


def navigation(cloud: Cloud, scope: Scope) -> list[Part]:
    """Return what somebody may go to."""
    parts = [*_PROJECT, *_REST, *(_ADMIN if scope.is_admin else ())]
    found = []
    for part in parts:
        there = [place for place in part.places if not place.service or cloud.has(place.service)]
        if there:
            found.append(Part(part.title, tuple(there)))
    return found

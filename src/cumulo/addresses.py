"""Where clients find each API of a cloud."""

from cumulo.settings import Settings


def auth_url(settings: Settings) -> str:
    """Return where clients log in."""
    http = settings.http
    return f"http://{http.public_host or http.host}:{http.identity_port}/v3"


def catalog(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Return type, name, address and description of every service."""
    http = settings.http
    base = f"http://{http.public_host or http.host}"
    volumes = f"{base}:{http.volume_port}/v3/$(project_id)s"
    return [
        ("identity", "keystone", f"{base}:{http.identity_port}/v3", "OpenStack Identity"),
        ("image", "glance", f"{base}:{http.image_port}", "OpenStack Image"),
        ("compute", "nova", f"{base}:{http.compute_port}/v2.1", "OpenStack Compute"),
        ("network", "neutron", f"{base}:{http.network_port}", "OpenStack Networking"),
        ("placement", "placement", f"{base}:{http.placement_port}", "OpenStack Placement"),
        (
            "object-store",
            "swift",
            f"{base}:{http.objectstore_port}/v1/AUTH_$(project_id)s",
            "OpenStack Object Storage",
        ),
        # Clients look for the first name; DevStack's catalog has the second beside it.
        ("block-storage", "cinder", volumes, "OpenStack Block Storage"),
        ("volumev3", "cinderv3", volumes, "OpenStack Block Storage"),
    ]


def ports(settings: Settings) -> list[tuple[str, int]]:
    """Return the name and port of every API."""
    http = settings.http
    return [
        ("identity", http.identity_port),
        ("image", http.image_port),
        ("compute", http.compute_port),
        ("metadata", http.metadata_port),
        ("network", http.network_port),
        ("placement", http.placement_port),
        ("objectstore", http.objectstore_port),
        ("dashboard", http.dashboard_port),
        ("metrics", http.metrics_port),
        ("volume", http.volume_port),
    ]

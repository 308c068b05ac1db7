"""/clusters and /workers: several services of one back end, of which there are none here.

Work that a dead process left is taken up by another by itself, so that there is nothing to clean
up by hand, and nothing that a cluster would add.
"""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import NotFound
from cumulo.services.volume.api.fields import Name, Uuid
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_AT = "/v3/clusters"


class ClustersBody(msgspec.Struct):
    """Clusters."""

    clusters: list[dict[str, Any]]


class ClusterChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which cluster, and why it is disabled."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    binary: Name | None = None
    disabled_reason: Name | None = None


class Cleanup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose left work is to be cleaned up."""

    cluster_name: Name | None = None
    service_id: Annotated[int, Meta(ge=0)] | str | None = None
    host: Name | None = None
    binary: Name | None = None
    is_up: LooseBool | None = None
    disabled: LooseBool | None = None
    resource_id: Uuid | None = None
    resource_type: Name | None = None


class CleanupBody(msgspec.Struct):
    """The services that clean up, and those that should but do not live."""

    cleaning: list[dict[str, Any]]
    unavailable: list[dict[str, Any]]


@routes.get(_AT, policy="clusters:get_all", since="3.7")
def list_clusters(call: Call) -> ClustersBody:
    """List clusters: there are none."""
    return ClustersBody([])


@routes.get(f"{_AT}/detail", policy="clusters:get_all", since="3.7")
def list_clusters_with_details(call: Call) -> ClustersBody:
    """List clusters with their details: there are none."""
    return ClustersBody([])


@routes.put(f"{_AT}/enable", policy="clusters:update", since="3.7")
def enable_cluster(call: Call, body: ClusterChange) -> None:
    """Let volumes be put into a cluster's back end again: there is no such cluster."""
    raise _no_cluster(body.name)


@routes.put(f"{_AT}/disable", policy="clusters:update", since="3.7")
def disable_cluster(call: Call, body: ClusterChange) -> None:
    """Let no volumes be put into a cluster's back end any more: there is no such cluster."""
    raise _no_cluster(body.name)


@routes.get(f"{_AT}/{{cluster_name}}", policy="clusters:get", since="3.7")
def show_cluster(call: Call, cluster_name: str) -> None:
    """Show a cluster: there is no such cluster."""
    raise _no_cluster(cluster_name)


@routes.post("/v3/workers/cleanup", policy="workers:cleanup", status=202, since="3.24")
def clean_up(call: Call, body: Cleanup) -> CleanupBody:
    """Clean up what a service that died left: nothing, its work is carried on already."""
    return CleanupBody(cleaning=[], unavailable=[])


def _no_cluster(name: str) -> NotFound:
    return NotFound(f"Cluster {name} could not be found.", cluster=name)

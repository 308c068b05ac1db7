"""The Block Storage API v3 as clients see it, one file a noun."""

from collections.abc import Sequence

from cumulo.kit import errors
from cumulo.services.volume.api import (
    attachments,
    availability_zones,
    backups,
    clusters,
    default_types,
    extensions,
    group_snapshots,
    group_types,
    groups,
    hosts,
    limits,
    log_levels,
    manageable,
    messages,
    pools,
    qos_specs,
    quota_sets,
    resource_filters,
    services,
    snapshot_metadata,
    snapshots,
    transfers,
    type_encryption,
    type_extra_specs,
    types,
    versions,
    volume_actions,
    volume_metadata,
    volume_moves,
    volumes,
)
from cumulo.web import Operation
from cumulo.web import errors as web
from cumulo.web.faults import NAMED, Family

FAMILY = Family(NAMED.spell, {errors.OverQuota: 413, web.NotAcceptable: 406})

OPERATIONS: Sequence[Operation] = [
    operation
    for module in (
        versions,
        extensions,
        limits,
        quota_sets,
        services,
        clusters,
        log_levels,
        hosts,
        pools,
        availability_zones,
        resource_filters,
        types,
        type_extra_specs,
        type_encryption,
        default_types,
        qos_specs,
        volumes,
        volume_metadata,
        volume_actions,
        volume_moves,
        manageable,
        attachments,
        snapshots,
        snapshot_metadata,
        backups,
        transfers,
        group_types,
        groups,
        group_snapshots,
        messages,
    )
    for operation in module.routes.operations
]

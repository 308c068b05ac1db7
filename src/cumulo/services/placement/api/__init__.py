"""The Placement API."""

from cumulo.services.placement.api import (
    aggregates,
    allocation_candidates,
    allocations,
    inventories,
    reshaper,
    resource_classes,
    resource_providers,
    root,
    traits,
    usages,
)
from cumulo.services.placement.api.faults import FAMILY as FAMILY

OPERATIONS = [
    operation
    for module in (
        root,
        resource_providers,
        inventories,
        aggregates,
        traits,
        usages,
        allocations,
        resource_classes,
        allocation_candidates,
        reshaper,
    )
    for operation in module.routes.operations
]

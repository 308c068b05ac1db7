"""One operation."""

from cumulo.services.metrics.api import metrics

OPERATIONS = metrics.routes.operations

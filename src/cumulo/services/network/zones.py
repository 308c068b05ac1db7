"""Availability zones: where a network's or router's parts may run."""

from collections.abc import Sequence

from cumulo.kit.errors import NotFound
from cumulo.services.network.settings import NetworkSettings


def check(settings: NetworkSettings, hints: Sequence[str]) -> None:
    """Refuse hints at zones that are not."""
    for hint in hints:
        if hint != settings.default_availability_zone:
            raise NotFound(
                f"AvailabilityZone {hint} could not be found.", type="AvailabilityZoneNotFound"
            )

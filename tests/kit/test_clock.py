"""Times as services spell them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cumulo.kit import clock


@pytest.mark.parametrize("microsecond", [0, 1, 120, 999_999])
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2)), timezone(timedelta(0))])
def test_times_are_spelled_in_utc(microsecond: int, zone: timezone) -> None:
    moment = datetime(2026, 1, 2, 1, 4, 5, microsecond, zone)
    same = moment.astimezone(UTC)
    assert clock.iso_z(moment) == same.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert clock.iso_bare(moment) == same.strftime("%Y-%m-%dT%H:%M:%S.%f")
    assert clock.iso_micro_z(moment) == same.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

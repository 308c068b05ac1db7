"""/os-instance_usage_audit_log: whether hosts have told of their servers' use in each period.

Hosts here are not asked to: usage is read from the servers themselves.  The log is therefore as it
is in a cloud that keeps none.
"""

from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Invalid
from cumulo.services.compute import services
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_ALL = "/v2.1/os-instance_usage_audit_log"
_RULE = "os_compute_api:os-instance-usage-audit-log"
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")


class HostLog(msgspec.Struct):
    """How one host's audit went."""

    state: str
    instances: int
    errors: int
    message: str


class AuditLog(msgspec.Struct, kw_only=True):
    """How the audits of one period, a month, went."""

    period_beginning: str
    period_ending: str
    num_hosts: int
    num_hosts_done: int = 0
    num_hosts_running: int = 0
    num_hosts_not_run: int
    hosts_not_run: list[str]
    total_instances: int = 0
    total_errors: int = 0
    overall_status: str
    log: dict[str, HostLog] = {}


class LogBody(msgspec.Struct):
    """The log of one period."""

    instance_usage_audit_log: AuditLog


class LogsBody(msgspec.Struct):
    """The log of the last period."""

    instance_usage_audit_logs: AuditLog


@routes.get(_ALL, policy=f"{_RULE}:list")
def list_usage_audit_logs(call: Call) -> LogsBody:
    """Show how the usage audits of the last month went on each host."""
    return LogsBody(_log(call, clock.now()))


@routes.get(f"{_ALL}/{{before_timestamp}}", policy=f"{_RULE}:show")
def show_usage_audit_log(call: Call, before_timestamp: str) -> LogBody:
    """Show how the usage audits of the month before a time went on each host."""
    return LogBody(_log(call, _parsed(before_timestamp)))


def _parsed(text: str) -> datetime:
    for format_ in _FORMATS:
        try:
            return datetime.strptime(text, format_).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Invalid(f"Invalid timestamp for date {text}", field="before_timestamp")


def _log(call: Call, before: datetime) -> AuditLog:
    end = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = end.replace(year=end.year - (end.month == 1), month=(end.month - 2) % 12 + 1)
    hosts = call.db.read(services.compute_hosts)
    return AuditLog(
        period_beginning=f"{begin:%Y-%m-%d %H:%M:%S}",
        period_ending=f"{end:%Y-%m-%d %H:%M:%S}",
        num_hosts=len(hosts),
        num_hosts_not_run=len(hosts),
        hosts_not_run=hosts,
        overall_status=f"0 of {len(hosts)} hosts done. 0 errors.",
    )

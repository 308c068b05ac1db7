"""What OVN's own tracer says of a packet."""

import ipaddress
import subprocess

from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import BackendError, Flow
from cumulo.services.network.drivers.ovn.names import switch_name

_TIMEOUT_S = 10
_CONNTRACKS = 16  # how often a packet may ask whether its connection is known
_LONGEST = 64 * 1024


def trace(south: str, flow: Flow) -> str:
    """Run `ovn-trace` on a new connection's first packet."""
    command = ["ovn-trace", f"--db={south}", "--summary", *(["--ct=new"] * _CONNTRACKS)]
    try:
        done = subprocess.run(
            [*command, switch_name(flow.network_id), microflow(flow)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"ovn-trace took longer than {_TIMEOUT_S} s.") from error
    except FileNotFoundError as error:
        raise BackendError("There is no ovn-trace on this host.") from error
    if done.returncode:
        raise BackendError(f"ovn-trace: {done.stderr.strip()[-300:]}")
    return done.stdout[:_LONGEST]


def microflow(flow: Flow) -> str:
    """Return a packet in OVN's words."""
    version = ipaddress.ip_address(flow.destination_ip).version
    parts = [
        f'inport == "{flow.port_id}"',
        f"eth.src == {flow.source_mac}",
        f"eth.dst == {flow.destination_mac}",
        f"ip{version}.src == {flow.source_ip}",
        f"ip{version}.dst == {flow.destination_ip}",
        "ip.ttl == 64",
        *_protocol(flow, version),
    ]
    return " && ".join(parts)


def _protocol(flow: Flow, version: int) -> list[str]:
    if flow.protocol == "icmp":
        kind = 8 if version == 4 else 128
        return [f"icmp{version}.type == {kind}", f"icmp{version}.code == 0"]
    if flow.protocol.isdigit():
        return [f"ip.proto == {flow.protocol}"]
    ports = {"src": flow.source_port, "dst": flow.destination_port}
    named = [f"{flow.protocol}.{side} == {port}" for side, port in ports.items() if port]
    return named or [flow.protocol]

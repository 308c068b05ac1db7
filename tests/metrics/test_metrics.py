"""What Prometheus reads."""

import json
import re
from pathlib import Path

from tests.cloud import Emulated

GRAFANA = Path(__file__).parents[2] / "docs" / "grafana.json"


def told(cloud: Emulated) -> dict[str, float]:
    answer = cloud.client("metrics", token=None).get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_hosts_guests_and_projects(emulated: Emulated) -> None:
    before = told(emulated)
    flavors = emulated.client("compute").get("/v2.1/flavors").json()["flavors"]
    spec = {"name": "one", "imageRef": "", "flavorRef": flavors[0]["id"], "networks": "none"}
    emulated.client("compute", version="compute 2.90").post("/v2.1/servers", {"server": spec})
    network = {"network": {"name": "n"}}
    assert emulated.client("network").post("/v2.0/networks", network).status == 201
    emulated.work()
    after = told(emulated)
    key = 'cumulo_request_seconds_count{api="network",operation="create_network",status="201"}'
    assert after[key] == before.get(key, 0) + 1
    assert after['cumulo_host_up{host="node1"}'] == 1
    assert after['cumulo_host_total{host="node1",resource="vcpus"}'] > 0
    name = 'cumulo_project_used{project="p1",resource="network",service="network"}'
    assert after[name] == 1
    assert after["cumulo_events_total"] > before["cumulo_events_total"]


def test_labels_are_names_of_ours(emulated: Emulated) -> None:
    """Whoever sends nonsense must not make more figures than there are operations."""
    client = emulated.client("compute")
    client.get("/v2.1/" + "x" * 50)
    client.request("BREW", "/v2.1/servers")
    names = set(re.findall(r'operation="([^"]*)"', "\n".join(told(emulated))))
    assert not [name for name in names if name and not name.isidentifier()]


def test_the_dashboard_of_grafana_asks_for_what_there_is(emulated: Emulated) -> None:
    known = {name.partition("{")[0] for name in told(emulated)}
    known |= {"cumulo_servers", "cumulo_runs", "cumulo_project_used"}
    asked = set(re.findall(r"cumulo_\w+", json.dumps(json.loads(GRAFANA.read_text())["panels"])))
    assert asked
    assert asked <= known, asked - known

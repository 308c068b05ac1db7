"""Which versions there are, and how a client chooses one."""

import pytest

from cumulo.services.compute.versions import HISTORY
from tests.client import Client


def test_anyone_may_ask_for_the_versions(cloud: Client) -> None:
    stranger = cloud.as_(None)
    old, version = stranger.get("/").json()["versions"]
    assert (old["id"], old["status"], old["version"]) == ("v2.0", "DEPRECATED", "")
    assert old["links"] == [{"rel": "self", "href": "http://cloud/v2/"}]
    assert version == {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.104",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": "http://cloud/v2.1/"}],
    }


@pytest.mark.parametrize("path", ["/v2.1", "/v2.1/"])
def test_a_version_describes_itself(cloud: Client, path: str) -> None:
    version = cloud.as_(None).get(path).json()["version"]
    assert (version["version"], version["min_version"]) == ("2.104", "2.1")
    assert version["links"][0] == {"rel": "self", "href": "http://cloud/v2.1/"}
    assert version["links"][1]["rel"] == "describedby"
    assert version["media-types"][0]["type"] == "application/vnd.openstack.compute+json;version=2.1"


def test_the_version_before_is_this_one_without_microversions(cloud: Client) -> None:
    version = cloud.as_(None).get("/v2/").json()["version"]
    assert (version["id"], version["version"]) == ("v2.0", "")
    assert version["links"][0] == {"rel": "self", "href": "http://cloud/v2/"}
    answer = cloud.at("compute 2.61").get("/v2/flavors/1")
    assert "extra_specs" not in answer.json()["flavor"]
    assert answer.json()["flavor"]["links"][0]["href"] == "http://cloud/v2/flavors/1"
    assert cloud.as_(None).get("/v2/flavors").status == 401


def test_a_version_is_shown_by_its_id(cloud: Client) -> None:
    for version in ("v2.0", "v2.1"):
        shown = cloud.get(f"/v2.1/versions/{version}").json()["version"]
        assert shown["id"] == version
    assert cloud.get("/v2.1/versions/v3").status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "os-agents"),
        ("POST", "os-cells"),
        ("DELETE", "os-cells/x"),
        ("GET", "os-fping/x"),
        ("POST", "os-fixed-ips/192.0.2.1/action"),
        ("GET", "os-virtual-interfaces"),
    ],
)
def test_what_was_removed_says_so(cloud: Client, method: str, path: str) -> None:
    place = {"os-virtual-interfaces": "servers/x/os-virtual-interfaces"}.get(path, path)
    answer = cloud.request(method, f"/v2.1/{place}")
    assert (answer.status, answer.json()["computeFault"]["code"]) == (410, 410)
    assert cloud.as_(None).request(method, f"/v2.1/{place}").status == 401


@pytest.mark.parametrize("path", ["os-networks", "os-floating-ips", "os-volumes", "images"])
def test_what_belongs_to_other_services_is_not_here_any_more(cloud: Client, path: str) -> None:
    assert cloud.at("compute 2.36").get(f"/v2.1/{path}").status == 404


@pytest.mark.parametrize(
    "headers",
    [{"OpenStack-API-Version": "compute 2.61"}, {"X-OpenStack-Nova-API-Version": "2.61"}],
)
def test_a_version_is_chosen_in_either_way_and_told_in_both(
    cloud: Client, headers: dict[str, str]
) -> None:
    answer = cloud.get("/v2.1/flavors/1", headers=headers)
    assert "extra_specs" in answer.json()["flavor"]
    assert answer.headers["openstack-api-version"] == "compute 2.61"
    assert answer.headers["x-openstack-nova-api-version"] == "2.61"
    assert "X-OpenStack-Nova-API-Version" in answer.headers["vary"]


def test_another_services_version_means_nothing_here(cloud: Client) -> None:
    answer = cloud.at("volume 3.9").get("/v2.1/flavors/1")
    assert answer.headers["openstack-api-version"] == "compute 2.1"


@pytest.mark.parametrize(("version", "status"), [("2.0", 406), ("2.105", 406), ("two", 400)])
def test_a_version_that_never_was_is_refused(cloud: Client, version: str, status: int) -> None:
    answer = cloud.at(f"compute {version}").get("/v2.1/flavors")
    assert answer.status == status
    key = {406: "computeFault", 400: "badRequest"}[status]
    assert answer.json()[key]["code"] == status


def test_the_history_has_no_gaps() -> None:
    found = [str(version) for version, _ in HISTORY.entries]
    assert found == [f"2.{minor}" for minor in range(1, 105)]
    assert all(sentence.endswith(".") for _, sentence in HISTORY.entries)


def test_extensions_are_still_told(cloud: Client) -> None:
    aliases = {one["alias"] for one in cloud.get("/v2.1/extensions").json()["extensions"]}
    assert {"os-keypairs", "os-server-groups", "OS-FLV-EXT-DATA"} <= aliases
    one = cloud.get("/v2.1/extensions/os-keypairs").json()["extension"]
    assert (one["name"], one["links"]) == ("Keypairs", [])
    assert cloud.get("/v2.1/extensions/os-nothing").status == 404
    assert cloud.as_(None).get("/v2.1/extensions").status == 401

"""Which versions there are, and how a client chooses one."""

import pytest

from cumulo.services.compute.versions import HISTORY
from tests.client import Client


def test_anyone_may_ask_for_the_versions(cloud: Client) -> None:
    stranger = cloud.as_(None)
    (version,) = stranger.get("/").json()["versions"]
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


def test_the_version_before_is_not_there(cloud: Client) -> None:
    assert cloud.get("/v2").status == 404
    assert cloud.get("/v2.1/versions/v2.0").status == 404
    assert cloud.get("/v2.1/versions/v2.1").status == 200


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

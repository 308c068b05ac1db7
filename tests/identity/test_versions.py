from tests.client import Client
from tests.identity.conftest import Cloud


def test_anyone_finds_the_version(cloud: Cloud) -> None:
    stranger = Client(cloud.edge, None)
    answer = stranger.get("/")
    assert answer.status == 300
    assert answer.headers["location"] == "http://cloud/v3/"
    (version,) = answer.json()["versions"]["values"]
    assert version["id"] == "v3.14"
    assert version["status"] == "stable"
    assert version["links"] == [{"rel": "self", "href": "http://cloud/v3/"}]
    assert stranger.get("/v3").status == 200
    assert stranger.get("/v3/").json() == {"version": version}


def test_what_is_not_built_is_not_there(cloud: Cloud) -> None:
    assert Client(cloud.edge, None).get("/v3/OS-FEDERATION/mappings").status == 404
    assert cloud.login().get("/v3/OS-FEDERATION/identity_providers").status == 404


def test_answers_depend_on_the_token(cloud: Cloud) -> None:
    assert cloud.login().get("/v3/users").headers["vary"] == "X-Auth-Token"

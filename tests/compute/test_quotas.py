"""What projects, and users within them, may have."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cumulo.db import Database
from cumulo.kit.errors import OverQuota
from cumulo.services.compute import quotas
from tests.client import Client

Q = "/v2.1/os-quota-sets"
C = "/v2.1/os-quota-class-sets"
NETWORK = {"floating_ips", "fixed_ips", "security_groups", "security_group_rules"}
FILES = {"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
REST = {
    "instances",
    "cores",
    "ram",
    "metadata_items",
    "key_pairs",
    "server_groups",
    "server_group_members",
}


def limit(api: Client, resource: str, query: str = "") -> object:
    return api.get(f"{Q}/p1{query}").json()["quota_set"][resource]


def test_a_project_has_what_openstack_gives_it(cloud: Client) -> None:
    assert cloud.get(f"{Q}/p1").json() == {
        "quota_set": {
            "id": "p1",
            "instances": 10,
            "cores": 20,
            "ram": 51200,
            "floating_ips": -1,
            "fixed_ips": -1,
            "metadata_items": 128,
            "injected_files": 5,
            "injected_file_content_bytes": 10240,
            "injected_file_path_bytes": 255,
            "security_groups": -1,
            "security_group_rules": -1,
            "key_pairs": 100,
            "server_groups": 10,
            "server_group_members": 10,
        }
    }


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("2.35", NETWORK | FILES | REST),
        ("2.36", FILES | REST),
        ("2.56", FILES | REST),
        ("2.57", REST),
        ("latest", REST),
    ],
)
def test_resources_go_with_versions(admin: Client, version: str, fields: set[str]) -> None:
    api = admin.at(f"compute {version}")
    for path in ("", "/detail", "/defaults"):
        assert set(api.get(f"{Q}/p1{path}").json()["quota_set"]) == fields | {"id"}
    for resource in NETWORK | FILES | REST:
        answer = api.put(f"{Q}/p1", {"quota_set": {resource: 7}})
        assert answer.status == (200 if resource in fields else 400)
        assert resource not in fields or answer.json()["quota_set"][resource] == 7


def test_an_update_changes_what_it_names_and_a_delete_all(admin: Client, cloud: Client) -> None:
    answer = admin.put(f"{Q}/p1", {"quota_set": {"cores": "3", "ram": -1}})
    assert "id" not in answer.json()["quota_set"]
    assert (limit(cloud, "cores"), limit(cloud, "ram"), limit(cloud, "instances")) == (3, -1, 10)
    assert cloud.get(f"{Q}/p1/defaults").json()["quota_set"]["cores"] == 20
    assert admin.delete(f"{Q}/p1").status == 202
    assert (limit(cloud, "cores"), limit(cloud, "ram")) == (20, 51200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cores": -2},
        {"cores": "x"},
        {"cores": 2**31},
        {"cores": None},
        {"colour": 1},
        {"force": "y?"},
    ],
)
def test_wrong_limits_are_refused(admin: Client, wrong: dict[str, object]) -> None:
    answer = admin.put(f"{Q}/p1", {"quota_set": wrong})
    assert answer.status == 400
    assert next(iter(wrong)) in answer.json()["badRequest"]["message"]


def test_use_is_shown_and_limits_it(cloud: Client, db: Database) -> None:
    db.write(quotas.claim, "p1", "ann", {"instances": 1, "cores": 19, "ram": 512})
    detail = cloud.get(f"{Q}/p1/detail").json()["quota_set"]
    assert detail["cores"] == {"limit": 20, "in_use": 19, "reserved": 0}
    assert detail["instances"]["in_use"] == 1
    assert detail["key_pairs"] == {"limit": 100, "in_use": 0, "reserved": 0}
    with pytest.raises(OverQuota, match="Requested 2, but already used 19 of 20 cores"):
        db.write(quotas.claim, "p1", "ann", {"instances": 1, "cores": 2})
    # What was claimed before the refusal is given back with it.
    assert cloud.get(f"{Q}/p1/detail").json()["quota_set"]["instances"]["in_use"] == 1
    db.write(quotas.release, "p1", "ann", {"instances": 1, "cores": 19, "ram": 512})
    assert cloud.get(f"{Q}/p1/detail").json()["quota_set"]["cores"]["in_use"] == 0


def test_a_limit_below_use_must_be_forced(admin: Client, db: Database) -> None:
    db.write(quotas.claim, "p1", "ann", {"cores": 5})
    refused = admin.put(f"{Q}/p1", {"quota_set": {"cores": 4, "ram": 1}})
    assert refused.status == 400
    assert refused.json()["badRequest"]["message"] == (
        "Quota limit 4 for cores must be greater than or equal to already used and reserved 5."
    )
    assert limit(admin, "ram") == 51200
    forced = admin.put(f"{Q}/p1", {"quota_set": {"cores": 4, "force": "True"}})
    assert (forced.status, limit(admin, "cores")) == (200, 4)
    assert admin.put(f"{Q}/p1", {"quota_set": {"cores": -1}}).status == 200


def test_a_user_has_a_share_of_the_project(admin: Client, db: Database) -> None:
    share = f"{Q}/p1?user_id=ann"
    assert admin.put(share, {"quota_set": {"cores": 21}}).status == 400
    assert admin.put(share, {"quota_set": {"cores": 8}}).json()["quota_set"]["cores"] == 8
    assert limit(admin, "cores", "?user_id=ann") == 8
    assert limit(admin, "cores", "?user_id=bob") == 20
    assert limit(admin, "cores") == 20
    # What is left of the project is all that others may get, and it must not fall below.
    assert admin.put(f"{Q}/p1?user_id=bob", {"quota_set": {"cores": 13}}).status == 400
    assert admin.put(f"{Q}/p1?user_id=bob", {"quota_set": {"cores": 12}}).status == 200
    assert admin.put(f"{Q}/p1", {"quota_set": {"cores": 19}}).status == 400

    db.write(quotas.claim, "p1", "ann", {"cores": 8})
    with pytest.raises(OverQuota):
        db.write(quotas.claim, "p1", "ann", {"cores": 1})
    db.write(quotas.claim, "p1", "eve", {"cores": 12})
    detail = admin.get(f"{Q}/p1/detail?user_id=ann").json()["quota_set"]["cores"]
    assert detail == {"limit": 8, "in_use": 8, "reserved": 0}

    assert admin.delete(share).status == 202
    assert limit(admin, "cores", "?user_id=ann") == 20
    assert limit(admin, "cores", "?user_id=bob") == 12
    assert admin.delete(f"{Q}/p1").status == 202
    assert limit(admin, "cores", "?user_id=bob") == 20


def test_others_quotas_are_not_shown_nor_changed(cloud: Client) -> None:
    for path in (f"{Q}/p2", f"{Q}/p2/detail"):
        assert cloud.get(path).status == 403
    assert cloud.put(f"{Q}/p1", {"quota_set": {"cores": 1}}).status == 403
    assert cloud.delete(f"{Q}/p1").status == 403
    assert cloud.get(f"{C}/default").status == 403
    assert cloud.put(f"{C}/default", {"quota_class_set": {"cores": 1}}).status == 403


def test_only_projects_that_exist_have_quotas(admin: Client) -> None:
    message = "Project ID nobody is not a valid project."
    for answer in (
        admin.get(f"{Q}/nobody"),
        admin.get(f"{Q}/nobody/detail"),
        admin.get(f"{Q}/nobody/defaults"),
        admin.put(f"{Q}/nobody", {"quota_set": {"cores": 1}}),
    ):
        assert (answer.status, answer.json()["badRequest"]["message"]) == (400, message)


def test_the_default_class_holds_for_all_without_limits(admin: Client, cloud: Client) -> None:
    before = admin.get(f"{C}/default").json()["quota_class_set"]
    assert (before["id"], before["cores"]) == ("default", 20)
    answer = admin.put(f"{C}/default", {"quota_class_set": {"cores": 5}})
    assert answer.json()["quota_class_set"]["cores"] == 5
    assert "id" not in answer.json()["quota_class_set"]
    assert limit(cloud, "cores") == 5
    assert cloud.get(f"{Q}/p1/defaults").json()["quota_set"]["cores"] == 5
    admin.put(f"{C}/gold", {"quota_class_set": {"ram": 7}})
    gold = admin.get(f"{C}/gold").json()["quota_class_set"]
    assert (gold["id"], gold["ram"], gold["cores"]) == ("gold", 7, 5)
    assert limit(cloud, "ram") == 51200
    assert admin.put(f"{C}/{'x' * 256}", {"quota_class_set": {}}).status == 400


@pytest.mark.parametrize(
    ("version", "present", "absent"),
    [
        ("2.49", NETWORK | FILES, {"server_groups"}),
        ("2.50", FILES | {"server_groups"}, NETWORK),
        ("2.57", {"server_groups", "server_group_members"}, NETWORK | FILES),
    ],
)
def test_classes_change_with_versions(
    admin: Client, version: str, present: set[str], absent: set[str]
) -> None:
    shown = set(admin.at(f"compute {version}").get(f"{C}/default").json()["quota_class_set"])
    assert present <= shown
    assert not absent & shown


def test_limits_tell_limits_and_use(cloud: Client, admin: Client, db: Database) -> None:
    db.write(quotas.claim, "p1", "ann", {"instances": 2, "cores": 3, "ram": 4})
    assert cloud.get("/v2.1/limits").json() == {
        "limits": {
            "rate": [],
            "absolute": {
                "maxTotalInstances": 10,
                "maxTotalCores": 20,
                "maxTotalRAMSize": 51200,
                "maxTotalKeypairs": 100,
                "maxServerMeta": 128,
                "maxImageMeta": 128,
                "maxPersonality": 5,
                "maxPersonalitySize": 10240,
                "maxTotalFloatingIps": -1,
                "maxSecurityGroups": -1,
                "maxSecurityGroupRules": -1,
                "maxServerGroups": 10,
                "maxServerGroupMembers": 10,
                "totalRAMUsed": 4,
                "totalCoresUsed": 3,
                "totalInstancesUsed": 2,
                "totalFloatingIpsUsed": 0,
                "totalSecurityGroupsUsed": 0,
                "totalServerGroupsUsed": 0,
            },
        }
    }
    other = admin.get("/v2.1/limits?tenant_id=p1").json()["limits"]["absolute"]
    assert other["totalCoresUsed"] == 3
    assert cloud.get("/v2.1/limits?tenant_id=p2").status == 403


@pytest.mark.parametrize(
    ("version", "gone"),
    [
        ("2.36", {"maxTotalFloatingIps", "totalSecurityGroupsUsed", "maxSecurityGroups"}),
        ("2.39", {"maxImageMeta"}),
        ("2.57", {"maxPersonality", "maxPersonalitySize"}),
    ],
)
def test_limits_go_with_versions(cloud: Client, version: str, gone: set[str]) -> None:
    minor = int(version.partition(".")[2])
    before = cloud.at(f"compute 2.{minor - 1}").get("/v2.1/limits").json()["limits"]["absolute"]
    after = cloud.at(f"compute {version}").get("/v2.1/limits").json()["limits"]["absolute"]
    assert gone <= set(before)
    assert not gone & set(after)


def test_unknown_parameters_are_refused_from_2_75_on(admin: Client) -> None:
    for path in (f"{Q}/p1", f"{Q}/p1/detail", "/v2.1/limits"):
        assert admin.at("compute 2.74").get(f"{path}?colour=red").status == 200
        assert admin.at("compute 2.75").get(f"{path}?colour=red").status == 400


def test_creates_in_parallel_stop_at_the_limit(cloud: Client, db: Database) -> None:
    def create(number: int) -> int:
        body = {"server_group": {"name": f"g{number}", "policies": ["affinity"]}}
        return cloud.post("/v2.1/os-server-groups", body).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(16)))
    assert statuses == [200] * 10 + [403] * 6
    assert db.read(quotas.usages, "p1")["server_groups"].in_use == 10

"""Flavors, as users find them and administrators make them."""

from typing import Any

import pytest

from cumulo.auth.context import system
from cumulo.db import Database
from cumulo.services.compute import public
from cumulo.work import events
from tests.client import Client

F = "/v2.1/flavors"
SPEC = {"name": "big", "id": "b1", "ram": 4096, "vcpus": 2, "disk": 10}


def names(api: Client, query: str = "") -> list[str]:
    return [one["name"] for one in api.get(f"{F}{query}").json()["flavors"]]


def made(admin: Client, **spec: Any) -> Any:
    answer = admin.post(F, {"flavor": SPEC | spec})
    assert answer.status == 200, answer.text
    return answer.json()["flavor"]


def test_flavors_are_shown(cloud: Client) -> None:
    usual = ["m1.nano", "m1.tiny", "m1.small", "m1.medium", "m1.large", "m1.xlarge"]
    assert names(cloud) == usual
    tiny = cloud.get(f"{F}/1").json()["flavor"]
    assert tiny == {
        "id": "1",
        "name": "m1.tiny",
        "ram": 512,
        "disk": 1,
        "swap": "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "vcpus": 1,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": [
            {"rel": "self", "href": "http://cloud/v2.1/flavors/1"},
            {"rel": "bookmark", "href": "http://cloud/flavors/1"},
        ],
    }


def test_the_first_flavor_is_made_once(cloud: Client, admin: Client, db: Database) -> None:
    admin.delete(f"{F}/0")
    db.write(public.add_first_flavor, system())
    assert "m1.nano" not in names(cloud)


def test_a_list_shows_name_and_links_only(cloud: Client) -> None:
    first = cloud.get(F).json()["flavors"][0]
    assert set(first) == {"id", "name", "links"}
    first = cloud.at("compute 2.55").get(F).json()["flavors"][0]
    assert set(first) == {"id", "name", "links", "description"}
    assert cloud.get(f"{F}/detail").json()["flavors"][1]["ram"] == 512


def test_a_project_in_the_path_is_in_the_links(cloud: Client) -> None:
    project = "0123456789abcdef0123456789abcdef"
    mine = cloud.as_(f"ann:{project}:member")
    links = mine.get(f"/v2.1/{project}/flavors/1").json()["flavor"]["links"]
    assert links[0]["href"] == f"http://cloud/v2.1/{project}/flavors/1"
    assert links[1]["href"] == f"http://cloud/{project}/flavors/1"


def test_pages_follow_each_other(cloud: Client) -> None:
    page = cloud.get(f"{F}?limit=4&minRam=512").json()
    assert [one["id"] for one in page["flavors"]] == ["1", "2", "3", "4"]
    (link,) = page["flavors_links"]
    assert link == {"rel": "next", "href": f"http://cloud{F}?limit=4&minRam=512&marker=4"}
    rest = cloud.get(link["href"].removeprefix("http://cloud")).json()
    assert [one["id"] for one in rest["flavors"]] == ["5"]
    assert "flavors_links" not in rest
    assert cloud.get(f"{F}?marker=nothing").status == 400
    assert names(cloud, "?limit=0") == []


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("?sort_key=memory_mb&sort_dir=desc", "m1.xlarge"),
        ("?sort_key=name", "m1.large"),
        ("?sort_key=name&sort_dir=desc&marker=5", "m1.tiny"),
        ("?sort_key=description&marker=0", "m1.tiny"),
        ("?sort_key=updated_at", "m1.nano"),
        ("?sort_key=disabled&sort_dir=desc", "m1.xlarge"),
        ("?sort_key=vcpus&marker=2", "m1.medium"),
        ("?minDisk=40", "m1.medium"),
    ],
)
def test_order_and_filters(cloud: Client, query: str, first: str) -> None:
    assert names(cloud, query)[0] == first


@pytest.mark.parametrize(
    "query",
    ["minDisk=x", "minRam=", "limit=-1", "limit=x", "sort_key=colour", "sort_dir=up"],
)
def test_filters_must_make_sense(cloud: Client, query: str) -> None:
    answer = cloud.get(f"{F}?{query}")
    assert answer.status == 400
    assert "badRequest" in answer.json()


def test_unknown_parameters_are_refused_from_2_75_on(cloud: Client) -> None:
    assert cloud.at("compute 2.74").get(f"{F}?colour=red").status == 200
    assert cloud.at("compute 2.75").get(f"{F}?colour=red").status == 400
    assert cloud.at("compute 2.101").get(f"{F}/1?colour=red").status == 200
    assert cloud.at("compute 2.102").get(f"{F}/1?colour=red").status == 400


def test_2_102_filters_by_name(cloud: Client) -> None:
    new = cloud.at("compute 2.102")
    assert names(new, "?name=l$") == ["m1.small"]
    assert names(new, "?name=m1.(tiny|nano)") == ["m1.nano", "m1.tiny"]
    assert cloud.at("compute 2.101").get(f"{F}?name=tiny").status == 400
    assert len(names(cloud.at("compute 2.74"), "?name=tiny")) == 6


@pytest.mark.parametrize(
    "name", ["(a%2B)%2B$", "(ab|ab)*c", "(", "(.)%5C1", "(a*)*", "[", "a" * 256]
)
def test_a_name_that_would_search_for_ever_is_refused(cloud: Client, name: str) -> None:
    assert cloud.at("compute 2.102").get(f"{F}?name={name}").status == 400


def test_an_administrator_makes_a_flavor(admin: Client, cloud: Client, db: Database) -> None:
    flavor = made(admin, swap=512, rxtx_factor="2.5", **{"OS-FLV-EXT-DATA:ephemeral": 3})
    assert (flavor["id"], flavor["swap"], flavor["rxtx_factor"]) == ("b1", 512, 2.5)
    assert cloud.get(f"{F}/b1").json()["flavor"] == flavor
    event = db.read(events.events_since)[-1]
    assert (event.resource, event.resource_id, event.action) == ("flavor", "b1", "create")


def test_sizes_may_be_text_and_the_id_a_number_or_nothing(admin: Client) -> None:
    assert made(admin, ram="64", id=77)["id"] == "77"
    assert len(made(admin, name="other", id=None)["id"]) == 36


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " a"},
        {"name": "a "},
        {"name": "a\u0007b"},
        {"name": "a" * 256},
        {"id": ""},
        {"id": " a"},
        {"id": "a/b"},
        {"id": "a\n"},
        {"name": "a\n"},
        {"ram": 0},
        {"ram": -1},
        {"ram": "x"},
        {"ram": 2**31},
        {"vcpus": 0},
        {"disk": -1},
        {"swap": -1},
        {"rxtx_factor": 0},
        {"rxtx_factor": "x"},
        {"os-flavor-access:is_public": "perhaps"},
        {"colour": "red"},
        {"description": "too early"},
    ],
)
def test_a_wrong_flavor_is_refused_by_name(admin: Client, wrong: dict[str, object]) -> None:
    answer = admin.post(F, {"flavor": SPEC | wrong})
    assert answer.status == 400
    assert next(iter(wrong)) in answer.json()["badRequest"]["message"]
    assert "b1" not in admin.get(f"{F}?is_public=none").text


@pytest.mark.parametrize("missing", ["name", "ram", "vcpus", "disk"])
def test_a_flavor_lacks_nothing(admin: Client, missing: str) -> None:
    spec = {key: value for key, value in SPEC.items() if key != missing}
    assert admin.post(F, {"flavor": spec}).status == 400


def test_names_and_ids_are_given_once(admin: Client) -> None:
    made(admin)
    again = admin.post(F, {"flavor": SPEC | {"id": "b2"}})
    assert again.status == 409
    assert again.json()["conflictingRequest"] == {
        "code": 409,
        "message": "Flavor with name big already exists.",
    }
    again = admin.post(F, {"flavor": SPEC | {"name": "bigger"}})
    assert again.json()["conflictingRequest"]["message"] == "Flavor with ID b1 already exists."


def test_a_deleted_flavor_is_gone_with_all_its_parts(admin: Client) -> None:
    made(admin)
    admin.post(f"{F}/b1/os-extra_specs", {"extra_specs": {"a": "b"}})
    assert admin.delete(f"{F}/b1").status == 202
    missing = admin.get(f"{F}/b1")
    assert missing.json() == {
        "itemNotFound": {"code": 404, "message": "Flavor b1 could not be found."}
    }
    assert admin.delete(f"{F}/b1").status == 404
    assert made(admin)["id"] == "b1"
    assert admin.get(f"{F}/b1/os-extra_specs").json() == {"extra_specs": {}}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", F, {"flavor": SPEC}),
        ("DELETE", f"{F}/1", None),
        ("PUT", f"{F}/1", {"flavor": {"description": "x"}}),
        ("POST", f"{F}/1/action", {"addTenantAccess": {"tenant": "p1"}}),
        ("POST", f"{F}/1/action", {"removeTenantAccess": {"tenant": "p1"}}),
        ("GET", f"{F}/1/os-flavor-access", None),
        ("POST", f"{F}/1/os-extra_specs", {"extra_specs": {"a": "b"}}),
        ("PUT", f"{F}/1/os-extra_specs/a", {"a": "b"}),
        ("DELETE", f"{F}/1/os-extra_specs/a", None),
    ],
)
def test_only_administrators_change_flavors(
    cloud: Client, method: str, path: str, body: object
) -> None:
    refused = cloud.at("compute 2.55").request(method, path, body)
    assert refused.status == 403
    assert "Policy doesn't allow" in refused.json()["forbidden"]["message"]


def test_descriptions_came_with_2_55(admin: Client) -> None:
    change = {"flavor": {"description": "for tests"}}
    assert admin.at("compute 2.54").put(f"{F}/1", change).status == 404
    new = admin.at("compute 2.55")
    assert new.put(f"{F}/1", change).json()["flavor"]["description"] == "for tests"
    assert new.put(f"{F}/1", {"flavor": {"name": "other"}}).status == 400
    assert new.put(f"{F}/1", {"flavor": {}}).status == 400
    assert new.put(f"{F}/nothing", change).status == 404
    assert new.post(F, {"flavor": SPEC | {"description": "y"}}).json()["flavor"]["description"]
    assert "description" not in admin.get(f"{F}/1").json()["flavor"]
    assert new.put(f"{F}/1", {"flavor": {"description": None}}).status == 200


@pytest.mark.parametrize(
    ("version", "present", "absent"),
    [
        ("2.54", {"rxtx_factor"}, {"description", "extra_specs"}),
        ("2.55", {"description", "rxtx_factor"}, {"extra_specs"}),
        ("2.60", {"description"}, {"extra_specs"}),
        ("2.61", {"extra_specs"}, set()),
        ("2.101", {"rxtx_factor", "OS-FLV-DISABLED:disabled"}, set()),
        ("2.102", {"extra_specs"}, {"rxtx_factor", "OS-FLV-DISABLED:disabled"}),
        ("latest", {"extra_specs"}, {"rxtx_factor"}),
    ],
)
def test_fields_come_and_go(
    cloud: Client, version: str, present: set[str], absent: set[str]
) -> None:
    api = cloud.at(f"compute {version}")
    for fields in (
        set(api.get(f"{F}/1").json()["flavor"]),
        set(api.get(f"{F}/detail").json()["flavors"][0]),
    ):
        assert present <= fields
        assert not absent & fields


def test_no_swap_is_a_number_from_2_75_on(cloud: Client) -> None:
    assert cloud.at("compute 2.74").get(f"{F}/1").json()["flavor"]["swap"] == ""
    assert cloud.at("compute 2.75").get(f"{F}/1").json()["flavor"]["swap"] == 0


def test_2_102_takes_no_rxtx_factor(admin: Client) -> None:
    wanted = {"flavor": SPEC | {"rxtx_factor": 1.0}}
    assert admin.at("compute 2.102").post(F, wanted).status == 400
    assert admin.at("compute 2.101").post(F, wanted).status == 200


def test_a_private_flavor_is_for_those_let_in(admin: Client, cloud: Client) -> None:
    made(admin, **{"os-flavor-access:is_public": False})
    assert cloud.get(f"{F}/b1").status == 404
    assert "big" not in names(cloud)
    assert names(admin, "?is_public=false") == ["big"]
    assert "big" not in names(admin)
    assert {"big", "m1.tiny"} <= set(names(admin, "?is_public=None"))
    assert admin.get(f"{F}?is_public=perhaps").status == 400
    # Only administrators may ask for others.
    assert "big" not in names(cloud, "?is_public=None")

    entry = {"flavor_access": [{"flavor_id": "b1", "tenant_id": "p1"}]}
    let_in = admin.post(f"{F}/b1/action", {"addTenantAccess": {"tenant": "p1"}})
    assert (let_in.status, let_in.json()) == (200, entry)
    assert admin.get(f"{F}/b1/os-flavor-access").json() == entry
    assert cloud.get(f"{F}/b1").json()["flavor"]["os-flavor-access:is_public"] is False
    assert "big" in names(cloud)
    again = admin.post(f"{F}/b1/action", {"addTenantAccess": {"tenant": "p1"}})
    assert again.status == 409

    out = admin.post(f"{F}/b1/action", {"removeTenantAccess": {"tenant": "p1"}})
    assert (out.status, out.json()) == (200, {"flavor_access": []})
    assert cloud.get(f"{F}/b1").status == 404
    gone = admin.post(f"{F}/b1/action", {"removeTenantAccess": {"tenant": "p1"}})
    assert gone.status == 404


def test_access_is_given_to_projects_that_exist(admin: Client) -> None:
    made(admin, **{"os-flavor-access:is_public": False})
    answer = admin.post(f"{F}/b1/action", {"addTenantAccess": {"tenant": "nobody"}})
    assert answer.status == 400
    message = "Project ID nobody is not a valid project."
    assert answer.json()["badRequest"]["message"] == message
    assert admin.post(f"{F}/b1/action", {"addTenantAccess": {}}).status == 400


def test_access_to_a_public_flavor_is_refused_from_2_7_on(admin: Client) -> None:
    give = {"addTenantAccess": {"tenant": "p1"}}
    assert admin.at("compute 2.6").post(f"{F}/1/action", give).status == 200
    assert admin.at("compute 2.7").post(f"{F}/1/action", give).status == 409
    assert admin.get(f"{F}/1/os-flavor-access").status == 404
    assert admin.get(f"{F}/nothing/os-flavor-access").status == 404


def test_extra_specs_are_kept_with_the_flavor(admin: Client, cloud: Client) -> None:
    specs = f"{F}/1/os-extra_specs"
    sent = {"extra_specs": {"hw:cpu_policy": "shared", "weight": 3}}
    answer = admin.post(specs, sent)
    assert (answer.status, answer.json()) == (200, sent)
    stored = {"hw:cpu_policy": "shared", "weight": "3"}
    assert cloud.get(specs).json() == {"extra_specs": stored}
    assert cloud.get(f"{specs}/weight").json() == {"weight": "3"}
    assert admin.put(f"{specs}/weight", {"weight": "4"}).json() == {"weight": "4"}
    assert cloud.at("compute 2.61").get(f"{F}/1").json()["flavor"]["extra_specs"] == {
        **stored,
        "weight": "4",
    }
    assert admin.delete(f"{specs}/weight").status == 200
    assert cloud.get(f"{specs}/weight").status == 404
    assert admin.delete(f"{specs}/weight").status == 404


@pytest.mark.parametrize(
    "specs",
    [{"": "x"}, {"a/b": "x"}, {"a": "x" * 256}, {"a": None}, {"a": ["x"]}, {"a": 10**300}, "x"],
)
def test_extra_specs_must_be_short_texts(admin: Client, specs: object) -> None:
    assert admin.post(f"{F}/1/os-extra_specs", {"extra_specs": specs}).status == 400


def test_one_extra_spec_is_changed_at_a_time(admin: Client) -> None:
    spec = f"{F}/1/os-extra_specs/a"
    assert admin.put(spec, {"b": "c"}).status == 400
    assert admin.put(spec, {"a": "b", "c": "d"}).status == 400
    assert admin.put(spec, {}).status == 400
    assert admin.put(f"{F}/nothing/os-extra_specs/a", {"a": "b"}).status == 404


@pytest.mark.parametrize(
    ("name", "value", "is_known"),
    [
        ("hw:cpu_policy", "dedicated", True),
        ("hw:cpu_policy", "sometimes", False),
        ("hw:cpu_polcy", "shared", False),
        ("hw:numa_nodes", "0", False),
        ("hw:numa_cpus.1", "1,^2,4-6", True),
        ("hw:cpu_dedicated_mask", "^1-1-1-" * 30, False),
        ("hw:mem_page_size", "2MB", True),
        ("hw:boot_menu", "maybe", False),
        ("quota:cpu_quota", "x", False),
        ("quota:vif_inbound_peak", "10", True),
        ("resources:VCPU", "1", True),
        ("resources1:CUSTOM_GOLD", "1", True),
        ("resources:GOLD", "1", False),
        ("trait:HW_CPU_X86_AVX", "required", True),
        ("trait_a:HW_CPU_X86_AVX", "wanted", False),
        ("my:own", "whatever", True),
        ("anything", "goes", True),
    ],
)
def test_2_86_knows_what_extra_specs_mean(
    admin: Client, name: str, value: str, is_known: bool
) -> None:
    specs = {"extra_specs": {name: value}}
    assert admin.at("compute 2.85").post(f"{F}/1/os-extra_specs", specs).status == 200
    answer = admin.at("compute 2.86").post(f"{F}/1/os-extra_specs", specs)
    assert answer.status == (200 if is_known else 400)

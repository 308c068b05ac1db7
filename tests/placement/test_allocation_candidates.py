"""In which ways a request can be granted: by single hosts, by trees, with what is shared."""

import pytest

from cumulo.kit.ids import new_id
from tests.placement.cloud import Cloud

AGGREGATE = "a3e3b5a1-9f0b-4c55-9c0e-0d6a7c5f4a10"


@pytest.fixture
def hosts(cloud: Cloud) -> Cloud:
    """Two hosts and no tree."""
    cloud.provider("big", VCPU=8, MEMORY_MB=4096, traits=("HW_CPU_X86_AVX", "CUSTOM_GOLD"))
    cloud.provider("small", VCPU=2, MEMORY_MB=1024, traits=("HW_CPU_X86_AVX",))
    return cloud


@pytest.fixture
def tree(cloud: Cloud) -> Cloud:
    """A host whose processors lie in two nodes, with a disk that it shares with another host."""
    cloud.provider("host", MEMORY_MB=4096, aggregates=(AGGREGATE,))
    cloud.provider("left", parent="host", VCPU=4, traits=("HW_NUMA_ROOT",))
    cloud.provider("right", parent="host", VCPU=4, traits=("HW_NUMA_ROOT", "CUSTOM_FAST"))
    cloud.provider("card", parent="right", VGPU=2)
    cloud.provider("plain", VCPU=4, MEMORY_MB=4096, aggregates=(AGGREGATE,))
    cloud.provider(
        "nas", DISK_GB=100, aggregates=(AGGREGATE,), traits=("MISC_SHARES_VIA_AGGREGATE",)
    )
    return cloud


def test_every_host_with_room_is_a_candidate(hosts: Cloud) -> None:
    assert hosts.hosts("resources=VCPU:1,MEMORY_MB:512") == ["big", "small"]
    assert hosts.hosts("resources=VCPU:4") == ["big"]
    assert hosts.hosts("resources=VCPU:9") == []
    assert hosts.hosts("resources=VCPU:1&required=CUSTOM_GOLD") == ["big"]
    assert hosts.hosts("resources=VCPU:1&required=!CUSTOM_GOLD") == ["small"]
    assert hosts.hosts("resources=VCPU:1&required=in:CUSTOM_GOLD,HW_CPU_X86_AVX") == [
        "big",
        "small",
    ]
    assert hosts.hosts(f"resources=VCPU:1&in_tree={hosts.ids['small']}") == ["small"]
    assert len(hosts.hosts("resources=VCPU:1&limit=1")) == 1


def test_the_figures_come_along(hosts: Cloud) -> None:
    hosts.allocate(new_id(), small={"VCPU": 1})
    query = "/allocation_candidates?resources=VCPU:1"
    found = hosts.client.get(query).json()
    small = hosts.ids["small"]
    assert found["provider_summaries"][small] == {
        "resources": {
            "VCPU": {"capacity": 2, "used": 1},
            "MEMORY_MB": {"capacity": 1024, "used": 0},
        },
        "traits": ["HW_CPU_X86_AVX"],
        "parent_provider_uuid": None,
        "root_provider_uuid": small,
    }
    assert {"allocations": {small: {"resources": {"VCPU": 1}}}, "mappings": {"": [small]}} in (
        found["allocation_requests"]
    )
    older = hosts.at("1.26").get(query).json()["provider_summaries"][small]
    assert older == {
        "resources": {"VCPU": {"capacity": 2, "used": 1}},
        "traits": ["HW_CPU_X86_AVX"],
    }
    oldest = hosts.at("1.10").get(query).json()
    listed = {"resource_provider": {"uuid": small}, "resources": {"VCPU": 1}}
    assert {"allocations": [listed]} in oldest["allocation_requests"]
    assert hosts.at("1.9").get(query).status == 404


def test_a_candidate_can_be_claimed_as_it_is(hosts: Cloud) -> None:
    found = hosts.client.get("/allocation_candidates?resources=VCPU:2,MEMORY_MB:64").json()
    body = {**hosts.wish(), **found["allocation_requests"][0]}
    assert hosts.client.put(f"/allocations/{new_id()}", body).status == 204


def test_a_tree_gives_each_class_from_any_of_its_providers(tree: Cloud) -> None:
    assert tree.hosts("resources=VCPU:1,MEMORY_MB:1") == ["host+left", "host+right", "plain"]
    assert tree.hosts("resources=VCPU:1,MEMORY_MB:1&required=CUSTOM_FAST") == ["host+right"]
    assert tree.hosts("resources=VCPU:1,MEMORY_MB:1&required=!CUSTOM_FAST") == [
        "host+left",
        "plain",
    ]
    assert tree.hosts("resources=VCPU:5") == []
    old = tree.at("1.28").get("/allocation_candidates?resources=VCPU:1,MEMORY_MB:1").json()
    assert len(old["allocation_requests"]) == 1


def test_what_is_shared_serves_every_tree_in_its_aggregate(tree: Cloud) -> None:
    ways = tree.hosts("resources=VCPU:1,DISK_GB:10")
    assert ways == ["left+nas", "nas+plain", "nas+right"]
    query = f"resources=VCPU:1,DISK_GB:10&member_of={AGGREGATE}"
    assert tree.hosts(query) == ["left+nas", "nas+plain", "nas+right"]
    assert tree.hosts(f"resources=VCPU:1,DISK_GB:10&member_of=!{AGGREGATE}") == []
    assert tree.hosts("resources=DISK_GB:10") == ["nas"]
    assert tree.hosts("resources=DISK_GB:101") == []
    in_tree = tree.ids["host"]
    assert tree.hosts(f"resources=VCPU:1,DISK_GB:10&in_tree={in_tree}") == []


def test_a_group_with_a_name_has_one_provider(tree: Cloud) -> None:
    assert tree.hosts("resources_A=VCPU:1,MEMORY_MB:1") == ["plain"]
    both = "resources_A=VCPU:4&resources_B=VCPU:4"
    assert tree.hosts(f"{both}&group_policy=none") == ["left+right", "left+right"]
    small = "resources_A=VCPU:1&resources_B=VCPU:1"
    assert {"left": {"VCPU": 2}} in tree.ways(f"{small}&group_policy=none")
    assert tree.hosts(f"{small}&group_policy=isolate") == ["left+right", "left+right"]
    mixed = "resources=MEMORY_MB:1&resources_GPU=VGPU:1&resources_CPU=VCPU:1&group_policy=none"
    assert tree.hosts(mixed) == ["card+host+left", "card+host+right"]
    near = f"{mixed}&same_subtree=_GPU,_CPU"
    assert tree.hosts(near) == ["card+host+right"]
    rooted = f"{small}&group_policy=none&required_A=CUSTOM_FAST"
    assert tree.hosts(rooted) == ["left+right", "right"]
    assert tree.hosts("resources=VCPU:1&root_required=HW_NUMA_ROOT") == []


def test_a_group_may_want_only_to_be_near(tree: Cloud) -> None:
    query = (
        "resources_GPU=VGPU:1&required_NODE=HW_NUMA_ROOT&same_subtree=_GPU,_NODE&group_policy=none"
    )
    found = tree.client.get(f"/allocation_candidates?{query}").json()["allocation_requests"]
    assert [way["mappings"] for way in found] == [
        {"_GPU": [tree.ids["card"]], "_NODE": [tree.ids["right"]]}
    ]


def test_groups_together_must_fit(tree: Cloud) -> None:
    query = "resources=VCPU:3&resources_A=VCPU:2&group_policy=none"
    assert tree.hosts(query) == ["left+right", "left+right"]


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("1.39", ""),
        ("1.39", "resources="),
        ("1.39", "resources=VCPU:1&color=red"),
        ("1.39", "resources=CUSTOM_NONE:1"),
        ("1.39", "resources=VCPU:1&required=CUSTOM_NONE"),
        ("1.39", "resources=VCPU:1&required=HW_NUMA_ROOT,!HW_NUMA_ROOT"),
        ("1.39", "resources=VCPU:1&limit=0"),
        ("1.39", "resources=VCPU:1&limit=x"),
        ("1.39", "resources=VCPU:1&group_policy=maybe"),
        ("1.39", "resources=VCPU:1&in_tree=x"),
        ("1.39", "resources_A=VCPU:1&resources_B=VCPU:1"),
        ("1.39", "resources_A=VCPU:1&required_B=HW_NUMA_ROOT&group_policy=none"),
        ("1.39", "resources_A=VCPU:1&same_subtree=_A,_B"),
        ("1.39", "resources_A=VCPU:1&same_subtree=,"),
        ("1.39", "resources=VCPU:1&root_required=HW_NUMA_ROOT&root_required=HW_NUMA_ROOT"),
        ("1.39", "resources=VCPU:1&root_required=HW_NUMA_ROOT,!HW_NUMA_ROOT"),
        ("1.35", "resources=VCPU:1&required1=HW_NUMA_ROOT"),
        ("1.35", f"resources=VCPU:1&member_of1={AGGREGATE}"),
        ("1.32", "resources_A=VCPU:1"),
        ("1.24", "resources1=VCPU:1"),
        ("1.20", f"resources=VCPU:1&member_of={AGGREGATE}"),
        ("1.16", "resources=VCPU:1&required=HW_NUMA_ROOT"),
        ("1.15", "resources=VCPU:1&limit=1"),
    ],
)
def test_a_wrong_question_is_refused(cloud: Cloud, version: str, query: str) -> None:
    assert cloud.at(version).get(f"/allocation_candidates?{query}").status == 400


def test_a_wide_tree_does_not_take_for_ever(cloud: Cloud) -> None:
    cloud.provider("root")
    for number in range(12):
        cloud.provider(f"n{number}", parent="root", VCPU=100)
    groups = "&".join(f"resources_{n}=VCPU:{n + 1}" for n in range(10))
    query = f"/allocation_candidates?{groups}&group_policy=none&limit=5"
    assert len(cloud.client.get(query).json()["allocation_requests"]) == 5

"""Ports: their addresses, who may choose what, and what they may send."""

from typing import Any

import pytest

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import ADMIN, NOWHERE, OTHER, PROJECT, Net, error_of


def addresses(port: Any) -> list[str]:
    return [ip["ip_address"] for ip in port["fixed_ips"]]


def test_a_port_gets_a_mac_an_address_and_the_default_group(net: Net) -> None:
    network, subnet = net.network()
    port = net.make("port", network_id=network["id"], name="p")
    assert port["mac_address"].startswith("fa:16:3e:")
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.3"}]
    assert (port["status"], port["admin_state_up"], port["device_id"]) == ("DOWN", True, "")
    assert (port["port_security_enabled"], port["binding:vnic_type"]) == (True, "normal")
    (default,) = net.list("security_group", "?name=default")
    assert port["security_groups"] == [default["id"]]
    assert not {"binding:host_id", "binding:profile", "binding:vif_type"} & port.keys()
    seen = net.admin.show("port", port["id"])
    assert (seen["binding:host_id"], seen["binding:vif_type"]) == ("", "unbound")


def test_addresses_are_given_once(net: Net) -> None:
    network, subnet = net.network("10.0.0.0/29")
    ports = [net.make("port", network_id=network["id"]) for _ in range(4)]
    assert {a for p in ports for a in addresses(p)} == {f"10.0.0.{i}" for i in range(3, 7)}
    full = net.try_("port", network_id=network["id"])
    assert error_of(full) == (409, "IpAddressGenerationFailure")
    net.delete("port", ports[1]["id"])
    again = net.make("port", network_id=network["id"])
    assert addresses(again) == addresses(ports[1])
    taken = [{"ip_address": addresses(ports[0])[0]}]
    assert error_of(net.try_("port", network_id=network["id"], fixed_ips=taken)) == (
        409,
        "IpAddressInUse",
    )
    mac = ports[0]["mac_address"].upper()
    answer = net.try_("port", network_id=network["id"], mac_address=mac)
    assert error_of(answer) == (409, "MacAddressInUse")
    assert subnet["gateway_ip"] == "10.0.0.1"


def test_an_owner_chooses_addresses(net: Net) -> None:
    network, subnet = net.network()
    second = net.make("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
    fixed = [{"ip_address": "10.0.0.200"}, {"subnet_id": second["id"]}]
    mac = "02-00-00-00-00-07"
    port = net.make("port", network_id=network["id"], fixed_ips=fixed, mac_address=mac)
    assert addresses(port)[0] == "10.0.0.200"
    assert port["fixed_ips"][1]["subnet_id"] == second["id"]
    assert port["mac_address"] == "02:00:00:00:00:07"
    assert net.make("port", network_id=network["id"], fixed_ips=[])["fixed_ips"] == []
    changed = net.change("port", port["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
    assert addresses(changed) == ["10.0.0.200"]
    moved = net.change("port", port["id"], fixed_ips=[{"ip_address": "10.1.0.77"}])
    assert addresses(moved) == ["10.1.0.77"]
    free = net.make("port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.200"}])
    assert addresses(free) == ["10.0.0.200"]


@pytest.mark.parametrize(
    ("facts", "status", "kind"),
    [
        ({"fixed_ips": [{"ip_address": "10.9.0.1"}]}, 400, "InvalidIpForNetwork"),
        ({"fixed_ips": [{"ip_address": "10.0.0.255"}]}, 400, "InvalidIpForNetwork"),
        ({"fixed_ips": [{"ip_address": "10.0.0"}]}, 400, "HTTPBadRequest"),
        ({"fixed_ips": [{"subnet_id": "nowhere"}]}, 404, "SubnetNotFound"),
        ({"fixed_ips": [{}]}, 400, "InvalidInput"),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}] * 2}, 400, "HTTPBadRequest"),
        ({"fixed_ips": [{"ip_address": f"10.0.0.{i}"} for i in range(9, 15)]}, 400, "InvalidInput"),
        ({"mac_address": "fa:16:3e:00:00"}, 400, "HTTPBadRequest"),
        ({"mac_address": "01:00:5e:00:00:01"}, 400, "HTTPBadRequest"),
        ({"network_id": NOWHERE}, 404, "NetworkNotFound"),
        ({"security_groups": ["nowhere"]}, 404, "SecurityGroupNotFound"),
        ({"binding:vnic_type": "teapot"}, 400, "HTTPBadRequest"),
        ({"status": "ACTIVE"}, 400, "HTTPBadRequest"),
    ],
)
def test_ports_that_cannot_be_are_refused(
    net: Net, facts: dict[str, Any], status: int, kind: str
) -> None:
    network, _ = net.network()
    assert error_of(net.try_("port", **{"network_id": network["id"], **facts})) == (status, kind)
    assert net.list("port", "?device_owner=") == []


def test_a_guest_of_a_shared_network_chooses_little(net: Net) -> None:
    network = net.admin.make("network", shared=True)
    subnet = net.admin.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    net.make("port", network_id=network["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
    for facts in (
        {"fixed_ips": [{"ip_address": "10.0.0.50"}]},
        {"mac_address": "02:00:00:00:00:07"},
        {"port_security_enabled": False},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.0/24"}]},
        {"device_owner": "network:router_interface"},
        {"binding:host_id": "node-1"},
        {"binding:profile": {"a": 1}},
    ):
        answer = net.try_("port", **{"network_id": network["id"], **facts})
        assert error_of(answer) == (403, "PolicyNotAuthorized"), facts
    port = net.make("port", network_id=network["id"], device_owner="me", device_id="d")
    for facts in (
        {"port_security_enabled": False},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.0/24"}]},
        {"device_owner": "network:dhcp"},
        {"mac_address": "02:00:00:00:00:07"},
    ):
        assert error_of(net.try_change("port", port["id"], **facts))[0] == 403, facts
    assert net.admin.show("port", port["id"])["revision_number"] == 1


def test_ports_of_others_do_not_exist_but_a_networks_owner_sees_all_in_it(net: Net) -> None:
    network = net.make("network")
    net.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    made = net.admin.make("port", network_id=network["id"], project_id=OTHER)
    assert net.show("port", made["id"])["project_id"] == OTHER
    assert net.as_("eve:" + "e" * 32 + ":member").list("port") == []
    assert error_of(net.as_("eve:" + "e" * 32 + ":member").delete("port", made["id"])) == (
        404,
        "PortNotFound",
    )
    assert net.delete("port", made["id"]).status == 204


def test_security_groups_need_port_security_and_an_address(net: Net) -> None:
    network, _ = net.network()
    group = net.make("security_group", name="web")["id"]
    port = net.make("port", network_id=network["id"], security_groups=[group])
    assert port["security_groups"] == [group]
    assert net.change("port", port["id"], security_groups=[])["security_groups"] == []
    net.change("port", port["id"], security_groups=[group])
    refused = net.try_change("port", port["id"], port_security_enabled=False)
    assert error_of(refused) == (409, "PortSecurityPortHasSecurityGroup")
    bare = net.change("port", port["id"], port_security_enabled=False, security_groups=[])
    assert (bare["port_security_enabled"], bare["security_groups"]) == (False, [])
    again = net.try_change("port", port["id"], security_groups=[group])
    assert error_of(again) == (400, "PortSecurityAndIPRequiredForSecurityGroups")
    pairs = net.try_change("port", port["id"], allowed_address_pairs=[{"ip_address": "1.2.3.4"}])
    assert error_of(pairs) == (409, "AddressPairAndPortSecurityRequired")
    theirs = net.stranger.make("security_group", name="web")["id"]
    stolen = net.try_("port", network_id=network["id"], security_groups=[theirs])
    assert error_of(stolen) == (404, "SecurityGroupNotFound")


def test_a_network_may_do_without_port_security(net: Net) -> None:
    network = net.make("network", port_security_enabled=False)
    net.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = net.make("port", network_id=network["id"])
    assert (port["port_security_enabled"], port["security_groups"]) == (False, [])


def test_address_pairs_and_dhcp_options_are_kept_in_one_spelling(net: Net) -> None:
    network, _ = net.network()
    pairs = [
        {"ip_address": "10.0.0.0/25"},
        {"ip_address": "FD00::1", "mac_address": "02:00:00:00:00:AA"},
    ]
    options = [{"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "tftp", "opt_value": "x"}]
    port = net.make(
        "port", network_id=network["id"], allowed_address_pairs=pairs, extra_dhcp_opts=options
    )
    assert port["allowed_address_pairs"] == [
        {"mac_address": port["mac_address"], "ip_address": "10.0.0.0/25"},
        {"mac_address": "02:00:00:00:00:aa", "ip_address": "fd00::1"},
    ]
    assert port["extra_dhcp_opts"][0] == {"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}
    gone = [{"opt_name": "tftp", "opt_value": None}]
    changed = net.change("port", port["id"], extra_dhcp_opts=gone, allowed_address_pairs=[])
    assert [o["opt_name"] for o in changed["extra_dhcp_opts"]] == ["mtu"]
    assert changed["allowed_address_pairs"] == []
    for bad in (
        [{"ip_address": "10.0.0.1"}] * 2,
        [{"mac_address": "02:00:00:00:00:aa"}],
        [{"ip_address": "224.0.0.5"}],
        [{"ip_address": f"10.0.0.{i}"} for i in range(11)],
        [{"ip_address": "10.0.0.1", "colour": "red"}],
    ):
        assert net.try_change("port", port["id"], allowed_address_pairs=bad).status == 400


def test_a_null_mac_is_made_anew(net: Net) -> None:
    network, _ = net.network()
    port = net.admin.make("port", network_id=network["id"])
    changed = net.admin.change("port", port["id"], mac_address=None)
    assert changed["mac_address"] != port["mac_address"]
    net.admin.change("port", port["id"], binding__host_id="n1", device_owner="compute:nova")
    bound = net.admin.try_change("port", port["id"], mac_address="02:00:00:00:00:07")
    assert error_of(bound) == (409, "PortBound")


def test_administrators_bind_ports_and_the_backend_says_when_they_work(net: Net) -> None:
    network, _ = net.network()
    port = net.make("port", network_id=network["id"])
    bound = net.admin.change("port", port["id"], **{"binding:host_id": "node-1"})
    assert (bound["binding:vif_type"], bound["status"]) == ("ovs", "DOWN")
    net.project()
    assert net.show("port", port["id"])["status"] == "ACTIVE"
    net.admin.change("port", port["id"], **{"binding:host_id": ""})
    assert net.show("port", port["id"])["status"] == "DOWN"


def test_many_ports_are_made_together_or_not_at_all(net: Net) -> None:
    network, _ = net.network("10.0.0.0/28")
    body = {"ports": [{"network_id": network["id"]} for _ in range(12)]}
    assert len(net.http.post("/v2.0/ports", body).json()["ports"]) == 12
    rest = {"ports": [{"network_id": network["id"]} for _ in range(2)]}
    assert error_of(net.http.post("/v2.0/ports", rest)) == (409, "IpAddressGenerationFailure")
    assert len(net.list("port", "?device_owner=")) == 12


def test_ports_are_found_by_address_group_and_device(net: Net) -> None:
    network, subnet = net.network()
    group = net.make("security_group", name="web")["id"]
    one = net.make("port", network_id=network["id"], security_groups=[group], device_id="d")
    two = net.make("port", network_id=network["id"])
    address = addresses(one)[0]
    for query in (
        f"fixed_ips=ip_address={address}",
        f"fixed_ips=subnet_id={subnet['id']}&fixed_ips=ip_address={address}",
        f"security_groups={group}",
        f"mac_address={one['mac_address']}",
        "device_id=d",
        f"id={one['id']}",
        f"tenant_id={PROJECT}&device_id=d",
    ):
        assert [p["id"] for p in net.list("port", f"?{query}")] == [one["id"]], query
    part = net.list("port", "?fixed_ips=ip_address_substr=10.0.0.&device_owner=")
    assert {p["id"] for p in part} == {one["id"], two["id"]}
    assert net.list("port", "?device_id=d&fields=id&fields=mac_address") == [
        {"id": one["id"], "mac_address": one["mac_address"]}
    ]
    assert error_of(net.http.get("/v2.0/ports?fixed_ips=colour=red"))[0] == 400


def test_a_networks_own_port_is_there_again_when_it_was_deleted(net: Net) -> None:
    net.network()
    (metadata,) = net.list("port", "?device_owner=network:distributed")
    assert metadata["device_id"] == f"ovnmeta-{metadata['network_id']}"
    assert addresses(metadata) == ["10.0.0.2"]
    assert net.as_(ADMIN).delete("port", metadata["id"]).status == 204
    (again,) = net.list("port", "?device_owner=network:distributed")
    assert again["id"] != metadata["id"]
    assert addresses(again) == ["10.0.0.2"]
    assert net.delete("network", metadata["network_id"]).status == 204


def test_a_servers_port_is_not_deleted_by_its_user(net: Net) -> None:
    network, _ = net.network()
    port = net.make("port", network_id=network["id"], device_owner="compute:nova", device_id="s")
    assert error_of(net.delete("port", port["id"])) == (403, "PolicyNotAuthorized")
    assert net.admin.delete("port", port["id"]).status == 204


def test_dhcp_options_reach_the_backend_by_version(net: Net, driver: FakeDriver) -> None:
    network, _ = net.network()
    port = net.make(
        "port",
        network_id=network["id"],
        dns_name="web",
        extra_dhcp_opts=[
            {"opt_name": "domain-name", "opt_value": "a.test"},
            {"opt_name": "domain-search", "opt_value": "b.test", "ip_version": 6},
        ],
    )
    net.project()
    plan = driver.ports[port["id"]]
    assert (plan.dhcp_options, plan.dhcpv6_options) == (
        {"domain-name": "a.test"},
        {"domain-search": "b.test"},
    )
    assert plan.hostname == "web"


def test_names_of_ports_are_told_with_their_addresses(net: Net, driver: FakeDriver) -> None:
    network, _ = net.network(dns_domain="lab.test.")
    address = {"ip_address": "10.0.0.9"}
    port = net.make("port", network_id=network["id"], dns_name="web", fixed_ips=[address])
    assert port["dns_assignment"] == [{**address, "hostname": "web", "fqdn": "web.openstacklocal."}]
    nameless = net.change("port", port["id"], dns_name="")
    assert nameless["dns_assignment"][0]["hostname"] == "host-10-0-0-9"
    net.change("port", port["id"], dns_name="db")
    net.change("network", network["id"], dns_domain="")
    net.project()
    assert (driver.ports[port["id"]].hostname, driver.ports[port["id"]].dns_domain) == ("db", "")
    assert error_of(net.try_change("port", port["id"], dns_name="-a"))[0] == 400
    assert error_of(net.try_("network", dns_domain="part"))[0] == 400


def test_a_port_without_addresses_has_security_groups_all_the_same(net: Net) -> None:
    network = net.make("network")
    group = net.make("security_group", name="web")
    port = net.make("port", network_id=network["id"], security_groups=[group["id"]])
    assert (port["fixed_ips"], port["security_groups"]) == ([], [group["id"]])
    facts = {"network_id": network["id"], "port_security_enabled": False}
    refused = net.try_("port", **facts, security_groups=[group["id"]])
    assert error_of(refused) == (400, "PortSecurityAndIPRequiredForSecurityGroups")


def test_a_port_has_a_domain_of_its_own(net: Net, driver: FakeDriver) -> None:
    network, _ = net.network(dns_domain="net.example.")
    named = {"network_id": network["id"], "dns_name": "web"}
    port = net.make("port", **named, dns_domain="own.example.")
    assert port["dns_assignment"][0]["fqdn"] == "web.own.example."
    net.project()
    assert driver.ports[port["id"]].dns_domain == "own.example"
    net.change("port", port["id"], dns_domain="")
    net.project()
    assert driver.ports[port["id"]].dns_domain == "net.example"
    assert error_of(net.try_("port", **named, dns_domain="not whole"))[0] == 400


def test_ports_have_tags_from_the_start(net: Net) -> None:
    network, _ = net.network()
    specs = [{"network_id": network["id"], "tags": [f"t{i}", "all"]} for i in range(2)]
    made = net.http.post("/v2.0/ports", {"ports": specs}).json()["ports"]
    assert [sorted(port["tags"]) for port in made] == [["all", "t0"], ["all", "t1"]]
    assert len(net.list("port", "?tags=all")) == 2
    assert error_of(net.try_("port", network_id=network["id"], tags=["a", "a"]))[0] == 400


def test_a_new_port_is_answered_as_it_is_shown(net: Net) -> None:
    network, subnet = net.network()
    wider = net.make("subnet", network_id=network["id"], cidr="2001:db8::/64", ip_version=6)
    groups = [net.make("security_group", name=name)["id"] for name in ("one", "two", "three")]
    boss = net.admin
    policy = boss.make("policy", name="promise", shared=True)["id"]
    rules = f"/v2.0/qos/policies/{policy}/minimum_bandwidth_rules"
    boss.http.post(rules, {"minimum_bandwidth_rule": {"min_kbps": 100}})
    provider = {"provider:network_type": "flat", "provider:physical_network": "public"}
    outside = boss.make("network", **provider, shared=True)
    of_both = [{"subnet_id": wider["id"]}, {"subnet_id": subnet["id"]}]
    for who, spec in (
        (net, {"network_id": network["id"]}),
        (net, {"network_id": network["id"], "security_groups": groups, "tags": ["b", "a"]}),
        (net, {"network_id": network["id"], "fixed_ips": of_both}),
        (net, {"network_id": network["id"], "security_groups": []}),
        (boss, {"network_id": outside["id"], "qos_policy_id": policy}),
    ):
        made = who.make("port", **spec)
        assert made == who.show("port", made["id"])
        assert [made] == who.list("port", f"?id={made['id']}")
    assert made["resource_request"]["request_groups"]

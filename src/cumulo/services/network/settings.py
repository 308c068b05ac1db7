"""What an operator decides about networks; names as in neutron.conf and ml2_conf.ini."""

import msgspec


class Quotas(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much a project may have unless it has limits of its own; -1 is no limit."""

    network: int = 100
    subnet: int = 100
    port: int = 500
    router: int = 10
    floatingip: int = 50
    security_group: int = 10
    security_group_rule: int = 100
    rbac_policy: int = 10
    subnetpool: int = -1
    trunk: int = -1


class NetworkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How networks are made."""

    # A range is first:last for tunnels, name[:first:last] for VLANs on a physical network.
    tenant_network_types: tuple[str, ...] = ("geneve",)
    vni_ranges: tuple[str, ...] = ("1:65536",)
    network_vlan_ranges: tuple[str, ...] = ()
    flat_networks: tuple[str, ...] = ("*",)
    global_physnet_mtu: int = 1500
    base_mac: str = "fa:16:3e:00:00:00"
    default_availability_zone: str = "nova"
    dns_domain: str = "openstacklocal"
    max_fixed_ips_per_port: int = 5
    max_allowed_address_pair: int = 10
    max_dns_nameservers: int = 5
    max_subnet_host_routes: int = 20
    max_routes: int = 30
    l3_ha: bool = True
    router_distributed: bool = True
    quota: Quotas = Quotas()

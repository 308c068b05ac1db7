"""Right bodies of operations whose types do not say what is right."""

from collections.abc import Callable, Mapping
from typing import Any

Seed = Callable[[Mapping[str, str]], list[Any]]

SEEDS: dict[str, Seed] = {
    "create_image": lambda _: [
        {"name": "i", "disk_format": "raw", "container_format": "bare", "tags": ["a"], "o": "v"},
        {
            "visibility": "public",
            "protected": False,
            "min_disk": 1,
            "min_ram": 1,
            "os_hidden": True,
        },
    ],
    "update_image": lambda _: [
        [{"op": "replace", "path": "/name", "value": "new"}],
        [{"op": "add", "path": "/own", "value": "v"}, {"op": "remove", "path": "/own"}],
    ],
    "create_keypair": lambda ids: [{"keypair": {"name": "n", "public_key": ids["public_key"]}}],
    "import_keypair": lambda ids: [
        {"keypair": {"name": "n", "type": "ssh", "public_key": ids["public_key"]}}
    ],
    "create_server": lambda ids: [
        {
            "server": {
                "name": "s",
                "imageRef": ids["imageRef"],
                "flavorRef": "1",
                "networks": [{"uuid": ids["network_id"]}],
                "metadata": {"a": "b"},
                "user_data": "YQ==",
            }
        }
    ],
    "create_subnet": lambda ids: [
        {"subnet": {"network_id": ids["network_id"], "cidr": "10.3.0.0/24", "ip_version": 4}}
    ],
    "create_port": lambda ids: [
        {
            "port": {
                "network_id": ids["network_id"],
                "fixed_ips": [{"subnet_id": ids["subnet_id"], "ip_address": "10.1.0.77"}],
                "mac_address": "fa:16:3e:00:00:99",
                "security_groups": [ids["security_group_id"]],
            }
        }
    ],
}

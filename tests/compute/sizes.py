"""The flavors that clouds have always had."""

from cumulo.auth.context import system
from cumulo.db import Tx
from cumulo.services.compute import public
from cumulo.services.compute.flavors import FlavorSpec, new_flavor

USUAL = (
    ("1", "m1.tiny", 512, 1, 1),
    ("2", "m1.small", 2048, 1, 20),
    ("3", "m1.medium", 4096, 2, 40),
    ("4", "m1.large", 8192, 4, 80),
    ("5", "m1.xlarge", 16384, 8, 160),
)


def add_usual_flavors(tx: Tx) -> None:
    public.add_first_flavor(tx, system())
    for id_, name, memory_mib, vcpus, root_gib in USUAL:
        spec = FlavorSpec(id=id_, name=name, memory_mib=memory_mib, vcpus=vcpus, root_gib=root_gib)
        new_flavor(tx, system(), spec)

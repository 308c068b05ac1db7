"""What servers cost: statements and transactions, which no busy machine can blur."""

from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot
from tests.spending import spending


def test_a_long_page_takes_as_many_statements_as_a_short_one(
    emulated: Emulated, ann: Client, boot: Boot
) -> None:
    boot(metadata={"a": "b"})
    with spending(emulated.db) as short:
        assert len(ann.get("/v2.1/servers/detail").json()["servers"]) == 1
    for _ in range(3):
        boot(metadata={"a": "b"})
    with spending(emulated.db) as long:
        assert len(ann.get("/v2.1/servers/detail").json()["servers"]) == 4
    assert len(long.statements) == len(short.statements) <= 8


def test_a_boot_takes_few_transactions(
    emulated: Emulated, ann: Client, image: str, network: str
) -> None:
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
    with spending(emulated.db) as accepted:
        assert ann.post("/v2.1/servers", {"server": spec}).status == 202
    assert accepted.writes == 1
    with spending(emulated.db) as carried_out:
        emulated.work()
    # The lease, the host, three for the network and its record, two for the guest, the end.
    assert carried_out.writes == 8

"""What servers cost: statements and transactions, which no busy machine can blur."""

from typing import Any

import sqlalchemy as sa

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


def test_a_boot_takes_few_statements_and_transactions(
    emulated: Emulated, ann: Client, boot: Boot, image: str, network: str
) -> None:
    boot()  # the first of a project makes rows for those that follow
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
    with spending(emulated.db) as accepted:
        assert ann.post("/v2.1/servers", {"server": spec}).status == 202
    assert accepted.writes == 1
    assert len(accepted.statements) <= 33
    with spending(emulated.db) as carried_out:
        emulated.work()
    # The lease, the host, three for the network and its record, two for the guest, the end.
    assert carried_out.writes == 8
    assert len(carried_out.statements) <= 88  # six of them find that there is no more work


def test_a_boot_builds_no_statement_anew(emulated: Emulated, boot: Boot) -> None:
    seen: list[Any] = []

    def on_execute(_tx: Any, statement: Any, *_: Any) -> None:
        seen.append(statement)

    with spending(emulated.db):
        boot()
        sa.event.listen(emulated.db.engine, "before_execute", on_execute)
        boot()
        before = {id(one) for one in seen}
        first = len(seen)
        boot()
        sa.event.remove(emulated.db.engine, "before_execute", on_execute)
    anew = [str(one) for one in seen[first:] if id(one) not in before]
    # The claim is in a savepoint, since another host is tried where it fails.
    assert [text for text in anew if "SAVEPOINT" not in text] == []

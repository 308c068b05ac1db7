"""Who joins the cloud: by a token that works once, under a name that nobody has."""

import dataclasses
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from cumulo.kit import clock
from cumulo.kit.errors import CloudError, Conflict, Invalid, NotFound, Unavailable
from cumulo.node.api import HostError, ImageSource
from cumulo.node.certificates import Authority, Identity, key_of, new_authority
from cumulo.node.controller import MetadataQuestion, pieces_from
from cumulo.services.compute import public as compute
from cumulo.services.machines import machines
from cumulo.services.machines.desk import Desk, DeskTools, Entrance
from cumulo.services.machines.nodes import JoinedNodes
from cumulo.services.machines.store.tables import token
from tests.cloud import Emulated
from tests.compute.servers.conftest import DISK, Boot
from tests.compute.servers.conftest import ann as ann
from tests.compute.servers.conftest import boot as boot
from tests.compute.servers.conftest import image as image
from tests.compute.servers.conftest import network as network


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture
def tools(emulated: Emulated, authority: Authority) -> DeskTools:
    return DeskTools(
        db=emulated.db,
        authority=authority,
        own="node1",
        controller="node1-controller",
        port=8792,
        southbound_port=6642,
        images=emulated.cloud.images,
        metadata=("127.0.0.1", 1),
        secret=b"",
        uses_image=lambda tx, host, image_id: False,
        has_network=lambda tx, host, network_id: False,
    )


@pytest.fixture
def request_(tmp_path: Path) -> str:
    return Identity(tmp_path / "tls").request()


def spent(tools: DeskTools, made: str, request: str, name: str = "rack1", port: int = 8790) -> str:
    return Entrance(tools).join(made, name, "10.0.0.5", port, request).certificate


def new(tools: DeskTools, life_s: int = 60) -> str:
    return tools.db.write(machines.new_token, tools.authority, life_s)


def test_a_token_lets_one_machine_in(tools: DeskTools, request_: str) -> None:
    made = new(tools)
    certificate = spent(tools, made, request_)
    (found,) = tools.db.read(machines.list_machines)
    assert (found.name, found.address, found.port) == ("rack1", "10.0.0.5", 8790)
    assert found.fingerprint == key_of(certificate)
    with pytest.raises(Conflict, match="unknown, used or expired"):
        spent(tools, made, request_, "rack2")


def test_a_token_ends_and_is_not_kept_as_it_is(tools: DeskTools, request_: str) -> None:
    with clock.CLOCK.held() as held:
        made = new(tools, life_s=60)
        kept = tools.db.read(lambda tx: tx.scalars(sa.select(token.c.digest)).all())
        assert made.partition(".")[0] not in kept
        held.move(60)
        with pytest.raises(Conflict):
            spent(tools, made, request_)
    assert tools.db.read(machines.list_machines) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [("node1", Conflict), ("taken", Conflict), ("no name", Invalid), ("a" * 64, Invalid)],
)
def test_a_refused_name_leaves_the_token(
    tools: DeskTools, request_: str, name: str, kind: type[CloudError]
) -> None:
    spent(tools, new(tools), request_, "taken")
    made = new(tools)
    with pytest.raises(kind):
        spent(tools, made, request_, name)
    spent(tools, made, request_, "rack1")


def test_who_was_removed_is_no_member_with_its_old_certificate(
    tools: DeskTools, request_: str, tmp_path: Path
) -> None:
    first = key_of(spent(tools, new(tools), request_))
    tools.db.write(machines.remove, "rack1")
    second = key_of(spent(tools, new(tools), Identity(tmp_path / "another").request()))
    assert not tools.db.read(machines.is_member, "rack1", first)
    assert tools.db.read(machines.is_member, "rack1", second)
    assert not tools.db.read(machines.is_member, "rack2", second)
    tools.db.write(machines.remove, "rack1")
    with pytest.raises(NotFound):
        tools.db.write(machines.remove, "rack1")


def test_a_member_has_its_certificate_renewed_for_its_own_key_only(
    tools: DeskTools, request_: str, tmp_path: Path
) -> None:
    first = spent(tools, new(tools), request_)
    second = Desk(tools, "rack1").renew(request_)
    assert second != first
    assert tools.db.read(machines.is_member, "rack1", key_of(second))
    for host, request in (("rack1", Identity(tmp_path / "other").request()), ("rack9", request_)):
        with pytest.raises(Invalid, match="joined with another key"):
            Desk(tools, host).renew(request)
    tools.db.write(machines.remove, "rack1")
    with pytest.raises(Invalid):
        Desk(tools, "rack1").renew(request_)


def test_who_joined_is_a_host_beside_those_of_the_start(
    tools: DeskTools, emulated: Emulated, request_: str, tmp_path: Path
) -> None:
    nodes = JoinedNodes(emulated.cloud.outside.nodes, tools.db, Identity(tmp_path / "tls"))
    assert nodes.names() == ["node1"]
    spent(tools, new(tools), request_)
    assert nodes.names() == ["node1", "rack1"]
    assert nodes.on("rack1") is nodes.on("rack1")
    assert nodes.on("node1") is emulated.cloud.outside.nodes.on("node1")
    with pytest.raises(NotFound):
        nodes.on("rack2")


def test_a_host_gets_what_its_guests_need_and_nothing_else(
    tools: DeskTools, image: str, network: str, boot: Boot, tmp_path: Path
) -> None:
    used = dataclasses.replace(
        tools, uses_image=compute.uses_image, has_network=compute.has_network
    )
    mine, other = Desk(used, "node1"), Desk(used, "rack9")
    with pytest.raises(NotFound):
        mine.image_facts(image)  # no guest stands on it yet
    boot()
    facts = mine.image_facts(image)
    source = ImageSource(
        image_id=image, path="", disk_format="raw", size=len(DISK), virtual_size=len(DISK)
    )
    assert facts.size == len(DISK)
    assert b"".join(pieces_from(mine)(source)) == DISK
    question = MetadataQuestion(network_id=network, address="10.1.0.9", method="GET", path="/")
    for refused in (
        lambda: other.image_facts(image),
        lambda: other.read_image(image, 0, 1),
        lambda: other.answer_metadata(question),
        lambda: mine.answer_metadata(msgspec.structs.replace(question, network_id=image)),
    ):
        with pytest.raises(NotFound):
            refused()
    with pytest.raises(Unavailable):  # it would be answered, were the metadata API there
        mine.answer_metadata(question)
    for offset, length in ((-1, 1), (0, 0), (0, 1 << 30)):
        with pytest.raises(Invalid):
            mine.read_image(image, offset, length)


def test_an_image_that_came_damaged_is_refused(
    tools: DeskTools, emulated: Emulated, image: str
) -> None:
    used = dataclasses.replace(tools, uses_image=lambda tx, host, image_id: True)
    (emulated.cloud.images / image).write_bytes(bytes(len(DISK)))
    source = ImageSource(image_id=image, path="", disk_format="raw", size=1, virtual_size=1)
    with pytest.raises(HostError, match="came damaged"):
        list(pieces_from(Desk(used, "node1"))(source))

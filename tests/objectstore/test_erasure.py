"""Policies of erasure coding: what clients see is an object, what devices hold are fragments."""

import contextlib
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cumulo.db import Database
from cumulo.kit.clock import CLOCK
from cumulo.services.objectstore import layouts, reconcile
from cumulo.services.objectstore.drivers.base import Stored
from tests.client import Answer
from tests.objectstore.coded import (
    CODED,
    SEGMENT,
    away,
    back,
    device_of,
    fragments,
)
from tests.objectstore.coded import ann as ann
from tests.objectstore.coded import service as service
from tests.objectstore.service import MIB, Service, User


def test_an_object_is_six_fragments(ann: User, service: Service) -> None:
    body = os.urandom(10 * SEGMENT + 17)
    made = ann.put("box/o", body, x_object_meta_a="1")
    found = fragments(service)
    assert len({device_of(path) for path in found}) == 6
    assert sorted(path.name.rpartition("#")[2] for path in found) == [f"{n}.data" for n in range(6)]
    assert sum(path.stat().st_size for path in found) < 1.6 * len(body)
    assert fragments(service, "part") == service.files() == []
    answer = ann.get("box/o")
    assert (answer.body, answer.headers["etag"]) == (body, made.headers["etag"])
    head = ann.head("box/o").headers
    assert (head["content-length"], head["x-object-meta-a"]) == (str(len(body)), "1")
    [row] = ann.get("box?format=json").json()
    assert (row["bytes"], row["hash"]) == (len(body), made.headers["etag"])
    assert ann.head("box").headers["x-storage-policy"] == "coded"


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, MIB])
def test_any_four_fragments_give_it_back(ann: User, service: Service, size: int) -> None:
    body = os.urandom(size)
    ann.put("box/o", body)
    found = fragments(service)
    for lost in ((0, 1), (4, 5), (1, 4)):
        kept = away(service, *(found[n] for n in lost))
        assert ann.get("box/o").body == body
        back(*kept)
    kept = away(service, *found[:3])
    assert ann.get("box/o").status == 503
    back(*kept)
    assert ann.get("box/o").body == body


def test_all_that_is_done_with_objects(ann: User, service: Service) -> None:
    body = os.urandom(3 * SEGMENT)
    ann.put("box/o", body)
    etag = ann.head("box/o").headers["etag"]
    ranges = ann.get("box/o", range=f"bytes=5-9,{SEGMENT - 2}-{SEGMENT + 2},-3")
    assert ranges.status == 206
    for start, end in ((5, 10), (SEGMENT - 2, SEGMENT + 3), (len(body) - 3, len(body))):
        assert body[start:end] in ranges.body
    assert ann.get("box/o", if_none_match=etag).status == 304
    assert ann.get("box/o", if_match="other").status == 412
    assert ann.get("box/o", range=f"bytes={len(body)}-").status == 416
    assert ann.post("box/o", x_object_meta_b="2", content_type="a/b").status == 202
    shown = ann.get("box/o")
    assert (shown.headers["x-object-meta-b"], shown.headers["content-type"]) == ("2", "a/b")
    ann.put("plain")
    assert ann.ask("COPY", "box/o", headers={"destination": "plain/o"}).status == 201
    assert ann.ask("COPY", "plain/o", headers={"destination": "box/copy"}).status == 201
    assert ann.get("box/copy").body == body
    assert (len(fragments(service)), len(service.files())) == (12, 8)
    ann.put("box/dlo", x_object_manifest="box/o")
    assert ann.get("box/dlo").body == body
    manifest = b'[{"path": "box/o"}, {"path": "plain/o"}]'
    assert ann.put("box/slo?multipart-manifest=put", manifest).status == 201
    assert ann.get("box/slo").body == body * 2
    assert ann.get("box/slo", range=f"bytes={len(body) - 1}-{len(body)}").body == (
        body[-1:] + body[:1]
    )
    assert ann.delete("box/o").status == 204
    assert ann.get("box/o").status == 404


def test_versions_and_expiry(ann: User, service: Service) -> None:
    assert ann.post("box", x_versions_enabled="true").status == 204
    first = ann.put("box/o", b"first").headers["x-object-version-id"]
    ann.put("box/o", b"second")
    assert ann.get(f"box/o?version-id={first}").body == b"first"
    assert ann.get("box/o").body == b"second"
    with CLOCK.held() as clock:
        ann.put("box/brief", b"x", x_delete_after="10")
        clock.move(11)
        assert ann.get("box/brief").status == 404
        reconcile.expire(service.tools)
    assert ann.names("box") == ["o"]
    assert service.files() == []


def test_any_size_takes_the_same_memory(service: Service, ann: User) -> None:
    piece, count = os.urandom(SEGMENT // 2), 400
    place = service.tools.cluster.place("object-1", "AUTH_p1", "box", "large")
    stored = Stored(name="", stamp="1.0", size=count * len(piece), etag="e", content_type="a/b")
    tracemalloc.start()
    try:
        writing = layouts.writing(service.tools.cluster, place)
        for _ in range(count):
            writing.write(piece)
        writing.keep(stored)
        reading = layouts.opened(service.tools.cluster, place)
        assert reading is not None
        with contextlib.closing(reading):
            assert sum(map(len, reading.pieces(0, stored.size))) == stored.size
        service.lose(1)
        service.lose(2)
        Path(service.devices[1].root).mkdir()
        Path(service.devices[2].root).mkdir()
        service.mend()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 40 * SEGMENT < stored.size


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_range_is_what_it_would_be_of_the_whole(
    data: st.DataObject, ranged: tuple[User, Service, bytes]
) -> None:
    ann, service, body = ranged
    bounds = st.integers(0, len(body) + SEGMENT)
    wanted = data.draw(st.lists(st.tuples(bounds, bounds), min_size=1, max_size=3))
    lost = data.draw(st.sets(st.integers(0, 5), max_size=2))
    found = fragments(service)
    aside = [found[number].rename(found[number].with_suffix(".aside")) for number in lost]
    spans = [(min(pair), max(pair)) for pair in wanted]
    answer = ann.get("box/o", range="bytes=" + ",".join(f"{a}-{b}" for a, b in spans))
    for path in aside:
        path.rename(path.with_suffix(".data"))
    expected = [body[a : b + 1] for a, b in spans if a < len(body)]
    assert answer.status == (206 if expected else 416)
    if len(expected) == 1:
        assert answer.body == expected[0]
    elif expected:
        assert parts_of(answer) == expected


@pytest.fixture
def ranged(ann: User, service: Service) -> tuple[User, Service, bytes]:
    """An object of several segments, the last not full."""
    body = os.urandom(4 * SEGMENT + 1234)
    ann.put("box/o", body)
    return ann, service, body


def parts_of(answer: Answer) -> list[bytes]:
    """Return the contents of a body of several ranges."""
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = (b"\r\n" + answer.body).split(b"\r\n--" + boundary)
    assert parts[0] == b""
    assert parts[-1] == b"--"
    return [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]]


@pytest.mark.walk
def test_buckets_too(empty_db: Database, directory: Path) -> None:
    s3_edge = pytest.importorskip("tests.objectstore.test_s3")
    service = Service(empty_db, directory, policies=(CODED,))
    s3 = s3_edge.client(s3_edge.Wire(service, empty_db))
    s3.create_bucket(Bucket="box")
    where = {"Bucket": "box", "Key": "o"}
    begun = s3.create_multipart_upload(**where)["UploadId"]
    bodies = [os.urandom(5 * MIB), b"end"]
    into = {**where, "UploadId": begun}
    made = [s3.upload_part(**into, PartNumber=n, Body=body) for n, body in enumerate(bodies, 1)]
    parts = [{"PartNumber": n, "ETag": one["ETag"]} for n, one in enumerate(made, 1)]
    s3.complete_multipart_upload(**into, MultipartUpload={"Parts": parts})
    for path in [*service.directory.glob("d*/*/*/*/*#[04].data")]:
        path.unlink()
    assert s3.get_object(**where)["Body"].read() == b"".join(bodies)
    some = s3.get_object(**where, Range=f"bytes={5 * MIB - 2}-{5 * MIB}")["Body"].read()
    assert some == bodies[0][-2:] + b"e"
    s3.delete_object(**where)
    assert s3.list_objects_v2(Bucket="box")["KeyCount"] == 0
    service.close()
    s3.close()

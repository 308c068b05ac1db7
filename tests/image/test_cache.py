"""The cache: copies, where servers start from, of images that lie in other stores only."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from cumulo.kit.clock import CLOCK, Clock
from cumulo.kit.errors import NotFound, Unavailable
from cumulo.services.image import cache, public, reconcile
from cumulo.services.image.drivers.base import Present
from cumulo.services.image.drivers.fake import FakeStore
from cumulo.services.image.stores import Backend
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows.cache_image import CACHE_IMAGE
from cumulo.work import testing
from tests.client import Client
from tests.image.service import BYTES, Service, active, create, show, upload

CONTENT = b"disk" * 1000
FAR = {"X-Image-Meta-Store": "far"}
HOUR = 3600


@pytest.fixture
def clock() -> Iterator[Clock]:
    with CLOCK.held() as held:
        yield held


class Watched(FakeStore):
    """A store that lets tests act in the moment that it was looked through, or that bytes go."""

    before_delete: Callable[[], None] | None = None
    when_looked_at: Callable[[], object] | None = None

    def present(self) -> list[Present]:
        found = super().present()
        if self.when_looked_at:
            self.when_looked_at()
        return found

    def delete(self, image_id: str) -> None:
        if self.before_delete:
            self.before_delete()
        super().delete(image_id)


@pytest.fixture
def near() -> Watched:
    """The first store, which tells the held clock's time."""
    return Watched("near")


@pytest.fixture
def far() -> FakeStore:
    return FakeStore("far")


@pytest.fixture
def service(tools: ImageTools, near: FakeStore, far: FakeStore, clock: Clock) -> Service:
    limits = msgspec.structs.replace(
        tools.image_limits, default_backend="near", image_cache_max_size=2 * len(CONTENT)
    )
    changed = dataclasses.replace(
        tools, images=near, image_limits=limits, more_stores=(Backend(far),)
    )
    return Service(changed)


def elsewhere(client: Client) -> str:
    image_id = create(client)
    assert upload(client, image_id, CONTENT, **FAR).status == 204
    return image_id


def queue(client: Client, image_id: str) -> int:
    return client.put(f"/v2/cache/{image_id}").status


def cached(root: Client) -> dict[str, int]:
    """Return what is cached, and how often each was used."""
    found = root.get("/v2/cache").json()["cached_images"]
    return {one["image_id"]: one["hits"] for one in found}


def queued(root: Client) -> list[str]:
    found: list[str] = root.get("/v2/cache").json()["queued_images"]
    return found


def test_an_image_is_cached_before_a_server_needs_it(
    service: Service, root: Client, near: FakeStore
) -> None:
    image_id = elsewhere(root)
    assert root.get("/v2/cache").json() == {"cached_images": [], "queued_images": []}
    assert root.get(f"/v2/cache/nodes/{image_id}").json() == []
    assert queue(root, image_id) == 202
    assert (queued(root), near.images) == ([image_id], {})
    service.work()
    assert near.images == {image_id: CONTENT}
    (told,) = root.get("/v2/cache").json()["cached_images"]
    assert (told["image_id"], told["hits"], told["size"]) == (image_id, 0, len(CONTENT))
    assert told["last_accessed"] == told["last_modified"] == CLOCK.now().timestamp()
    assert (queued(root), show(root, image_id)["stores"]) == ([], "far")
    assert len(root.get(f"/v2/cache/nodes/{image_id}").json()) == 1
    assert root.get("/versions").json()["versions"][0] == {
        "id": "v2.18",
        "status": "CURRENT",
        "links": root.get("/versions").json()["versions"][1]["links"],
    }


def test_what_servers_start_from_is_cached_and_counted(
    service: Service, root: Client, far: FakeStore
) -> None:
    image_id = elsewhere(root)
    public.bring(service.tools, image_id)
    assert cached(root) == {image_id: 0}
    far.images.clear()  # nobody has to ask there again
    public.bring(service.tools, image_id)
    assert b"".join(public.read(service.tools, image_id)) == CONTENT
    assert root.get(f"/v2/images/{image_id}/file").body == CONTENT
    assert cached(root) == {image_id: 3}


def test_a_copy_goes_when_it_is_not_in_use(
    service: Service, root: Client, near: FakeStore, clock: Clock
) -> None:
    image_id = elsewhere(root)
    public.bring(service.tools, image_id)
    assert root.delete(f"/v2/cache/{image_id}").status == 204
    assert root.delete(f"/v2/cache/{image_id}").status == 204
    assert cached(root) == {}
    reconcile.keep_cache(service.tools)
    assert list(near.images) == [image_id]  # a host may be reading it
    clock.move(HOUR)
    near.touched[image_id, None] = clock.now().timestamp()  # one still is
    reconcile.keep_cache(service.tools)
    assert list(near.images) == [image_id]
    clock.move(HOUR)
    reconcile.keep_cache(service.tools)
    assert near.images == {}
    assert root.get(f"/v2/images/{image_id}/file").body == CONTENT


def test_a_copy_that_was_to_go_is_used_again(
    service: Service, root: Client, near: FakeStore, clock: Clock
) -> None:
    image_id = elsewhere(root)
    public.bring(service.tools, image_id)
    root.delete(f"/v2/cache/{image_id}")
    clock.move(HOUR)
    public.bring(service.tools, image_id)
    reconcile.keep_cache(service.tools)
    assert (list(cached(root)), list(near.images)) == ([image_id], [image_id])


def test_who_needs_a_copy_in_the_moment_that_it_goes_asks_again(
    service: Service, root: Client, near: Watched, clock: Clock
) -> None:
    image_id = elsewhere(root)
    public.bring(service.tools, image_id)
    root.delete(f"/v2/cache/{image_id}")
    clock.move(HOUR)

    def wanted() -> None:
        with pytest.raises(Unavailable):
            public.bring(service.tools, image_id)
        assert queue(root, image_id) == 409
        copying = {"method": {"name": "copy-image"}, "stores": ["near"]}
        assert root.post(f"/v2/images/{image_id}/import", copying).status == 409
        near.before_delete = None
        raise RuntimeError("killed")

    near.before_delete = wanted
    with pytest.raises(RuntimeError):
        reconcile.keep_cache(service.tools)
    reconcile.keep_cache(service.tools)
    assert near.images == {}
    public.bring(service.tools, image_id)
    assert cached(root) == {image_id: 0}


def test_what_was_used_least_lately_makes_room(
    service: Service, root: Client, near: FakeStore, clock: Clock
) -> None:
    ids = [elsewhere(root) for _ in range(4)]
    for image_id in ids:
        public.bring(service.tools, image_id)
        clock.move(1)
    reconcile.keep_cache(service.tools)
    assert len(cached(root)) == 4  # all were used a moment ago
    clock.move(HOUR)
    public.bring(service.tools, ids[0])
    pruned = root.post("/v2/cache/prune").json()
    assert pruned == {"total_files_pruned": 2, "total_bytes_pruned": 2 * len(CONTENT)}
    reconcile.keep_cache(service.tools)
    assert set(cached(root)) == set(near.images) == {ids[0], ids[3]}


def test_an_image_of_the_first_store_loses_nothing(
    service: Service, root: Client, near: FakeStore, clock: Clock
) -> None:
    image_id, later = active(root, CONTENT), elsewhere(root)
    for one in (image_id, later):
        assert queue(root, one) == 202
    service.work()
    assert set(cached(root)) == {image_id, later}
    copying = {"method": {"name": "copy-image"}, "stores": ["near"]}
    assert root.post(f"/v2/images/{later}/import", copying).status == 202
    assert root.delete("/v2/cache").status == 204
    assert (cached(root), queued(root)) == ({}, [])
    clock.move(HOUR)
    reconcile.keep_cache(service.tools)
    service.work()
    assert show(root, later)["stores"] == "far,near"
    assert set(near.images) == {image_id, later}


def test_a_part_of_it_is_cleared(service: Service, root: Client) -> None:
    there, waiting = elsewhere(root), elsewhere(root)
    public.bring(service.tools, there)
    queue(root, waiting)

    def clear(target: str) -> int:
        return root.delete("/v2/cache", headers={"x-image-cache-clear-target": target}).status

    assert clear("all") == 400
    assert clear("Queue") == 204
    assert (list(cached(root)), queued(root)) == ([there], [])
    service.work()  # what nobody waits for any more is not brought
    assert list(cached(root)) == [there]
    assert clear("cache") == 204
    assert cached(root) == {}


def test_what_is_broken_is_forgotten(
    service: Service, root: Client, near: FakeStore, far: FakeStore, clock: Clock
) -> None:
    lost, stalled = elsewhere(root), elsewhere(root)
    public.bring(service.tools, lost)
    near.images.clear()
    assert root.post("/v2/cache/clean").status == 200
    assert cached(root) == {}
    image = service.tools.db.read(public.image_visible, public.as_the_cloud(), stalled)
    service.tools.db.write(cache._begin_use, image)  # and then its process dies
    assert queued(root) == [stalled]
    clock.move(48 * HOUR)
    reconcile.keep_cache(service.tools)
    assert queued(root) == []
    far.images.clear()
    with pytest.raises(NotFound):
        public.bring(service.tools, lost)
    assert queued(root) == []


def test_a_copy_that_comes_while_the_cache_is_cleaned_is_not_lost(
    service: Service, root: Client, near: Watched
) -> None:
    image_id = elsewhere(root)
    near.when_looked_at = lambda: public.bring(service.tools, image_id)
    assert root.post("/v2/cache/clean").status == 200
    assert list(cached(root)) == [image_id]


def test_a_copy_that_was_lost_and_is_brought_again_meanwhile_is_not_forgotten(
    service: Service, root: Client, near: Watched
) -> None:
    image_id = elsewhere(root)
    public.bring(service.tools, image_id)
    near.images.clear()
    near.when_looked_at = lambda: public.bring(service.tools, image_id)
    assert root.post("/v2/cache/clean").status == 200
    assert (list(cached(root)), list(near.images)) == ([image_id], [image_id])


def test_a_copy_that_no_row_tells_of_is_counted(
    service: Service, root: Client, near: FakeStore
) -> None:
    image_id, whole, coming = elsewhere(root), active(root, CONTENT), create(root)
    for one in (image_id, coming):
        near.images[one], near.touched[one, None] = CONTENT, CLOCK.now().timestamp()
    reconcile.keep_cache(service.tools)
    assert set(near.images) == {image_id, whole, coming}
    assert list(cached(root)) == [image_id]


def test_a_copy_is_on_its_way_for_as_long_as_it_takes(
    service: Service, root: Client, near: FakeStore, far: FakeStore, clock: Clock
) -> None:
    image_id = elsewhere(root)
    plain = far.read

    def slowly(*what: Any) -> Iterator[bytes]:
        for number, piece in enumerate(plain(*what) if far.images else ()):
            for at in range(0, len(piece), 100):
                clock.move(HOUR if number == at == 0 else 400)
                if at == 300:
                    assert root.delete(f"/v2/cache/{image_id}").status == 204
                reconcile.keep_cache(service.tools)
                yield piece[at : at + 100]

    far.read = slowly  # type: ignore[method-assign, assignment]
    public.bring(service.tools, image_id)
    assert (cached(root), near.images) == ({}, {image_id: CONTENT})  # dropped, and in use
    clock.move(HOUR)
    reconcile.keep_cache(service.tools)
    assert near.images == {}


@pytest.mark.parametrize("by", ["delete", "import"])
def test_who_needs_what_only_passes_in_the_moment_that_it_goes_asks_again(
    service: Service, root: Client, near: Watched, by: str
) -> None:
    image_id = create(root)
    where = f"/v2/images/{image_id}"
    if by == "import":
        assert root.put(f"{where}/stage", body=CONTENT, headers=BYTES).status == 204
        wish = {"method": {"name": "glance-direct"}, "stores": ["far"]}
    else:
        assert upload(root, image_id, CONTENT).status == 204
        wish = {"method": {"name": "copy-image"}, "stores": ["far"]}
    assert root.post(f"{where}/import", wish).status == 202
    if by == "delete":
        service.work()
        assert root.delete(f"/v2/stores/near/{image_id}").status == 204
    asked = []

    def wanted() -> None:
        near.before_delete = None
        with pytest.raises(Unavailable):
            public.bring(service.tools, image_id)
        asked.append(image_id)

    near.before_delete = wanted
    service.work()
    assert (asked, near.images, show(root, image_id)["stores"]) == ([image_id], {}, "far")
    public.bring(service.tools, image_id)
    assert (list(cached(root)), list(near.images)) == ([image_id], [image_id])


def test_what_servers_start_from_already_stays_as_a_copy(
    service: Service, root: Client, near: FakeStore
) -> None:
    image_id = active(root, CONTENT)
    wish = {"method": {"name": "copy-image"}, "stores": ["far"]}
    root.post(f"/v2/images/{image_id}/import", wish)
    service.work()
    root.delete(f"/v2/stores/near/{image_id}")
    public.bring(service.tools, image_id)
    service.work()
    assert (list(cached(root)), list(near.images)) == ([image_id], [image_id])


def test_who_may_and_what(service: Service, ann: Client, root: Client, near: FakeStore) -> None:
    image_id = elsewhere(ann)
    assert queue(root, "non-existing-image-id") == 404
    assert root.delete("/v2/cache/non-existing-image-id").status == 404
    assert root.get("/v2/cache/nodes/non-existing-image-id").status == 404
    assert queue(root, create(root)) == 400
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/clean"), ("POST", "/prune"),
        ("PUT", f"/{image_id}"), ("DELETE", f"/{image_id}"), ("GET", f"/nodes/{image_id}"),
    ):  # fmt: skip
        assert ann.request(method, f"/v2/cache{path}").status == 403
    queue(root, image_id)
    assert ann.delete(f"/v2/images/{image_id}").status == 204
    service.work()
    assert (queued(root), near.images) == ([], {})


def test_caching_may_repeat(service: Service, root: Client, near: FakeStore) -> None:
    image_id = elsewhere(root)
    queue(root, image_id)
    testing.steps_may_repeat(CACHE_IMAGE, None, service.tools.db, service.tools)
    assert (list(cached(root)), near.images) == ([image_id], {image_id: CONTENT})
    assert near.uploads == {}


@pytest.mark.parametrize("before", [False, True])
def test_another_process_carries_on(
    service: Service, root: Client, near: FakeStore, before: bool
) -> None:
    image_id = elsewhere(root)
    queue(root, image_id)
    testing.crash_at("fill", CACHE_IMAGE, None, service.tools.db, service.tools, before=before)
    assert (list(cached(root)), near.images) == ([image_id], {image_id: CONTENT})


def test_what_cannot_be_had_is_waited_for_no_longer(
    service: Service, root: Client, far: FakeStore
) -> None:
    image_id = elsewhere(root)
    queue(root, image_id)
    far.images.clear()
    service.work()
    assert (cached(root), queued(root)) == ({}, [])

"""Servers from images whose data stays at a URL: of a site of this machine, which is allowed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cumulo.kit.outbound import Destinations
from cumulo.services.image.limits import ImageLimits, StoreSettings
from cumulo.settings import Settings
from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import DISK, Boot


class Site(ThreadingHTTPServer):
    """Answers with `content`, whatever is asked for."""

    content = DISK


class _Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def emulated(site: Site, tmp_path: Path) -> Iterator[Emulated]:
    rules = Destinations(allowed_ports=(site.server_port,), allowed_networks=("127.0.0.1/32",))
    stores = {"web": StoreSettings(kind="http")}
    cloud = Emulated(
        tmp_path, settings=Settings(image=ImageLimits(stores=stores, import_filtering_opts=rules))
    )
    yield cloud
    cloud.close()


@pytest.fixture
def images(emulated: Emulated) -> Client:
    return emulated.client("image", "root:p0:admin")


@pytest.fixture
def image(emulated: Emulated, images: Client, site: Site) -> str:
    wanted = {"name": "far", "disk_format": "raw", "container_format": "bare"}
    image_id = images.post("/v2/images", {**wanted, "visibility": "public"}).json()["id"]
    where = {"url": f"http://127.0.0.1:{site.server_port}/disk"}
    assert images.post(f"/v2/images/{image_id}/locations", where).status == 202
    emulated.work()
    assert images.get(f"/v2/images/{image_id}").json()["status"] == "active"
    return str(image_id)


def test_a_server_starts_from_what_lies_at_a_url(
    boot: Boot, images: Client, image: str, emulated: Emulated
) -> None:
    assert boot()["status"] == "ACTIVE"
    assert (emulated.cloud.images / image).read_bytes() == DISK
    assert boot()["status"] == "ACTIVE"
    (cached,) = images.get("/v2/cache").json()["cached_images"]
    assert (cached["image_id"], cached["hits"]) == (image, 1)


def test_a_server_does_not_start_from_what_lies_there_now(
    boot: Boot, image: str, site: Site, emulated: Emulated
) -> None:
    site.content = DISK.replace(b"firmware", b"stranger")
    shown = boot()
    assert shown["status"] == "ERROR"
    assert "not what it was when its location was added" in shown["fault"]["message"]
    assert not (emulated.cloud.images / image).exists()

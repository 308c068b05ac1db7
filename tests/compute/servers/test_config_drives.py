"""What a config drive has, as a host is told of it."""

import base64
from pathlib import Path

import msgspec

from cumulo.db import Database
from cumulo.services.compute.settings import ComputeSettings
from cumulo.settings import Settings
from tests.cloud import Emulated
from tests.compute.servers.mover import SMALL


def test_files_and_the_operators_words_are_on_the_drive(reused: Database, tmp_path: Path) -> None:
    words = tmp_path / "words.json"
    words.write_text('{"ntp": "192.0.2.1"}')
    compute = ComputeSettings(vendordata_jsonfile_path=str(words))
    cloud = Emulated(tmp_path, db=reused, settings=Settings(compute=compute))
    images, ann = cloud.client("image"), cloud.client("compute")
    wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
    image = images.post("/v2/images", wanted).json()["id"]
    kind = {"content-type": "application/octet-stream"}
    images.request("PUT", f"/v2/images/{image}/file", body=b"disk", headers=kind)
    file = {"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}
    spec = {"name": "web", "flavorRef": SMALL, "imageRef": image, "personality": [file]}
    server_id = ann.post("/v2.1/servers", {"server": spec}).json()["server"]["id"]
    cloud.work()

    def on_drive(path: str) -> bytes:
        return cloud.nodes["node1"].spec(server_id).config_drive_bytes[f"openstack/{path}"]

    meta_data = msgspec.json.decode(on_drive("latest/meta_data.json"))
    assert meta_data["files"] == [{"content_path": "/content/0000", "path": "/etc/motd"}]
    assert on_drive("content/0000") == b"hello"
    assert msgspec.json.decode(on_drive("latest/vendor_data.json")) == {"ntp": "192.0.2.1"}
    words.write_text("no JSON")
    assert ann.post(f"/v2.1/servers/{server_id}/action", {"rebuild": {"imageRef": image}}).status
    cloud.work()
    assert on_drive("latest/vendor_data.json") == b"{}"

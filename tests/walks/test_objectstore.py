"""Object storage on an emulated cloud, over real connections, with the clients people use."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.walks.client import Client
from tests.walks.clouds import CommandCloud, QuickClient

pytestmark = pytest.mark.timeout(300)
MIB = 1 << 20


@pytest.fixture(scope="module")
def openstack(emulated: CommandCloud) -> Iterator[QuickClient]:
    client = emulated.client("demo")
    yield client
    client.close()


def test_walk(openstack: Client, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    openstack.run("container", "create", "backups")
    assert [row["Name"] for row in openstack.rows("container", "list")] == ["backups"]
    openstack.run("object", "create", "backups", str(tmp_path / "hosts"), "--name", "hosts")
    assert [row["Name"] for row in openstack.rows("object", "list", "backups")] == ["hosts"]
    saved = tmp_path / "saved"
    openstack.run("object", "save", "backups", "hosts", "--file", str(saved))
    assert saved.read_text() == "127.0.0.1 localhost\n"
    openstack.run("object", "delete", "backups", "hosts")
    openstack.run("container", "delete", "backups")
    assert openstack.rows("container", "list") == []


def test_buckets_with_keys_of_this_cloud(emulated: CommandCloud, openstack: Client) -> None:
    boto3 = pytest.importorskip("boto3")
    key = openstack.show("ec2", "credentials", "create")
    s3: Any = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{emulated.ports['objectstore']}",
        region_name="us-east-1",
        aws_access_key_id=key["access"],
        aws_secret_access_key=key["secret"],
    )
    body = os.urandom(20 * MIB)
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="small", Body=b"small")
    s3.upload_fileobj(io.BytesIO(body), "photos", "dir/large")
    found = s3.get_object(Bucket="photos", Key="dir/large")["Body"].read()
    assert hashlib.md5(found).digest() == hashlib.md5(body).digest()
    listed = s3.list_objects_v2(Bucket="photos")["Contents"]
    assert [(one["Key"], one["Size"]) for one in listed] == [
        ("dir/large", len(body)),
        ("small", 5),
    ]
    for one in listed:
        s3.delete_object(Bucket="photos", Key=one["Key"])
    s3.delete_bucket(Bucket="photos")
    s3.close()


def test_large_objects_with_swifts_own_client(
    emulated: CommandCloud, openstack: Client, tmp_path: Path
) -> None:
    service = pytest.importorskip("swiftclient.service")
    token = openstack.show("token", "issue")
    url = f"http://127.0.0.1:{emulated.ports['objectstore']}/v1/AUTH_{token['project_id']}"
    options = {"auth_version": "3", "os_storage_url": url, "os_auth_token": token["id"]}
    path = tmp_path / "large"
    path.write_bytes(os.urandom(3 * MIB))
    given = {"segment_size": MIB, "use_slo": True}
    with service.SwiftService(options) as swift:
        one = service.SwiftUploadObject(str(path), object_name="large")
        assert all(done["success"] for done in swift.upload("tapes", [one], given))
        out = {"out_file": str(tmp_path / "again")}
        assert all(done["success"] for done in swift.download("tapes", ["large"], out))
        assert all(done["success"] for done in swift.delete("tapes"))
        assert all(done["success"] for done in swift.delete("tapes_segments"))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()

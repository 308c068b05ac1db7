"""Object storage on an emulated cloud, over real connections, with the clients people use."""

import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cumulo.walks.client import Client
from tests.walks.clouds import CommandCloud, QuickClient

pytestmark = [pytest.mark.walk, pytest.mark.timeout(300)]
MIB = 1 << 20
LARGE = 11 * MIB


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


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: `tools/setup.sh test` does it")
    return found


@pytest.fixture(scope="module")
def key(openstack: Client) -> Mapping[str, Any]:
    return openstack.show("ec2", "credentials", "create")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files of all kinds, one of them so large that it goes in parts."""
    place = tmp_path / "files"
    (place / "sub dir").mkdir(parents=True)
    (place / "sub dir" / "ümlaut + plus").write_bytes(b"text")
    (place / "empty").write_bytes(b"")
    (place / "large").write_bytes(os.urandom(LARGE))
    return place


def content_of(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", ["s3", "swift"])
def test_rclone(
    emulated: CommandCloud,
    openstack: Client,
    key: Mapping[str, Any],
    files: Path,
    kind: str,
) -> None:
    command, env = program("rclone"), openstack.environment()
    settings = {
        "s3": {
            "provider": "Other",
            "endpoint": f"http://127.0.0.1:{emulated.ports['objectstore']}",
            "access_key_id": key["access"],
            "secret_access_key": key["secret"],
            "upload_cutoff": "8M",
            "chunk_size": "5M",
        },
        "swift": {"env_auth": "true", "chunk_size": "8M"},
    }[kind]
    # A machine may name authorities of its own for AWS, which rclone cannot have at once.
    env = {name: value for name, value in env.items() if not name.startswith("AWS_")}
    env |= {f"RCLONE_CONFIG_CLOUD_{name.upper()}": value for name, value in settings.items()}
    env |= {"RCLONE_CONFIG_CLOUD_TYPE": kind, "RCLONE_CONFIG": "/dev/null"}

    def rclone(*words: str) -> str:
        done = subprocess.run(
            [command, "--retries", "1", *words],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    rclone("mkdir", f"cloud:rclone-{kind}")
    rclone("sync", str(files), f"cloud:rclone-{kind}/deep")
    assert f"rclone-{kind}" in rclone("lsd", "cloud:")
    rclone("check", str(files), f"cloud:rclone-{kind}/deep", "--download")
    again = files.parent / "again"
    rclone("copy", f"cloud:rclone-{kind}/deep", str(again))
    assert content_of(again) == content_of(files)
    (files / "empty").unlink()
    rclone("sync", str(files), f"cloud:rclone-{kind}/deep")
    assert "empty" not in rclone("lsf", f"cloud:rclone-{kind}/deep")
    rclone("moveto", f"cloud:rclone-{kind}/deep/large", f"cloud:rclone-{kind}/moved")
    assert rclone("lsf", "--format", "s", f"cloud:rclone-{kind}/moved").strip() == str(LARGE)
    rclone("purge", f"cloud:rclone-{kind}")


def test_s3cmd(emulated: CommandCloud, key: Mapping[str, Any], files: Path, tmp_path: Path) -> None:
    command, host = program("s3cmd"), f"127.0.0.1:{emulated.ports['objectstore']}"
    config = tmp_path / "s3cfg"
    config.write_text(
        f"[default]\naccess_key = {key['access']}\nsecret_key = {key['secret']}\n"
        f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
        "multipart_chunk_size_mb = 5\n"
    )

    def s3cmd(*words: str) -> str:
        argv = [command, "--config", str(config), "--no-progress", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    s3cmd("mb", "s3://s3cmd")
    s3cmd("sync", f"{files}/", "s3://s3cmd/deep/")
    again = tmp_path / "again"
    again.mkdir()
    s3cmd("sync", "s3://s3cmd/deep/", f"{again}/")
    assert content_of(again) == content_of(files)
    s3cmd("setacl", "--acl-public", "s3://s3cmd")
    assert "*anon*: READ" in s3cmd("info", "s3://s3cmd")
    s3cmd("cp", "s3://s3cmd/deep/large", "s3://s3cmd/copy")
    assert str(LARGE) in s3cmd("--signature-v2", "ls", "s3://s3cmd/copy")
    s3cmd("del", "--recursive", "--force", "s3://s3cmd")
    s3cmd("rb", "s3://s3cmd")

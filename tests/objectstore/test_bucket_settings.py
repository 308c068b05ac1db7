"""Tags, rules for browsers and rules of age, as boto3 sets them."""

from typing import Any

import pytest

from cumulo.kit.clock import CLOCK
from cumulo.services.objectstore import reconcile
from tests.objectstore.service import Service, User
from tests.objectstore.test_s3 import Wire, code, s3, wire

__all__ = ["s3", "wire"]
DAY = 86400


def tags(**pairs: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def lifecycle(s3: Any, *rules: dict[str, Any]) -> None:
    whole = {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}, **rule} for rule in rules]}
    s3.put_bucket_lifecycle_configuration(Bucket="box", LifecycleConfiguration=whole)


def keys(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="box").get("Contents", [])]


def test_tags_of_objects(s3: Any, ann: User) -> None:
    where = {"Bucket": "box", "Key": "o"}
    s3.put_object(**where, Body=b"x", Tagging="a=1&b=%20", Metadata={"m": "1"})
    assert s3.get_object_tagging(**where)["TagSet"] == tags(a="1", b=" ")["TagSet"]
    assert s3.head_object(**where)["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "2"
    assert not any("sysmeta" in name for name in ann.head("box/o").headers)
    s3.copy_object(Bucket="box", Key="p", CopySource="box/o")
    assert s3.get_object_tagging(Bucket="box", Key="p")["TagSet"] == tags(a="1", b=" ")["TagSet"]
    ann.post("box/o", x_object_meta_n="2", x_object_sysmeta_s3_tags="evil=1")
    assert s3.get_object_tagging(**where)["TagSet"] == tags(a="1", b=" ")["TagSet"]
    s3.put_object_tagging(**where, Tagging=tags(c="3"))
    assert s3.get_object_tagging(**where)["TagSet"] == tags(c="3")["TagSet"]
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    assert s3.get_object(**where)["Metadata"] == {"n": "2"}
    many = tags(**{f"k{number}": "v" for number in range(11)})
    assert code(s3.put_object_tagging, **where, Tagging=many) == "BadRequest"
    assert code(s3.put_object, **where, Body=b"", Tagging="a=1&a=2") == "InvalidTag"
    assert code(s3.get_object_tagging, Bucket="box", Key="none") == "NoSuchKey"


def test_tags_of_versions_and_buckets(s3: Any) -> None:
    on = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration=on)
    first = s3.put_object(Bucket="box", Key="o", Body=b"1", Tagging="v=1")["VersionId"]
    s3.put_object(Bucket="box", Key="o", Body=b"2", Tagging="v=2")
    old = {"Bucket": "box", "Key": "o", "VersionId": first}
    assert s3.get_object_tagging(**old)["TagSet"] == tags(v="1")["TagSet"]
    s3.put_object_tagging(**old, Tagging=tags(v="one"))
    assert s3.get_object_tagging(**old)["TagSet"] == tags(v="one")["TagSet"]
    assert s3.get_object_tagging(Bucket="box", Key="o")["TagSet"] == tags(v="2")["TagSet"]
    assert code(s3.get_bucket_tagging, Bucket="box") == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket="box", Tagging=tags(cost="low"))
    assert s3.get_bucket_tagging(Bucket="box")["TagSet"] == tags(cost="low")["TagSet"]
    s3.delete_bucket_tagging(Bucket="box")
    assert code(s3.get_bucket_tagging, Bucket="box") == "NoSuchTagSet"


def test_pages_of_other_origins(s3: Any, wire: Wire, ann: User) -> None:
    s3.put_object(Bucket="box", Key="o", Body=b"x")
    assert code(s3.get_bucket_cors, Bucket="box") == "NoSuchCORSConfiguration"
    rule = {
        "AllowedOrigins": ["https://*.example.org"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["content-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket="box", CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket="box")["CORSRules"] == [rule]
    assert not any("sysmeta" in name for name in ann.head("box").headers)
    url = s3.generate_presigned_url("put_object", {"Bucket": "box", "Key": "new"})

    def ask(origin: str, method: str = "PUT", headers: str = "content-type") -> Any:
        asked = {"origin": origin, "access-control-request-method": method}
        more = {"access-control-request-headers": headers} if headers else {}
        return wire.carry("OPTIONS", url, asked | more, b"")

    told = ask("https://a.example.org")
    assert told.status == 200
    assert told.headers["access-control-allow-origin"] == "https://a.example.org"
    assert told.headers["access-control-allow-headers"] == "content-type"
    assert told.headers["access-control-max-age"] == "60"
    assert ask("https://example.com").status == 403
    assert ask("https://a.example.org", headers="x-evil").status == 403
    assert ask("https://a.example.org", method="DELETE").status == 403  # signed for PUT only
    put = wire.carry("PUT", url, {"origin": "https://a.example.org"}, b"body")
    assert put.headers["access-control-expose-headers"] == "ETag"
    get = s3.generate_presigned_url("get_object", {"Bucket": "box", "Key": "o"})
    assert "access-control-allow-origin" not in wire.carry("GET", get, {}, b"").headers
    s3.delete_bucket_cors(Bucket="box")
    assert ask("https://a.example.org").status == 403


def later(service: Service, days: int) -> None:
    """Apply the rules when some days have gone by; signatures know only today."""
    with CLOCK.held() as clock:
        clock.move(days * DAY)
        reconcile.apply_age_rules(service.tools)


def test_objects_go_when_they_are_old(s3: Any, service: Service) -> None:
    for key, tagging in (("logs/a", ""), ("logs/b", "keep=1"), ("data", "")):
        s3.put_object(Bucket="box", Key=key, Body=b"x", Tagging=tagging)
    s3.put_object(Bucket="box", Key="large", Body=b"x" * 100)
    lifecycle(
        s3,
        {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
        {"ID": "big", "Filter": {"ObjectSizeGreaterThan": 50}, "Expiration": {"Days": 1}},
        {"ID": "off", "Status": "Disabled", "Expiration": {"Days": 1}},
    )
    assert 'rule-id="logs"' in s3.head_object(Bucket="box", Key="logs/a")["Expiration"]
    later(service, 0)
    assert keys(s3) == ["data", "large", "logs/a", "logs/b"]
    later(service, 2)
    assert keys(s3) == ["data", "logs/a", "logs/b"]
    tagged = {"Tag": {"Key": "keep", "Value": "1"}}
    lifecycle(s3, {"ID": "tagged", "Filter": tagged, "Expiration": {"Days": 2}})
    later(service, 3)
    assert keys(s3) == ["data", "logs/a"]
    s3.delete_bucket_lifecycle(Bucket="box")
    later(service, 100)
    assert keys(s3) == ["data", "logs/a"]


def test_versions_and_uploads_go_when_they_are_old(s3: Any, service: Service) -> None:
    on = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration=on)
    versions = [s3.put_object(Bucket="box", Key="o", Body=b"1")["VersionId"] for _ in range(3)]
    s3.put_object(Bucket="box", Key="p", Body=b"1")
    s3.create_multipart_upload(Bucket="box", Key="big")
    late = {"DaysAfterInitiation": 3}
    parts: dict[str, Any] = {"AbortIncompleteMultipartUpload": late}
    lifecycle(s3, {**parts, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    later(service, 0)
    found = s3.list_object_versions(Bucket="box")["Versions"]
    assert [one["VersionId"] for one in found][:3] == versions[::-1]
    later(service, 2)
    found = s3.list_object_versions(Bucket="box")["Versions"]
    assert [(one["Key"], one["IsLatest"]) for one in found] == [("o", True), ("p", True)]
    assert len(s3.list_multipart_uploads(Bucket="box")["Uploads"]) == 1
    later(service, 4)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="box")


@pytest.mark.parametrize(
    "rule",
    [
        {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
    ],
)
def test_rules_of_age_that_are_not_built_say_so(s3: Any, rule: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="NotImplemented"):
        lifecycle(s3, rule)
    assert code(s3.get_bucket_lifecycle_configuration, Bucket="box") == (
        "NoSuchLifecycleConfiguration"
    )

"""What anybody may ask: what this store can do, and whether it is up."""

from collections.abc import Mapping

import msgspec

from cumulo.services.objectstore.api.answers import JSON, TEXT
from cumulo.services.objectstore.settings import (
    LISTING_LIMIT,
    MAX_ACCOUNT_NAME_LENGTH,
    MAX_CONTAINER_NAME_LENGTH,
    MAX_HEADER_SIZE,
    MAX_MANIFEST_SIZE,
    MAX_META_COUNT,
    MAX_META_NAME_LENGTH,
    MAX_META_OVERALL_SIZE,
    MAX_META_VALUE_LENGTH,
    MAX_OBJECT_NAME_LENGTH,
    MIN_SEGMENT_SIZE,
    SYMLOOP_MAX,
    ObjectStoreSettings,
    RateLimits,
)
from cumulo.services.objectstore.signatures import ALGORITHMS, METHODS
from cumulo.services.objectstore.tools import Tools
from cumulo.web import Call, Reply, Routes

routes = Routes()
_CROSSDOMAIN = (
    '<?xml version="1.0"?>\n<!DOCTYPE cross-domain-policy SYSTEM '
    '"http://www.adobe.com/xml/dtds/cross-domain-policy.dtd" >\n<cross-domain-policy>\n'
    '<allow-access-from domain="*" secure="false" />\n</cross-domain-policy>'
)
_DIGESTS = sorted(ALGORITHMS.values())


@routes.get("/info", policy=None)
def show_info(call: Call[Tools]) -> Reply:
    """Tell what this store can do."""
    alone = {} if call.tools.users is None else {"tempauth": {"account_acls": True}}
    return Reply(msgspec.json.encode(_facts(call.tools.settings) | alone), content_type=JSON)


@routes.head("/info", policy=None)
def head_info(call: Call[Tools]) -> Reply:
    """Tell that there is something to be told."""
    return show_info(call)


@routes.add("OPTIONS", "/info", policy=None)
def info_options(call: Call[Tools]) -> Reply:
    """Tell which methods there are."""
    return Reply("", headers={"Allow": "HEAD, GET, OPTIONS"}, content_type=TEXT)


@routes.get("/healthcheck", policy=None)
def healthcheck(call: Call[Tools]) -> Reply:
    """Tell that the service is up."""
    return Reply("OK", content_type="text/plain")


@routes.get("/crossdomain.xml", policy=None)
def crossdomain(call: Call[Tools]) -> Reply:
    """Tell players of old which origins may read what is public."""
    return Reply(_CROSSDOMAIN, content_type="application/xml")


def _facts(settings: ObjectStoreSettings) -> dict[str, object]:
    return {
        "swift": _limits(settings),
        "account_quotas": {},
        "bulk_delete": {
            "max_deletes_per_request": settings.max_deletes_per_request,
            "max_failed_deletes": settings.max_deletes_per_request,
        },
        "bulk_upload": {
            "max_containers_per_extraction": settings.max_containers_per_extraction,
            "max_failed_extractions": settings.max_containers_per_extraction,
        },
        "container_quotas": {},
        **_realms(settings),
        **_rates(settings.ratelimit),
        "crossdomain": {},
        "dlo": {"max_segments": settings.max_deletes_per_request},
        "formpost": {"allowed_digests": _DIGESTS, "deprecated_digests": ["sha1"]},
        "object_versioning": {},
        "slo": {
            "max_manifest_segments": settings.max_manifest_segments,
            "max_manifest_size": MAX_MANIFEST_SIZE,
            "min_segment_size": MIN_SEGMENT_SIZE,
            "yield_frequency": 0,
            "allow_async_delete": True,
        },
        "staticweb": {},
        "symlink": {"symloop_max": SYMLOOP_MAX, "static_links": True},
        "tempurl": {
            "allowed_digests": _DIGESTS,
            "deprecated_digests": ["sha1"],
            "incoming_allow_headers": [],
            "incoming_remove_headers": ["x-timestamp", "x-open-expired"],
            "methods": list(METHODS),
            "outgoing_allow_headers": ["x-object-meta-*"],
            "outgoing_remove_headers": [],
        },
        "versioned_writes": {"allowed_flags": ["x-versions-location", "x-history-location"]},
    }


def _realms(settings: ObjectStoreSettings) -> dict[str, object]:
    """Return the clusters that containers may be kept like, without their keys."""
    realms: dict[str, object] = {
        name: {"clusters": {key: dict[str, str]() for key in realm.clusters}}
        for name, realm in settings.sync_realms.items()
    }
    return {"container_sync": {"realms": realms}}


def _rates(limits: RateLimits) -> dict[str, object]:
    """Return how often is too often, where anything is limited; lists of accounts are secret."""
    if limits == RateLimits():
        return {}
    return {
        "ratelimit": {
            "account_ratelimit": limits.account_ratelimit,
            "max_sleep_time_seconds": limits.max_sleep_time_seconds,
            "container_ratelimits": _by_size(limits.container_ratelimit),
            "container_listing_ratelimits": _by_size(limits.container_listing_ratelimit),
        }
    }


def _by_size(rates: Mapping[str, float]) -> list[tuple[int, float]]:
    return sorted((int(size), rate) for size, rate in rates.items())


def _limits(settings: ObjectStoreSettings) -> dict[str, object]:
    return {
        "version": "2.38.0",
        "strict_cors_mode": True,
        "policies": [
            {"name": name, "aliases": name} | ({"default": True} if number == 0 else {})
            for number, name in enumerate(settings.policy_names)
        ],
        "allow_account_management": True,
        "account_autocreate": True,
        "max_file_size": settings.max_file_size,
        "max_meta_name_length": MAX_META_NAME_LENGTH,
        "max_meta_value_length": MAX_META_VALUE_LENGTH,
        "max_meta_count": MAX_META_COUNT,
        "max_meta_overall_size": MAX_META_OVERALL_SIZE,
        "max_header_size": MAX_HEADER_SIZE,
        "max_object_name_length": MAX_OBJECT_NAME_LENGTH,
        "container_listing_limit": LISTING_LIMIT,
        "account_listing_limit": LISTING_LIMIT,
        "max_account_name_length": MAX_ACCOUNT_NAME_LENGTH,
        "max_container_name_length": MAX_CONTAINER_NAME_LENGTH,
        "extra_header_count": 0,
    }

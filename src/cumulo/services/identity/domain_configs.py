"""What domains configure of their own: kept and shown, and without effect on this cloud's users.

As in Keystone, whose domains have no drivers of their own unless an operator wants it.
"""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, NotFound
from cumulo.services.identity.domains import DEFAULT, domain_find
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store import domain_configs as store
from cumulo.services.identity.store.domain_configs import Config as Config

SECURITY = "security_compliance"

# What may be configured, with what holds where it is not.
DEFAULTS: Config = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": {
        "url": "ldap://localhost",
        "user": None,
        "suffix": "cn=example,cn=com",
        "query_scope": "one",
        "page_size": 0,
        "alias_dereferencing": "default",
        "debug_level": None,
        "chase_referrals": None,
        "user_tree_dn": None,
        "user_filter": None,
        "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "cn",
        "user_name_attribute": "sn",
        "user_mail_attribute": "mail",
        "user_description_attribute": "description",
        "user_pass_attribute": "userPassword",
        "user_enabled_attribute": "enabled",
        "user_enabled_invert": False,
        "user_enabled_mask": 0,
        "user_enabled_default": "True",
        "user_attribute_ignore": ["default_project_id"],
        "user_default_project_id_attribute": None,
        "user_enabled_emulation": False,
        "user_enabled_emulation_dn": None,
        "user_enabled_emulation_use_group_config": False,
        "user_additional_attribute_mapping": [],
        "group_tree_dn": None,
        "group_filter": None,
        "group_objectclass": "groupOfNames",
        "group_id_attribute": "cn",
        "group_name_attribute": "ou",
        "group_members_are_ids": False,
        "group_member_attribute": "member",
        "group_desc_attribute": "description",
        "group_attribute_ignore": [],
        "group_additional_attribute_mapping": [],
        "tls_cacertfile": None,
        "tls_cacertdir": None,
        "use_tls": False,
        "tls_req_cert": "demand",
        "use_pool": True,
        "pool_size": 10,
        "pool_retry_max": 3,
        "pool_retry_delay": 0.1,
        "pool_connection_timeout": -1,
        "pool_connection_lifetime": 600,
        "use_auth_pool": True,
        "auth_pool_size": 100,
        "auth_pool_connection_lifetime": 60,
    },
}


class Place(msgspec.Struct, frozen=True):
    """A part of a configuration: all of it, a group, or one option."""

    section: str | None = None
    option: str | None = None


def default_config(place: Place) -> dict[str, object]:
    """Return what holds where a domain configures nothing, in the form that `place` asks for."""
    _check_place(place)
    return _part(DEFAULTS, place)


def config_visible(tx: Tx, ctx: Context, domain_id: str, place: Place) -> dict[str, object]:
    """Return a part of what a domain configured."""
    ctx.require("identity:get_domain_config")
    _check_domain(tx, domain_id)
    _check_place(place)
    return _found(tx, domain_id, place)


def security_config(
    tx: Tx, ctx: Context, settings: IdentitySettings, domain_id: str, option: str | None
) -> dict[str, object]:
    """Return what is demanded of passwords, which anyone with a token may know."""
    ctx.require("identity:get_security_compliance_domain_config")
    _check_domain(tx, domain_id)
    if domain_id != DEFAULT:
        raise _refused(
            "Reading security compliance information for any domain other than the default "
            "domain is not allowed or supported"
        )
    known: dict[str, object] = {
        "password_regex": settings.password_regex,
        "password_regex_description": settings.password_regex_description,
    }
    if option is not None and option not in known:
        raise _refused("Reading this option of security compliance is not supported")
    return {option: known[option]} if option else {SECURITY: known}


def create_config(
    tx: Tx, ctx: Context, domain_id: str, config: Config
) -> tuple[dict[str, object], bool]:
    """Configure a domain anew; say whether it had configured nothing before."""
    ctx.require("identity:create_domain_config")
    _check_domain(tx, domain_id)
    _check_config(config)
    before = store.config_get(tx, domain_id)
    store.config_unset(tx, domain_id)
    store.config_set(tx, domain_id, config)
    _log(tx, ctx, "configure", domain_id)
    return _part(store.config_get(tx, domain_id), Place()), not before


def update_config(
    tx: Tx, ctx: Context, domain_id: str, place: Place, given: dict[str, object]
) -> dict[str, object]:
    """Configure more, or a part anew that was configured before; return all of it."""
    ctx.require("identity:update_domain_config")
    _check_domain(tx, domain_id)
    _check_place(place)
    config = _whole(place, given)
    _check_config(config)
    if place.section:
        _found(tx, domain_id, place)
    store.config_set(tx, domain_id, config)
    _log(tx, ctx, "configure", domain_id)
    return _part(store.config_get(tx, domain_id), Place())


def delete_config(tx: Tx, ctx: Context, domain_id: str, place: Place) -> None:
    """Let a part of what a domain configured hold no more."""
    ctx.require("identity:delete_domain_config")
    _check_domain(tx, domain_id)
    _check_place(place)
    _found(tx, domain_id, place)
    store.config_unset(tx, domain_id, place.section, place.option)
    _log(tx, ctx, "unconfigure", domain_id)


def _whole(place: Place, given: dict[str, object]) -> Config:
    """Return what was given for a place as a whole configuration."""
    if place.section is None:
        options = given
    elif place.option is None:
        options = given if set(given) == {place.section} else {place.section: None}
    else:
        options = {place.section: given if set(given) == {place.option} else None}
    if not options or not all(isinstance(one, dict) and one for one in options.values()):
        raise _refused("The configuration must hold what its address names, and something of it")
    return {section: dict(one) for section, one in options.items() if isinstance(one, dict)}


def _part(config: Config, place: Place) -> dict[str, object]:
    if place.section is None:
        return {section: dict(options) for section, options in config.items()}
    options = config.get(place.section, {})
    if place.option is None:
        return {place.section: dict(options)}
    return {place.option: options.get(place.option)}


def _found(tx: Tx, domain_id: str, place: Place) -> dict[str, object]:
    config = store.config_get(tx, domain_id)
    options = config.get(place.section or "", {})
    is_there = bool(config) if place.section is None else bool(options)
    if not is_there or (place.option and place.option not in options):
        what = "any options"
        if place.section:
            what = f"group {place.section}"
        if place.option:
            what = f"option {place.option} in group {place.section}"
        raise NotFound(f"Could not find {what} in domain configuration for domain {domain_id}.")
    return _part(config, place)


def _check_domain(tx: Tx, domain_id: str) -> None:
    if domain_find(tx, domain_id) is None:
        raise absent("domain", domain_id)


def _check_place(place: Place) -> None:
    if place.section is not None and place.section not in DEFAULTS:
        raise _refused(f"Group {place.section} is not supported for domain specific configurations")
    if place.option is not None and place.option not in DEFAULTS[place.section or ""]:
        raise _refused(
            f"Option {place.option} in group {place.section} is not supported for domain specific "
            "configurations"
        )


def _check_config(config: Config) -> None:
    if not config or not all(config.values()):
        raise _refused("No options specified")
    for section, options in config.items():
        _check_place(Place(section))
        for option in options:
            _check_place(Place(section, option))


def _refused(reason: str) -> Forbidden:
    return Forbidden(f"Invalid domain specific configuration: {reason}.")


def _log(tx: Tx, ctx: Context, action: str, domain_id: str) -> None:
    note(tx, ctx, action, after=domain_find(tx, domain_id))

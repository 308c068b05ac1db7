"""What domains configure of their own."""

import msgspec

from cumulo.services.identity import domain_configs as configs
from cumulo.services.identity.api.wire import Call
from cumulo.services.identity.domain_configs import SECURITY, Config, Place
from cumulo.web import Reply, Routes

routes = Routes()

_ALL = "/v3/domains/{domain_id}/config"
_GROUP = _ALL + "/{group}"
_OPTION = _GROUP + "/{option}"
_DEFAULT = "identity:get_domain_config_default"
_UPDATE = {"policy": "identity:update_domain_config", "on_target": True}
_DELETE = {"policy": "identity:delete_domain_config", "on_target": True, "status": 204}
_GET = {"policy": "identity:get_domain_config", "on_target": True}


class ConfigBody(msgspec.Struct, forbid_unknown_fields=True):
    """A configuration, by group and option."""

    config: Config


class PartBody(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a configuration."""

    config: dict[str, object]


@routes.get("/v3/domains/config/default", policy=_DEFAULT)
def show_default_config(call: Call) -> PartBody:
    """Show what holds where a domain configures nothing."""
    return PartBody(configs.default_config(Place()))


@routes.get("/v3/domains/config/{group}/default", policy=_DEFAULT)
def show_default_group(call: Call, group: str) -> PartBody:
    """Show what holds of one group."""
    return PartBody(configs.default_config(Place(group)))


@routes.get("/v3/domains/config/{group}/{option}/default", policy=_DEFAULT)
def show_default_option(call: Call, group: str, option: str) -> PartBody:
    """Show what holds of one option."""
    return PartBody(configs.default_config(Place(group, option)))


@routes.get(_ALL, **_GET)
def show_config(call: Call, domain_id: str) -> PartBody:
    """Show what a domain configured."""
    return PartBody(call.db.read(configs.config_visible, call.ctx, domain_id, Place()))


@routes.get(_GROUP, **_GET)
def show_config_group(call: Call, domain_id: str, group: str) -> PartBody:
    """Show what a domain configured of one group."""
    return PartBody(_part(call, domain_id, Place(group)))


@routes.get(_OPTION, **_GET)
def show_config_option(call: Call, domain_id: str, group: str, option: str) -> PartBody:
    """Show one option that a domain configured."""
    return PartBody(_part(call, domain_id, Place(group, option)))


@routes.put(_ALL, policy="identity:create_domain_config", on_target=True)
def create_config(call: Call, domain_id: str, body: ConfigBody) -> Reply:
    """Configure a domain anew."""
    config, is_new = call.db.write(configs.create_config, call.ctx, domain_id, body.config)
    return Reply(PartBody(config), status=201 if is_new else 200)


@routes.patch(_ALL, **_UPDATE)
def update_config(call: Call, domain_id: str, body: PartBody) -> PartBody:
    """Configure more of a domain."""
    return _updated(call, domain_id, Place(), body)


@routes.patch(_GROUP, **_UPDATE)
def update_config_group(call: Call, domain_id: str, group: str, body: PartBody) -> PartBody:
    """Configure more of one group."""
    return _updated(call, domain_id, Place(group), body)


@routes.patch(_OPTION, **_UPDATE)
def update_config_option(
    call: Call, domain_id: str, group: str, option: str, body: PartBody
) -> PartBody:
    """Configure one option otherwise."""
    return _updated(call, domain_id, Place(group, option), body)


@routes.delete(_ALL, **_DELETE)
def delete_config(call: Call, domain_id: str) -> None:
    """Let a domain configure nothing."""
    call.db.write(configs.delete_config, call.ctx, domain_id, Place())


@routes.delete(_GROUP, **_DELETE)
def delete_config_group(call: Call, domain_id: str, group: str) -> None:
    """Let a domain configure nothing of one group."""
    call.db.write(configs.delete_config, call.ctx, domain_id, Place(group))


@routes.delete(_OPTION, **_DELETE)
def delete_config_option(call: Call, domain_id: str, group: str, option: str) -> None:
    """Let a domain configure one option no more."""
    call.db.write(configs.delete_config, call.ctx, domain_id, Place(group, option))


def _part(call: Call, domain_id: str, place: Place) -> dict[str, object]:
    if place.section == SECURITY:
        settings = call.tools.settings
        return call.db.read(configs.security_config, call.ctx, settings, domain_id, place.option)
    return call.db.read(configs.config_visible, call.ctx, domain_id, place)


def _updated(call: Call, domain_id: str, place: Place, body: PartBody) -> PartBody:
    return PartBody(call.db.write(configs.update_config, call.ctx, domain_id, place, body.config))

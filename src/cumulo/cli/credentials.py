"""The files by which OpenStack's clients find the cloud and log in."""

import os
import pwd
import shlex

import msgspec

from cumulo.cli.state import Passwords, State, write_private

_CLOUDS = {"admin": "cumulo", "demo": "cumulo-demo"}


def write_credentials(state: State, auth_url: str, region: str, passwords: Passwords) -> None:
    """Write `admin-openrc`, `demo-openrc` and `clouds.yaml`, for the one who called us to read."""
    owner = caller()
    secrets = {"admin": passwords.admin, "demo": passwords.demo}
    for user, password in secrets.items():
        write_private(state.openrc(user), _openrc(user, password, auth_url, region), owner)
    clouds = {_CLOUDS[user]: _cloud(user, secrets[user], auth_url, region) for user in secrets}
    write_private(state.clouds_yaml, msgspec.yaml.encode({"clouds": clouds}), owner)


def caller() -> tuple[int, int] | None:
    """Return who used sudo to call us; None when nobody did."""
    try:
        user = pwd.getpwuid(int(os.environ["SUDO_UID"]))
    except (KeyError, ValueError):
        return None
    return (user.pw_uid, user.pw_gid) if os.geteuid() == 0 else None


def _openrc(user: str, password: str, auth_url: str, region: str) -> bytes:
    values = {
        "OS_USERNAME": user,
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": user,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_AUTH_URL": auth_url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": region,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    # A shell may hold what another cloud's file or a cloud of clouds.yaml left there.
    clear = "unset OS_CLOUD OS_TOKEN OS_AUTH_TYPE OS_SYSTEM_SCOPE OS_DOMAIN_NAME OS_DOMAIN_ID"
    return "\n".join([f"# source this file to use the cloud as {user}", clear, *lines, ""]).encode()


def _cloud(user: str, password: str, auth_url: str, region: str) -> dict[str, object]:
    return {
        "auth": {
            "auth_url": auth_url,
            "username": user,
            "password": password,
            "project_name": user,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "identity_api_version": 3,
        "region_name": region,
    }

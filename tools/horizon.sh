#!/bin/sh
# Serve OpenStack's dashboard for a cloud: tools/horizon.sh http://127.0.0.1:5000/v3 [PORT]
#
# It is installed into .horizon of its own, and serves only this machine.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "horizon: tools/horizon.sh http://HOST:PORT/v3 [PORT]" >&2; exit 2; }
HORIZON_KEYSTONE=$1 port=${2:-8090}
export HORIZON_KEYSTONE

[ -e .horizon/ready ] || {
    python3 -m venv .horizon
    # The last three are what this Horizon was made for: it does not say so itself.
    .horizon/bin/pip install --quiet horizon==25.5.1 pymemcache XStatic-Font-Awesome==4.7.0.0 oslo.policy==4.5.1 \
        keystoneauth1==5.12.0
    mkdir -p .horizon/static .horizon/local
    cat >"$(.horizon/bin/python -c 'import openstack_dashboard.local as it; print(it.__path__[0])')/local_settings.py" <<EOF
import os
from pathlib import Path

DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = os.urandom(32).hex()
OPENSTACK_KEYSTONE_URL = os.environ["HORIZON_KEYSTONE"]
OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT = True
OPENSTACK_CINDER_FEATURES = {"enable_backup": True}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
COMPRESS_ENABLED = COMPRESS_OFFLINE = False
WEBROOT = "/"
STATIC_ROOT = "$PWD/.horizon/static"
LOCAL_PATH = "$PWD/.horizon/local"
EOF
    touch .horizon/ready
}
manage() {
    DJANGO_SETTINGS_MODULE=openstack_dashboard.settings .horizon/bin/python -W ignore -m django "$@"
}
manage collectstatic --noinput >/dev/null
manage runserver --insecure --noreload "127.0.0.1:$port"

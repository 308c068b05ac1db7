#!/bin/sh
# Fetch noVNC, which shows consoles in a browser, to where the program finds it.
#
# Only the files that npm's registry has under this checksum are taken.
set -eu
cd "$(dirname "$0")/.."
version=1.7.0
sha512=b9c1093b1e13d9abc844295ea1d93b6286d98f93b619ad8078b7d0ebd03fca31bd1c76dadbe3c38304a437716db6b986fbbd191b1db5b0494d168b8ad77473c8
target=src/cumulo/web/viewer/novnc

[ "$(cat $target/version 2>/dev/null)" != "$version" ] || exit 0
if ! command -v npm >/dev/null; then
    echo "setup: without npm there is no noVNC: consoles open in other viewers, not in a browser"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "@novnc/novnc@$version" >/dev/null
echo "$sha512  $work/novnc-novnc-$version.tgz" | sha512sum --check --quiet
rm -rf $target
mkdir -p $target
tar -xzf "$work/novnc-novnc-$version.tgz" -C $target --strip-components=1 \
    package/core package/vendor package/LICENSE.txt package/docs
echo $version >$target/version
echo "setup: noVNC $version"

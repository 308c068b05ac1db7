#!/bin/sh
# Fetch the dashboard's style and script anew from npm; what came must have the hash written here.
set -eu
cd "$(dirname "$0")/.."
to=src/cumulo/services/dashboard/assets/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() {
    package=$1 integrity=$2
    file=$(cd "$work" && npm pack --silent "$package")
    found=sha512-$(openssl dgst -sha512 -binary "$work/$file" | openssl base64 -A)
    [ "$found" = "$integrity" ] || {
        echo "assets: $package has another hash than expected: $found" >&2
        exit 1
    }
    tar -xzf "$work/$file" -C "$work"
}

fetch @picocss/pico@2.1.1 sha512-kIDugA7Ps4U+2BHxiNHmvgPIQDWPDU4IeU6TNRdvXQM1uZX+FibqDQT2xUOnnO2yq/LUHcwnGlu1hvf4KfXnMg==
cp "$work/package/css/pico.min.css" "$to/pico.min.css"
cp "$work/package/LICENSE.md" "$to/pico.LICENSE"
rm -r "$work/package"
fetch htmx.org@2.0.11 sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==
cp "$work/package/dist/htmx.min.js" "$to/htmx.min.js"
cp "$work/package/LICENSE" "$to/htmx.LICENSE"

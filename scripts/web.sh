#!/usr/bin/env bash
# Builds the web client into web/dist: packages only when the lock file changed, the bundle only when a source did.
set -euo pipefail
shopt -s extglob
cd "$(dirname "$0")/.."

fingerprint() { # of the named files and folders, by content
    find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
}
stale() { # FILE FINGERPRINT
    [ "$(cat "$1" 2>/dev/null)" != "$2" ]
}

packages=$(fingerprint web/package.json web/package-lock.json)
if stale web/node_modules/.installed "$packages"; then
    echo "installing the web client's packages"
    scripts/npm.sh ci --prefer-offline --loglevel=error
    echo "$packages" >web/node_modules/.installed
fi
[ "${1:-build}" = packages ] && exit 0

sources=$(fingerprint web/!(node_modules|dist))
if [ ! -e web/dist/index.html ] || stale web/node_modules/.built "$sources"; then
    echo "building the web client"
    scripts/npm.sh run --silent build -- --logLevel warn
    echo "$sources" >web/node_modules/.built
fi

#!/usr/bin/env bash
# Installs the named Debian packages that are missing, with sudo when not root.
set -euo pipefail

missing=()
for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null || { echo "rostra: please install: ${missing[*]} (this is not a Debian system)" >&2; exit 1; }
root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "rostra: please run as root, or with sudo at hand, to install: ${missing[*]}" >&2; exit 1; }
    root=(sudo)
fi
echo "installing Debian packages: ${missing[*]}"
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

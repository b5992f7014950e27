#!/usr/bin/env bash
# Runs uv, the Python package manager, after putting the pinned one from PyPI into the cache.
set -euo pipefail

version=0.13.9
cache=${ROSTRA_CACHE:-$HOME/.cache/rostra}
home=$cache/uv-$version

if [ ! -x "$home/bin/uv" ]; then
    python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        { echo "rostra: Python 3.11 or newer is needed as \"$python\" (PYTHON=... names another)" >&2; exit 1; }
    echo "fetching uv $version from PyPI into $home" >&2
    rm -rf "$home"
    # Debian ships Python without venv and pip; either of them is enough.
    if "$python" -c 'import venv, ensurepip' 2>/dev/null || ! "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -c 'import venv, ensurepip' 2>/dev/null || "$(dirname "$0")/apt.sh" python3-venv >&2
        "$python" -m venv "$home"
        "$home/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$version"
    else
        "$python" -m pip install --quiet --disable-pip-version-check --target "$home" "uv==$version"
    fi
fi

unset VIRTUAL_ENV # an activated environment is not this project's
export UV_CACHE_DIR=$cache/uv
exec "$home/bin/uv" "$@"

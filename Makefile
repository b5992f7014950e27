# Every command of the project; `make` alone lists them. Each fetches what it needs, and does nothing twice.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# One folder outside the checkout holds what takes long to fetch or compile: uv and its packages, Rust's output, npm's packages.
export ROSTRA_CACHE ?= $(HOME)/.cache/rostra
export CARGO_TARGET_DIR ?= $(ROSTRA_CACHE)/target

PY := .venv/bin/python
DEBIAN := chromium firefox-esr postgresql espeak-ng openssl iproute2

.PHONY: help serve dev test check bench generate build tools clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

serve: build ## build what is missing, serve on http://127.0.0.1:8080 (settings: docs/howto/settings.md)
	@exec .venv/bin/rostra serve

dev: build load ## serve, rebuild on every change, and let two fake speakers talk
	@exec $(PY) scripts/dev.py

test: build tools load ## install what the tests need and run every test, fast ones first
	@scripts/apt.sh $(DEBIAN)
	@echo "testing the media core"
	@scripts/cargo.sh test --locked --quiet --workspace --exclude media-py
	@echo "testing the web client"
	@scripts/npm.sh run --silent test
	@echo "testing the server"
	@$(PY) -m pytest

check: tools ## lint, formatting, types, architecture, generated files
	@scripts/check.sh

bench: build tools load ## measure: every script of bench/
	@set -e; for script in bench/*.py; do [ $$script = bench/common.py ] || { echo "== $$script"; $(PY) $$script; }; done

generate: tools ## write the generated files: wire types, the page's types, docs/protocol.md
	@set -e; for script in protocol/generate*.py; do $(PY) $$script; done

.PHONY: build tools load
build: # what serving needs
	@scripts/python.sh run
	@scripts/web.sh

tools: # what tests and checks need besides
	@scripts/python.sh all
	@scripts/web.sh packages

load: # synthetic speakers and listeners
	@scripts/cargo.sh build --locked --quiet --release -p media-load

clean: ## remove what was built here; the cache stays
	rm -rf .venv web/dist web/node_modules python/rostra/_media.abi3.so .pytest_cache .ruff_cache .hypothesis .import_linter_cache

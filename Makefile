# Every command of the project; `make` alone lists them.
SHELL := /bin/bash
export ROSTRA_CACHE ?= $(HOME)/.cache/rostra
export CARGO_TARGET_DIR ?= $(ROSTRA_CACHE)/target
.DEFAULT_GOAL := help

.PHONY: help generate
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

generate: ## write the files generated from protocol/
	python3 protocol/generate.py

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo

.PHONY: help
help: ## Lists the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: ## The fast inner loop: formatting, lints, unit tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	$(CARGO) test --workspace --lib --bins --all-features

.PHONY: test
test: check ## Everything that this machine can run; what CI calls

.PHONY: generate
generate: ## Writes the generated files anew: crds/
	PENSTOCK_GENERATE=1 $(CARGO) test -q -p penstock-cli --lib commands::crd

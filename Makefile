SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo

.PHONY: help
help: ## Lists the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: ## The fast inner loop: formatting, lints, unit tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	$(CARGO) test --workspace --lib --bins --all-features

.PHONY: test
test: check deny-if-built ## Everything that this machine can run; what CI calls
	$(CARGO) test --workspace --all-features --no-run
# Where Go or Python is missing it says so, and the cases that need a cluster are skipped.
	$(or $(CARGO_TARGET_DIR),target)/debug/penstock-testbed build --optional
	$(CARGO) test --workspace --all-features --test '*'
	$(CARGO) test --workspace --all-features --doc

TESTBED := $(CARGO) run --quiet --package penstock-testbed --

.PHONY: tools
tools: ## Builds Kubernetes, etcd, kwok, Helm, OpenBao and PostgreSQL into the user's cache, once
	@$(TESTBED) build

.PHONY: cluster
cluster: ## Starts a control plane and a vault, and runs them until Ctrl-C
	@$(TESTBED) up

# A debug build: it shares everything that it is built from with the testbed beside it, and is there in half the time.
CLUSTER ?= local
.PHONY: demo
demo: prerequisites ## The story on a real Kubernetes and a real OpenBao (CLUSTER=current: on your cluster)
	@$(CARGO) build --package penstock --package penstock-testbed
	@$(or $(CARGO_TARGET_DIR),target)/debug/penstock-testbed demo --cluster $(CLUSTER) $(if $(YES),--yes)

N ?= 1000
.PHONY: bench
bench: prerequisites ## Measures N=1000 SecretSyncs: time, writes, reads, memory
	@$(CARGO) build --release --package penstock --package penstock-testbed
	@$(or $(CARGO_TARGET_DIR),target)/release/penstock-testbed bench --objects $(N)

# Before anything is compiled.
.PHONY: prerequisites
prerequisites: ## Says what this machine lacks, and how to get it
	@sh tests/testbed/prerequisites.sh cargo cc git go python

# Each store alone, and none: minutes of compiling, so nobody is made to wait for it.
STORES := vault kubernetes infisical gcp-secret-manager azure-key-vault bitwarden bitwarden-secrets-manager \
  aws-secrets-manager aws-parameter-store files ssh
.PHONY: features
features: ## Lints builds without stores, and with each store alone
	@for store in '' $(STORES); do \
	  echo "features: $${store:-none}"; \
	  $(CARGO) clippy --quiet --package penstock --no-default-features --features "$$store" -- -D warnings; \
	done

.PHONY: generate
generate: ## Writes the generated files anew: crds/ and the chart's copy
	PENSTOCK_GENERATE=1 $(CARGO) test -q -p penstock-cli --lib commands::crd

CARGO_DENY_VERSION := 0.20.2
CACHE := $(or $(PENSTOCK_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/penstock),$(HOME)/.cache/penstock)
CARGO_DENY := $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

.PHONY: deny
deny: $(CARGO_DENY) ## Licences, sources, doubled dependencies (builds cargo-deny once)
	$(CARGO_DENY) check bans licenses sources

# Minutes of compiling that CI does not owe anybody: it checks where the tool is, and says so where it is not.
.PHONY: deny-if-built
deny-if-built:
	@if [ -x "$(CARGO_DENY)" ]; then $(MAKE) --no-print-directory deny; \
	else echo "skipped: licences and doubled dependencies (make deny builds cargo-deny once)"; fi

$(CARGO_DENY):
	CARGO_TARGET_DIR=$(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/target \
	  $(CARGO) install cargo-deny --version $(CARGO_DENY_VERSION) --locked --root $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)
	rm -rf $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/target

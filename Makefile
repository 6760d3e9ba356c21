# `make run` shows it, `make test` checks it; each does its own set-up. `make` alone lists everything.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SCRIPTS := $(shell grep -lsE '^\#!.*\bbash' .ci/* hack/* e2e/*/*)
LINTERS := $(addprefix lint-,types python security workflows forms shell imports docker yaml manifests)
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo env PYTHONDONTWRITEBYTECODE=1)
PEER := $(if $(AS_ROOT),KUBE_PROXY_BIN="$$KUBE_PROXY_BIN")

export PYTHON
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help docs run test test-night test-lowest test-all lint $(LINTERS) dist bench bench-quick chaos fuzz soak promises mutants image-test lock ready clean

help: ## this list
	@awk -F ':|## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$NF }' $(MAKEFILE_LIST)

run: ## the main job with no cluster; two nodes on this machine, every Service of examples/ asked with curl; KEEP=1 leaves them up (root or sudo)
	@hack/setup
	@$(MAKE) -s --no-print-directory $(STAMP)
	@$(AS_ROOT) $(PY) -m e2e.demo $(if $(KEEP),--keep) $(ARGS)

test: ## linters, types, import contracts, all pure tests, and one of everything on the kernel (for that: root)
	@.ci/run

test-night: ready ## the tests that `make test` leaves out: slow ones, and other backends and layouts (root or sudo)
	@$(AS_ROOT) $(PY) -m pytest -m night -n auto --dist loadgroup $(ARGS)

test-lowest: $(STAMP) ## tests with the oldest versions of other packages that pyproject.toml allows
	@hack/test-lowest $(ARGS)

test-all: ## everything, for nights and releases: test, and all that takes longer; some hours (root or sudo)
	@$(MAKE) -s --no-print-directory --keep-going test test-night test-lowest chaos fuzz promises soak

lint: $(STAMP) ## every linter, types and import contracts; `make lint-types` and the like for one of them
	@$(MAKE) -s --no-print-directory --keep-going --jobs $(shell nproc) --output-sync=target $(LINTERS)

lint-%: export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

lint-python: $(STAMP)
	ruff check --quiet
	ruff format --check --quiet

lint-types: $(STAMP)
	mypy

lint-imports: $(STAMP)
	$(VENV)/bin/lint-imports

lint-shell: $(STAMP)
	shellcheck $(SCRIPTS)

lint-docker: $(STAMP)
	hadolint $(shell git ls-files '*Dockerfile')

lint-yaml: $(STAMP)
	yamllint --strict .

# Workflows: that they are right, that they fit their schema, and that nobody can misuse them.
lint-workflows: $(STAMP)
	jactionlint --profile correctness
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

lint-security: $(STAMP)
	zizmor --quiet --offline --persona auditor .github

lint-forms: $(STAMP)
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	check-jsonschema --builtin-schema vendor.github-issue-forms \
	  $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

# Each kustomization can be built; components only as a part of one, which tests/manifests has.
lint-manifests: $(STAMP)
	for file in $$(grep -rL '^kind: Component' --include kustomization.yaml manifests); do \
	  kubectl kustomize "$$(dirname "$$file")" >/dev/null || exit; done

dist: $(STAMP) ## wheel and sdist into dist/, built with the tools of requirements-build.lock
	@rm -rf dist
	@$(VENV)/bin/uv build --quiet --build-constraints requirements-build.lock --require-hashes --out-dir dist

docs: $(STAMP) ## runs every command in README.md and docs/ again, and draws their pictures
	$(PY) -m docs.regenerate

bench: $(STAMP) ## how fast, how large, and how both grow; writes docs/performance.md and its plots; half an hour (root or sudo)
	@hack/setup
	$(AS_ROOT) $(PEER) $(PY) -m bench --json build/bench.json --plots docs/img --document docs/performance.md $(ARGS)

bench-quick: $(STAMP) ## the same on small clusters, and nothing is written; some two minutes (root or sudo)
	@hack/setup
	$(AS_ROOT) $(PEER) $(PY) -m bench --quick $(ARGS)

chaos: ready ## every fault of tests/chaos in full, 100 kills among them; ten minutes (root or sudo)
	@$(AS_ROOT) env PYKUBEPROXY_CHAOS=full $(PY) -m pytest tests/chaos --junitxml=build/chaos.xml $(ARGS)
	@$(AS_ROOT) env PYKUBEPROXY_CHAOS_BACKEND=legacy $(PY) -m pytest -k any tests/chaos --junitxml=build/chaos-legacy.xml $(ARGS)

fuzz: ready ## 10,000 random clusters, and as many inputs of each parser, against what must hold for all; an hour or two (root or sudo)
	@$(AS_ROOT) env $(PEER) HYPOTHESIS_PROFILE=fuzz $(PY) -m pytest tests/fuzz $(ARGS)

soak: ready ## twenty changes a second for an hour, with each backend that is there (root or sudo)
	@$(AS_ROOT) env PYKUBEPROXY_SOAK_SECONDS=3600 $(PY) -m pytest tests/chaos/test_soak.py --junitxml=build/soak.xml $(ARGS)

promises: ready ## breaks each promise of docs/reliability.md on purpose, and shows that its test tells; half an hour (root or sudo)
	@$(AS_ROOT) $(PY) -m tests.promises --document docs/reliability.md $(ARGS)

mutants: $(STAMP) ## small changes to rules, plan, flows and the watch protocol, and those that no test notices; hours; ARGS="pykubeproxy.flows.*" for one package, some minutes
	@rm -rf mutants
	@HYPOTHESIS_PROFILE=mutants nice -n 15 $(VENV)/bin/mutmut run $(if $(ARGS),"$(ARGS)")
	@$(VENV)/bin/mutmut results

image-test: ready ## builds the container image here, without a registry, and runs it; some two minutes (root or sudo)
	@$(AS_ROOT) hack/image-test

lock: ## the exact versions in the image, requirements*.lock; ARGS=--upgrade for the newest ones
	@hack/lock $(ARGS)

ready: ## what the tests need; Debian packages where they can be had, and .venv
	@hack/setup --for-tests
	@$(MAKE) -s --no-print-directory $(STAMP)

$(STAMP): pyproject.toml
	@test -x $(PY) || { echo "making $(VENV)" >&2 && $(PYTHON) -m venv $(VENV); }
	@echo "installing the project's dependencies into $(VENV)" >&2
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean: ## removes .venv, caches, and what killed runs have left behind
	@if [ -x $(PY) ] && ls /run/netns/pkp-* >/dev/null 2>&1; then $(AS_ROOT) $(PY) -m e2e.lab; fi
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `make demo` and `make test` are all a newcomer needs; Python >= 3.11 with venv, make and git exist.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.DEFAULT_GOAL := help
.PHONY: help demo test compliance bench soak check lint format types pages lock sbom clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(STAMP) ## relay, stand-in for TFE and a scripted IdP, live, in one process
	$(BIN)/scim-relay demo

# Tests with sockets and processes wait for most of their time: two cores have work for four.
test: $(STAMP) ## every test but the long ones
	$(BIN)/pytest -q -n 4 --dist worksteal

compliance: $(STAMP) ## a running relay against the clients and test suites of others; installs them first
	$(BIN)/pytest -q -m compliance -n 2

bench: $(STAMP) ## measurements; prints figures, asserts floors
	$(BIN)/pytest -q -m bench -p no:randomly -s

soak: $(STAMP) ## the longer proofs
	$(BIN)/pytest -q -m soak --timeout 7200 -n 2

check: lint types test ## all that .ci/run asks for

lint: $(STAMP) ## style, formatting, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

format: $(STAMP) ## rewrite in the one format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

pages: $(STAMP) ## write the generated pages again (sample configuration, reference)
	$(BIN)/scim-relay docs --write .

lock: ## resolve requirements anew; commits what it wrote after review
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install -q "pip-tools>=7.5,<8"
	$(VENV)-lock/bin/python requirements/lock.py
	rm -rf $(VENV)-lock

sbom: ## build/sbom.cdx.json: what an installation consists of (CycloneDX)
	$(PYTHON) -m venv $(VENV)-runtime
	$(VENV)-runtime/bin/pip install -q --require-hashes -r requirements/runtime.txt
	$(VENV)-runtime/bin/pip install -q --no-deps --no-build-isolation .
	$(PYTHON) -m venv $(VENV)-deploy
	$(VENV)-deploy/bin/pip install -q --require-hashes -r requirements/compliance-deploy.txt
	mkdir -p build
	$(VENV)-deploy/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file build/sbom.cdx.json $(VENV)-runtime/bin/python
	rm -rf $(VENV)-runtime $(VENV)-deploy

clean: ## remove what was made here
	rm -rf $(VENV) $(VENV)-lock build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

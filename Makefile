# The front door. Everything lands in .venv; nothing outside this folder is touched.

PYTHON ?= python3
BIN := .venv/bin
WEIGHBRIDGE := $(BIN)/weighbridge
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Half of a worker's time is waiting, for a flush or for a process: three keep two cores busy.
WORKERS ?= 3

.PHONY: help setup demo test lint bench rivals lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: .venv/.run ## Prepare .venv, nothing else

demo: setup ## Both networks and the bridge on this machine, with a conversation
	@$(WEIGHBRIDGE) demo

test: .venv/.test ## Everything that must hold, in under ten minutes
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: .venv/.test ## What the linter has to say (a test asks it, too)
	@$(BIN)/ruff check bridge connectors tests

bench: setup rivals ## Measure relay, policy, records and search on this machine
	@$(WEIGHBRIDGE) bench relay
	@$(WEIGHBRIDGE) bench policy
	@$(WEIGHBRIDGE) bench audit
	@$(WEIGHBRIDGE) bench search

rivals: .cache/rivals/.complete ## Other people's engines, to be measured beside ours

lock: .venv/.test ## Resolve requirements/*.in again, with hashes
	@test -x $(BIN)/uv || $(PIP) install uv
	@for list in run s3 parquet test rivals; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	        requirements/$$list.in -o requirements/$$list.txt || exit 1; \
	done

clean: ## Remove what make and the tests have made
	@rm -rf .venv .cache .pytest_cache .hypothesis .ruff_cache .mypy_cache build ./*.egg-info demo
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments: a stamp file says that one is complete ---------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "weighbridge needs Python 3.11 or newer, and '$(PYTHON)' is not: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "Python's venv module is missing: apt install python3-venv" >&2; exit 1; }
	@echo "Preparing .venv (a minute or two, once)"
	@$(PYTHON) -m venv .venv

.venv/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: requirements/test.txt .venv/.run
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

.cache/rivals/.complete: requirements/rivals.txt | $(BIN)/python
	@mkdir -p .cache && $(BIN)/python -m venv --clear .cache/rivals
	@.cache/rivals/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/rivals.txt
	@touch $@

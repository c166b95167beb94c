# `make demo` and `make test` set everything up by themselves: a virtual environment in .venv with the tested versions.
# PYTHON=python3.12 chooses the Python; by default the newest of 3.14 to 3.11 that works. VENV=folder puts the environment elsewhere.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
DEMO_OUT ?= demo-out
BIN := $(VENV)/bin
BENCH := .venv-bench
KERAS := .venv-keras

# a command may be there and not run (a version manager's placeholder), so each is tried; an environment that is there keeps its Python
WORKS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'
PYTHON ?= $(shell for python in $(BIN)/python python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$python" $(WORKS) >/dev/null 2>&1 && echo "$$python" && break; done)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
STAMP := $(VENV)/.ready-$(VERSION)

# large files on slow lines; no other Python than the chosen one is fetched
export UV_HTTP_TIMEOUT ?= 600
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help setup demo test test-all check docs bench lock

help:
	@echo "make demo      simulate, train, predict, evaluate, report: in about two minutes"
	@echo "make test      the tests, without the slow ones"
	@echo "make test-all  all tests, and new examples of the property tests"
	@echo "make check     format, lint, types, fresh reference"
	@echo "make docs      write docs/reference.md anew"
	@echo "make bench     measure speed on this machine"
	@echo "make lock      write requirements.txt anew, from pyproject.toml"

setup: $(STAMP)

demo: $(STAMP)
	$(BIN)/terrazzo demo --out $(DEMO_OUT)

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto -m "not slow"

test-all: $(STAMP)
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest -q

check: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python docs/make_reference.py --check

docs: $(STAMP)
	$(BIN)/python docs/make_reference.py

bench: $(BENCH)/.ready $(KERAS)/.ready
	for script in benchmarks/bench_*.py; do $(BENCH)/bin/python "$$script"; done

# Peers lie on top of the project's environment, so that torch is not there twice, and never in it.
$(BENCH)/.ready: $(STAMP) benchmarks/requirements-peers.txt
	@echo "Setting up $(BENCH) with what the benchmarks compare with ..."
	@$(UV) venv --quiet --clear --python $(BIN)/python $(BENCH)
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> "$$($(BENCH)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@$(UV) pip freeze --quiet --python $(BIN)/python | grep '^torch==' > $(BENCH)/torch.txt
	@echo torchvision | $(UV) pip compile --quiet --no-header --no-annotate --python $(BIN)/python --constraint $(BENCH)/torch.txt - \
		| grep '^torchvision==' > $(BENCH)/torchvision.txt
	@$(UV) pip install --quiet --python $(BENCH)/bin/python --no-deps --requirement benchmarks/requirements-peers.txt \
		--requirement $(BENCH)/torchvision.txt
	@touch $@

# Keras brings a numpy and a protobuf of its own, so it has an environment to itself; bench_train.py starts it as a child.
$(KERAS)/.ready: $(STAMP)
	@echo "Setting up $(KERAS) ..."
	@$(UV) venv --quiet --clear --python $(BIN)/python $(KERAS)
	@$(UV) pip install --quiet --python $(KERAS)/bin/python tensorflow-cpu
	@touch $@

# The tested set: for all supported versions of Python, with hashes, without addresses of indexes.
lock: $(STAMP)
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.txt

# uv of the machine, or one put into .uv with pip; where uv cannot install (it does not read pip's settings), pip does.
UV = $(or $(shell uv --version >/dev/null 2>&1 && echo uv),.uv/bin/uv)

$(STAMP): pyproject.toml requirements.txt
	@test -n "$(VERSION)" || { echo "No Python of 3.11 to 3.14 works here. Install one, or name one: make PYTHON=/path/to/python" >&2; exit 5; }
	@$(UV) --version >/dev/null 2>&1 || PIP_USER=0 $(PYTHON) -m pip install -qq --root-user-action=ignore --disable-pip-version-check --target .uv uv
	@test -x "$$(command -v $(UV))" || { echo "uv could not be installed with pip." >&2; exit 5; }
	@echo "Setting up $(VENV) with Python $(VERSION) ..."
	@rm -f $(VENV)/.ready-*
	@$(BIN)/python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' >/dev/null 2>&1 || $(UV) venv --quiet --clear --python "$(PYTHON)" $(VENV)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt \
		|| $(PYTHON) -m pip --python $(BIN)/python install --quiet --require-hashes --requirement requirements.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable . \
		|| $(PYTHON) -m pip --python $(BIN)/python install --quiet --no-deps --editable .
	@touch $@

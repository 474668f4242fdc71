# Two commands: `make run` shows a slide being screened, `make test` checks everything but published systems.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ARGS ?= --camera demo
# which tests `make test` runs; MARKED= runs those of the published systems with them, in one go
MARKED ?= not published
# pytest's workers: one a processor that this process may use, and each of them takes up to a gigabyte
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal

# a shell that has Python keep no bytecode would have every program that a test starts compile all modules
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint types contracts tests test-published system-test wheel clean

run: $(VENV)/.device  ## screen a simulated slide; ARGS="--camera fields/" for something else
	@$(BIN)/edge-run $(ARGS)

test: lint types contracts tests  ## lint, types, layers, tests

lint: $(VENV)/.workstation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.workstation
	$(BIN)/mypy
	MYPYPATH=packaging $(BIN)/mypy packaging/*.py

contracts: $(VENV)/.workstation
	$(BIN)/lint-imports

tests: $(VENV)/.workstation
	$(PYTEST) -m "$(MARKED)"

test-published: $(VENV)/.workstation  ## tests of the published systems
	$(PYTEST) -m published

system-test: $(VENV)/.workstation  ## every fault of a camera, the service and sticks, in an emulated machine with the kernel's test drivers: half an hour
	$(BIN)/python tests/system/cameras.py
	$(BIN)/python tests/system/service.py
	$(BIN)/python tests/system/sticks.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# the compiled core is made anew where its sources changed
CORE := $(wildcard edge/native/c/*.[ch])

$(VENV)/.device: $(VENV)/bin/python pyproject.toml $(CORE)
	@echo "installing the device application into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.workstation: $(VENV)/bin/python pyproject.toml constraints.txt $(CORE)
	@echo "installing everything, PyTorch included, into $(VENV): this takes minutes ..."
	@$(PIP) --editable '.[train,export,published,archive,dev]'
	@touch $@ $(VENV)/.device

wheel: $(VENV)/.device  ## the program with its compiled core, for x86-64 and for arm64
	@$(BIN)/python packaging/native.py

deb: $(VENV)/.device  ## Debian packages; SUITE=trixie ARCH=arm64 builds only one
	@$(BIN)/python packaging/deb.py $(if $(SUITE),--suite $(SUITE)) $(if $(ARCH),--arch $(ARCH))

clean:
	rm -rf $(VENV) build dist *.egg-info

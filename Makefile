# The newcomer's two commands are `make demo` and `make test`; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes --upgrade --quiet

# Where it is set, as in many containers, every start would compile all of our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-fast soak check bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    run the whole pipeline on sample_drops/ against a local stand-in for the API"
	@echo "make test    all tests: minutes; PYTEST_ARGS='tests/unit -k dates' for some of them"
	@echo "make test-fast   only the unit tests: a minute"
	@echo "make soak    campaigns, kills, chaos, mutated files; MINUTES=10, SEEDS=1-50, ONLY='kill'"
	@echo "make check   format, lint, strict types, import contracts"
	@echo "make bench   the measures of benchmarks/README.md (minutes)"
	@echo "make setup   only the .venv with locked dependencies"
	@echo "make lock    re-resolve the lock files"

setup: $(STAMP)

# uv installs in a quarter of the time; what only pip is set up to find, pip finds.
$(STAMP): requirements-setup.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Shipdrop needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	{ $(PIP) --require-hashes -r requirements-setup.lock && \
	  $(BIN)/uv pip install --python $(BIN)/python --quiet --compile-bytecode --require-hashes -r requirements-dev.lock; } || \
	  $(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)
	$(BIN)/shipdrop demo

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-fast: $(STAMP)
	$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

soak: $(STAMP)
	$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(ONLY),--only '$(ONLY)')

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(STAMP)
	$(BIN)/python -m benchmarks

lock: $(STAMP)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --extra cluster -c requirements.lock -o requirements-cluster.lock
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) --group pyproject.toml:setup -o requirements-setup.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist

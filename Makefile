# The newcomer's two commands are `make demo` and `make test`; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Where it is set, as in many containers, every start would compile all of our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    run the whole pipeline on sample_drops/ against a local stand-in for the API"
	@echo "make test    all tests"
	@echo "make check   format, lint, strict types, import contracts"
	@echo "make bench   the measures of benchmarks/README.md (minutes)"
	@echo "make setup   only the .venv with locked dependencies"
	@echo "make lock    re-resolve the lock files (needs uv)"

setup: $(STAMP)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Shipdrop needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)
	$(BIN)/shipdrop demo

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(STAMP)
	$(BIN)/python -m benchmarks

lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes --upgrade --quiet -o requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes --upgrade --quiet -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist

# One line each: what a newcomer types. Everything lives in .venv; installing twice costs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test core lint docs clean

install: $(STAMP)

# pip is skipped while pyproject.toml is older than the last install
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "variegate needs Python 3.11 or newer: make install PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(STAMP)

demo: install
	$(BIN)/variegate demo --out demo

# files are shared out among processes of one thread each, which two cores finish in half of the time
PROCESSES ?= 2
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

test: install
	$(PYTEST)

core: install
	$(PYTEST) -m core

lint: install
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/mypy

docs: install
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Everything is installed into .venv; installing again is a no-op unless pyproject.toml has changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo studio test core lint docs wheel clean

install: $(STAMP)

# skip pip unless pyproject.toml is newer than the last install
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "variegate needs Python 3.11 or newer: make install PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(STAMP)

studio: install
	$(BIN)/variegate studio

demo: install
	$(BIN)/variegate demo --out demo

# test files are distributed over single-threaded processes; on two cores this halves the time
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

# dist/ with the archive and the wheel; then a wheel of the same files works in a fresh environment, outside of here
wheel: install
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python -m pytest -m slow tests/house/test_release.py

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis

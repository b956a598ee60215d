# Every target makes its own environment first; it is made anew only when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# nox finds the interpreters that pyenv has switched on.
NOX := PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd: -)" $(BIN)/nox

# What tests in this process and needs no container; CONTRIBUTING has more parts.
QUICK := tests/pure tests/local tests/structure/test_changelog.py tests/structure/test_private_names.py tests/benchmarks

.PHONY: demo quick test check docs pages dist bench compare growth herd soak fuzz matrix lowest clean

demo: $(VENV)/.demo
	$(BIN)/flyte-wandb demo

quick: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(QUICK)

# Three workers on the two cores that it is meant for: many tests wait for a server, a signal or a time limit.
test: $(VENV)/.dev
	.ci/browser
	$(BIN)/python -m pytest -n 3 --dist worksteal --durations=25

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q --doctest-modules flyte_wandb hookspecs builtin_strategies tests/docs/test_plain_english.py

# Both, the wheel made from the sdist as pip would make it; `python -m twine upload dist/*` is the next step of a release.
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

docs: $(VENV)/.dev
	$(BIN)/python -m docs.make_site

pages: $(VENV)/.dev
	for page in cli hooks pictures settings; do $(BIN)/python -m docs.make_$$page || exit 1; done

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py

growth: $(VENV)/.dev
	$(BIN)/python benchmarks/growth.py --markdown docs/growth.md

# A thousand ranks that open their runs at once, for three quarters of an hour.
herd: $(VENV)/.dev
	$(BIN)/python benchmarks/herd.py --markdown docs/herd.md

compare: $(VENV)/.dev
	$(BIN)/python benchmarks/compare/run.py --markdown docs/comparison.md

# Each target for FUZZ_SECONDS (600); what is found is tried first by the next call.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz

soak: $(VENV)/.dev
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python -m pytest -q tests/downloads/large.py

matrix: $(VENV)/.dev
	rm -rf .nox/results
	$(NOX) --session rows lowest table

lowest: $(VENV)/.dev
	$(NOX) --session lowest

clean:
	rm -rf $(VENV) build dist .nox .mypy_cache .ruff_cache

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.venv
	$(PIP) install --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.venv
	$(PIP) install --editable ".[test,check,docs,matrix]"
	touch $@

# Every target builds the environment it needs in .venv from nothing but a Python >= 3.11:
#   make validate            the main job: all claims, tables and figures rewritten in validation/results/
#   make test                the test-suite        make lint    style, floors, types
#   make bench               speed against peers   make clean   forget the environment
# Another Python: PYTHON=python3.12 make test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECK := import sys; sys.exit("wgf needs Python >= 3.11: PYTHON=python3.12 make ..." if sys.version_info < (3, 11) else 0)

.PHONY: validate validate-full test test-all lint bench wheel ci-full clean

validate: $(VENV)/.core
	$(BIN)/python -m validation

validate-full: $(VENV)/.core
	$(BIN)/python -m validation --full

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "not slow and not gpu and not cluster"

test-all: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "not gpu and not cluster"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: $(VENV)/.peers
	$(BIN)/python -m validation performance

wheel: $(VENV)/.core
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/pip install --quiet build/wheel/wgf-*.whl
	cd build/wheel && venv/bin/wgf doctor

ci-full: lint test-all validate wheel

clean:
	rm -rf $(VENV)

# One stamp per set of extras, so that `make validate` does not wait for the linters.
$(VENV)/.core: EXTRAS =
$(VENV)/.test: EXTRAS = [test]
$(VENV)/.dev: EXTRAS = [test,dev]
$(VENV)/.peers: EXTRAS = [peers]

$(VENV)/.%: setup.cfg pyproject.toml
	@$(PYTHON) -c '$(CHECK)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.$(EXTRAS)'
	@touch $@

# Everything a contributor or an administrator runs; each target makes its own .venv and installs what it needs.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 5232
DEMO_DIR ?= var/demo
ONLY ?=
PYTEST_ARGS ?= -n 2 --dist loadgroup --no-loadscope-reorder

SOAK_MINUTES ?= 60

.PHONY: demo demo-reset test check bench soak screenshots system-packages clean

demo: $(VENV)/.installed
	$(BIN)/radicale-onoffice demo --host $(HOST) --port $(PORT) --directory $(DEMO_DIR)

demo-reset:
	rm -rf $(DEMO_DIR)

test: system-packages check
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict radicale_onoffice/core radicale_onoffice/formats radicale_onoffice/crm radicale_onoffice/pages activesync_bridge/wbxml activesync_bridge/items activesync_bridge/commands

bench: $(VENV)/.installed-bench
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

soak: system-packages $(VENV)/.installed-test
	$(BIN)/python -m tests.journeys.soak --minutes $(SOAK_MINUTES)

screenshots: system-packages $(VENV)/.installed-test
	$(BIN)/python -m tests.browser.screenshots

system-packages:
	@sh .ci/system-packages

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; name one with make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info

# make demo and make test do all the set-up on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
FUZZ ?= 60s
ROWS ?= 1000000
SEEDS ?= 10000
# Half of what a test does is waiting: for a process, a socket, a pause.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
VENV := .venv
BIN := $(VENV)/bin
JSFORCE := tests/judges/clients/node_modules
SF := tests/judges/clients/sf/node_modules
# Tests that need no org, process or time, without those that count steps, which trace by themselves. What they must reach is in pyproject.toml.
DRY := $(filter-out $(addprefix tests/,conformance/test_emulator.py unit/test_content.py unit/test_csv.py unit/test_gzip.py), \
	$(wildcard $(addsuffix /test_*.py,$(addprefix tests/,apis conformance objects run simulation unit)))) \
	$(addprefix tests/extract/test_,extract_pages.py extract_plan.py extract_state.py verdicts.py) \
	tests/face/test_display.py $(addprefix tests/load/test_,forms.py journal.py plan.py verdicts.py)
# Which share of lines and branches they reach in each room, in percent, at least.
FLOORS := apis:98 extract:98 load:99 objects:99 protocol:98 run:98
# What pyproject.toml says is enough.
URLLIB3 := $(shell sed -n 's/^ *"urllib3>=\(.*\)",/\1/p' pyproject.toml)
LOWEST := $(shell sed -n 's/^ *"\(orjson\|typer\)>=\(.*\)",/\1==\2/p; s/^arrow = \["\(pyarrow\)>=\(.*\)"\]/\1==\2/p' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help demo test rest coverage fuzz simulate lowest pythons judges clients browser lint check format bench micro docs site pictures dist release clean

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.demo  ## records go into an emulated org and come back, in seconds
	@$(BIN)/bulkforce demo

test: $(VENV)/.dev  ## the whole suite
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal

rest: $(VENV)/.dev  ## the suite without the tests that `make coverage` has carried out as thoroughly: all but the simulation, which it cuts short
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(addprefix --ignore=,$(filter-out tests/simulation/%,$(DRY)))

coverage: $(VENV)/.dev  ## how much of what decides the dry tests reach; fails where a room falls below its floor
	@SEEDS=100 $(BIN)/coverage run -m pytest -p no:xdist $(DRY)
	@status=0; for floor in $(FLOORS); do echo "$$floor"; \
		$(BIN)/coverage report --include="src/bulkforce/$${floor%:*}/*" --fail-under=$${floor#*:} || status=1; done; exit $$status

lowest: $(VENV)/.dev .lowest/urllib3-$(URLLIB3) .lowest/others  ## the tests of the wire with the oldest HTTP library that is supported, and of sources and commands with the oldest of the others
	@PYTHONPATH=.lowest/urllib3-$(URLLIB3) $(BIN)/python -c 'import urllib3; assert f"{urllib3.__version__}.".startswith("$(URLLIB3)."), urllib3.__version__'
	@PYTHONPATH=.lowest/urllib3-$(URLLIB3) $(BIN)/python -m pytest tests/wire --numprocesses auto
	@PYTHONPATH=.lowest/others $(BIN)/python -m pytest -W ignore::DeprecationWarning tests/cli/test_tour.py tests/load/test_damaged_arrow.py tests/load/test_sources.py tests/unit/test_answers.py --numprocesses auto

pythons:  ## the quick tests on each of PYTHONS that is there (PYTHONS="python3.13 /opt/python3.14/bin/python")
	@set -e; for python in $(PYTHONS); do \
		$$python -c '' 2>/dev/null || { echo "$$python is not there"; continue; }; \
		folder=.pythons/$$($$python -c 'import platform; print(platform.python_version())'); echo $$folder; \
		[ $$folder/.made -nt pyproject.toml ] || { $$python -m venv $$folder && \
			$$folder/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' && touch $$folder/.made; }; \
		$$folder/bin/python -m pytest $(addprefix tests/,apis cli extract face load run unit) --numprocesses auto; \
	done

judges: $(VENV)/.dev clients  ## clients that others wrote, let loose on the emulator; needs node and npm
	@$(BIN)/python -m pytest tests/judges

clients: .judges/aiosalesforce/.made .judges/simple-salesforce/.made .judges/salesforce-bulk/.made .judges/tap-salesforce/.made $(JSFORCE)/.made $(SF)/.made

browser: $(VENV)/.browser  ## the emulator's page in a browser; needs chromium on the PATH
	@$(BIN)/python -m pytest tests/browser

lint: $(VENV)/.dev  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## all that must hold

fuzz: $(VENV)/.dev  ## spoilt files and answers, from another place each time (FUZZ=60s a group, or FUZZ=5000 files of a kind)
	@FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz --numprocesses auto

simulate: $(VENV)/.dev  ## loads and extracts in a simulated world, so many of them (SEEDS=10000), each with other faults, deaths and delays
	@SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/simulation --numprocesses auto

bench: $(VENV)/.dev clients .judges/cumulusci/.made .judges/aiosalesforce/.made  ## time, memory and calls of every kind of work, beside other clients; fails over a ceiling or a goal (ROWS="1000000 10000000")
	@$(BIN)/python -m bench.run --rows $(ROWS) --results bench/results.json; status=$$?; $(BIN)/python -m bench.tables bench/results.json && exit $$status

micro: $(VENV)/.dev .micro  ## what is done to each record, each step of it alone
	@PYTHONPATH=.micro:. $(BIN)/python -m pytest bench/micro -p no:randomly --benchmark-columns=min,median,stddev,rounds

docs: $(VENV)/.dev  ## write the pages that are made from the code
	@for page in fidelity lifecycles commands remedies; do $(BIN)/python docs/$$page.py || exit 1; done

site: $(VENV)/.docs  ## build the documentation's site in build/site; fails on a broken link or anchor
	@$(BIN)/python docs/site/prepare.py
	@$(BIN)/zensical build --strict --clean >build/site.log 2>&1; status=$$?; sed 's/\x1b\[[0-9;]*m//g' build/site.log; exit $$status
	@! grep -q '^griffe' build/site.log # which Zensical does not count as a warning

pictures: $(VENV)/.dev  ## draw the pictures of the command line again, from real runs
	@$(BIN)/python docs/pictures/draw.py

dist: $(VENV)/.dev  ## build the distributions, and check them with the packages that are here
	@$(BIN)/python scripts/release.py --quick

release: $(VENV)/.dev  ## build them from a clean tree, and check them in an empty environment (UPLOAD=--upload sends them to PyPI)
	@$(BIN)/python scripts/release.py $(UPLOAD)

format: $(VENV)/.dev  ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## away with everything made
	rm -rf .coverage $(VENV) .judges .lowest .micro .pythons $(JSFORCE) $(SF) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("bulkforce needs Python 3.11 or later; try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo "making $(VENV) ..." && $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[emulator]' && touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "making $(VENV) ..." && $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' && touch $@ $(VENV)/.demo

# All of them in one step: nothing may change the environment while anything runs in it.
$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs,browser]' && \
		touch $(VENV)/.demo $(VENV)/.dev $(VENV)/.docs $(VENV)/.browser $@

$(VENV)/.docs: pyproject.toml $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs]' && touch $@

$(VENV)/.browser: pyproject.toml $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,browser]' && touch $@

.lowest/urllib3-%: | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ 'urllib3==$*'

# Apart from the rest, since its plugin would take part in every test.
.micro: | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ 'pytest-benchmark>=5'

.lowest/others: pyproject.toml | $(VENV)/bin/python
	@rm -rf $@ && $(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ $(LOWEST)

.judges/cumulusci/.made .judges/aiosalesforce/.made: .judges/%/.made: bench/peers/%.txt
	@$(PYTHON) -m venv .judges/$* && .judges/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< && touch $@

.judges/%/.made: tests/judges/clients/%.txt
	@$(PYTHON) -m venv .judges/$* && .judges/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< && touch $@

$(JSFORCE)/.made: tests/judges/clients/package-lock.json
	@npm ci --prefix tests/judges/clients --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@

# Node 22 comes as a package, too: only its script is run, which fetches the one for this machine.
$(SF)/.made: tests/judges/clients/sf/package-lock.json
	@npm ci --prefix tests/judges/clients/sf --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error
	@npm rebuild node --prefix tests/judges/clients/sf --loglevel=error && touch $@

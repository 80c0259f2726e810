# Two commands on a fresh machine: make demo, make test. Both install what they need into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := activities api bench cli client commerce docs sandbox_gateway workflows worker.py tests

# Compiled workflow modules are re-imported on every run; do not let the shell forbid them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo dev test check lock histories docs explorer browser test-browser screenshots bench bench-day clean
install: $(VENV)/installed

$(VENV)/installed: pyproject.toml requirements.lock
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11 ...')"
	@echo "installing into $(VENV): about half a minute"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e ".[dev]"
	@$(BIN)/python -m api.explorer_assets || echo "all else works without it; make explorer tries again"
	touch $@

demo: install  ## a real day of 616 baskets, through a real Temporal server
	$(BIN)/checkout demo $(ARGS)

dev: install  ## everything embedded, until Ctrl-C
	$(BIN)/checkout dev $(ARGS)

test: check explorer  ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(MAKE) test-browser

explorer: install  ## GraphiQL's files, fetched once by npm
	@$(BIN)/python -m api.explorer_assets

test-browser: explorer browser  ## the explorer in a real browser
	$(BIN)/python -m pytest tests/browser

screenshots: install browser  ## the pictures of docs/operations.md, of real checkouts
	$(BIN)/python -m docs.screenshots

browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome \
	|| { test "$$(id -u)" = 0 && apt-get update -qq \
	&& apt-get install -qq --yes --no-install-recommends chromium; } \
	|| { echo "make test-browser and make screenshots need Chromium or Google Chrome on PATH" >&2; exit 1; }

check: install  ## format, lint, types, dependency rule, generated docs
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate_errors --check

bench: install  ## what a checkout costs, as ratios to the least that Temporal can do: 10 minutes
	$(BIN)/python -m bench.compare $(ARGS)

bench-day: install  ## a real day, replayed with its own times
	$(BIN)/python -m bench.day $(ARGS)

docs: install  ## docs/errors.md from the catalogue
	$(BIN)/python -m docs.generate_errors

histories: install  ## record the histories that the replay tests hold every change against
	$(BIN)/python -m tests.replay.record $(VERSION)

lock: install  ## pin what is installed: name==version, no addresses
	$(BIN)/python -m pip freeze --exclude-editable > requirements.lock

clean:
	rm -rf $(VENV) .checkout .bench

# make run   the main job on sample data, down to a document on the screen
# make test  all tests; make test-fast those of each module by itself
# All install what they need in .venv first, from requirements.lock.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# One more than there are cores: some tests wait for a server.
WORKERS := $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")
# A worker takes whole files, in the order that tests/conftest.py puts them in.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SAMPLE := data/sample
DATE := 2026-11-23

.PHONY: run test test-fast fence check coverage format ui crash-test fault-test fuzz bench bench-growth bench-serve notebook lock bench-lock clean

# Some 15 seconds, and a minute or two more the first time, for .venv.
run: .venv/installed
	rm -rf $(SAMPLE)
	$(BIN)/kravoversikt generate $(SAMPLE)/inbox --parts 500 --date $(DATE)
	$(BIN)/kravoversikt run --inbox $(SAMPLE)/inbox --home $(SAMPLE)/home --date $(DATE)
	$(BIN)/kravoversikt export oversikt --home $(SAMPLE)/home | $(BIN)/python -m cli.pretty $(SAMPLE)/home

test: .venv/installed
	$(PYTEST)

# Without those marked slow, which start a night, a process or a server, or take seconds. Less than a minute.
test-fast: .venv/installed
	KRAVOVERSIKT_EXAMPLES=0.3 $(PYTEST) -m "not slow"

# The compiled loops of text with Numba's bounds checks: an index outside an array is an error. What they write and
# read by address, the same tests see in make test too (tests/fence.py). Half a minute.
fence: .venv/installed
	NUMBA_BOUNDSCHECK=1 KRAVOVERSIKT_EXAMPLES=0.3 $(BIN)/python -m pytest \
	  tests/test_json_text.py tests/test_read_back.py

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# All tests, and which lines none of them runs. Fails below the floor (fail_under in pyproject.toml), and when the floor
# is to be raised.
coverage: .venv/installed
	$(PYTEST) --cov --cov-report=term
	@floor=$$(sed -n 's/^fail_under = \([0-9]*\).*/\1/p' pyproject.toml); \
	  total=$$($(BIN)/python -m coverage report --format=total); \
	  [ "$${total%.*}" -lt $$((floor + 2)) ] || { echo "raise fail_under to $$(($${total%.*} - 1))"; exit 1; }

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# 200 kills, 40 of them of the operator's own command, and 20 full disks, spread over a night; about half an hour
# on two cores.
crash-test: .venv/installed
	$(BIN)/python -m tests.crash --kills 200 --full-disks 20

# 26 kinds of fault in generated deliveries of 2,000 parts, against the plain reference; a few minutes.
fault-test: .venv/installed
	$(BIN)/python -m tests.faults_at_scale --parts 2000

# Random manifests and files, 200 times as many as in make test, and ledgers with faults, 100 times as many.
fuzz: .venv/installed
	KRAVOVERSIKT_EXAMPLES=100 KRAVOVERSIKT_FUZZ_EXAMPLES=2000 $(BIN)/python -m pytest \
	  tests/accept/test_accept_fuzz.py tests/accept/test_accept_blocks.py tests/test_against_plain.py

# The night beside Polars, chDB, DuckDB, PySpark (needs Java 17) and pandas making the same documents:
# docs/benchmarks.md.
PARTS ?= 10000
RUNS ?= 3
SIZES ?= 1000 10000
bench: .venv/installed .venv-bench/installed
	$(BIN)/python -m bench.night --parts $(PARTS) --runs $(RUNS)

# How a night grows, and the second night's changes against a full night.
bench-growth: .venv/installed
	$(BIN)/python -m bench.growth $(SIZES)

# The server beside nginx, over the documents of 2,000 parts; about five minutes. Needs Debian's wrk and nginx-light.
bench-serve: .venv/installed
	$(BIN)/python -m bench.serve

ui: .venv/installed
	$(BIN)/kravoversikt ui

# The analysts' plots over a home, in the browser, to read and to change (KRAVOVERSIKT_HOME, else the sample's).
notebook: .venv/installed
	MARIMO_SKIP_UPDATE_CHECK=1 $(BIN)/python -m marimo edit analysis/notebook.py -- \
	  --home "$${KRAVOVERSIKT_HOME:-$(SAMPLE)/home}"

# Only when pyproject.toml's dependencies change: needs uv. What machines are installed with (deploy/) is a part of it.
lock:
	uv pip compile pyproject.toml --extra dev --extra postgres --extra notebook --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock
	uv pip compile pyproject.toml --extra deploy --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -c requirements.lock \
	  -o requirements-deploy.lock

# Only when requirements-bench.in changes: needs uv.
bench-lock:
	uv pip compile requirements-bench.in --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make bench-lock" -o requirements-bench.lock

.venv-bench/installed: requirements-bench.lock
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m compileall -q -j 0 .venv/lib  # on all cores; pip uses one
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf .venv .venv-bench data/bench data/home data/inbox data/sample

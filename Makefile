# Everything from a fresh clone: `make` lists what there is. All is set up inside the clone, by the
# first target that needs it; a second run needs no network. Works with the make of macOS (3.81).

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
COMPILED := build/compiled/.built
PEERS := build/peers/.built
ARGS ?=

# The first Python in the range that requirements/ is locked for (tool.uv in pyproject.toml).
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(SUITABLE)' 2>/dev/null && echo "$$python" && break; done)

# Much of what the longer tests do is wait: for a group to form, a program to start.
SIDE_BY_SIDE = $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

PIP := $(BIN)/python -m pip --disable-pip-version-check install
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --only-binary :all: --no-header --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench latency curve peers faults truth lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Run the whole pipeline over samples/queue_log.txt and show its KPIs
	$(BIN)/switchboard process asterisk-queue-log samples/queue_log.txt --data build/demo
	$(BIN)/switchboard kpis --data build/demo
	@echo
	@echo 'Where to look next:'
	@echo '  $(BIN)/switchboard kpis --interval 30m --data build/demo    the same by half hour'
	@echo '  $(BIN)/switchboard process asterisk-queue-log /var/log/asterisk/queue_log --data data'
	@echo '                                                          your own queue_log'
	@echo '  $(BIN)/switchboard --help                               everything else'

test: $(DEV) ## Run all tests (make test ARGS='-k topic' for some)
	@sh tests/support/tools.sh
	$(BIN)/python -m pytest --numprocesses $(SIDE_BY_SIDE) --dist loadfile \
		--no-loadscope-reorder $(ARGS)

check: $(DEV) ## Lint, check formatting, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## Format the code and sort its imports
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

bench: $(COMPILED) ## Measure what an event costs and how soon it shows (make peers bench ARGS=--peers: what it costs others)
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.live

latency: $(COMPILED) ## Measure how soon an event shows in /metrics and queue_live, hop by hop
	$(BIN)/python -m benchmarks.live $(ARGS)

curve: $(COMPILED) $(PEERS) ## Measure how that grows with events, queues, contacts, partitions, workers
	$(BIN)/python -m benchmarks.curve $(ARGS)
	build/peers/bin/python -m benchmarks.plots

peers: $(PEERS) ## Set up what else is measured: Faust, Quix Streams, bytewax; draws plots, too

$(PEERS): requirements/peers.txt $(DEV)
	'$(BIN)/python' -m venv --clear build/peers
	build/peers/bin/python -m pip --disable-pip-version-check install --require-hashes \
		--only-binary :all: -r requirements/peers.txt
	@touch $@

faults: $(COMPILED) ## Hurt it in every way we know, and compare with an oracle (hours; ARGS=--short: minutes)
	@sh tests/support/tools.sh
	$(BIN)/python -m tests.faults $(ARGS)

# The packages as the image has them: the fold as extension modules (needs a C compiler).
$(COMPILED): $(DEV) pyproject.toml deploy/compile_fold.py $(shell find schemas streams sinks \
		gateway dashboards simulator -name '*.py' -o -name '*.sql')
	rm -rf build/compiled
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(PIP) --quiet --no-index --no-deps \
		--no-build-isolation --target build/compiled .
	@touch $@

truth: $(DEV) ## Compare every KPI of simulated days with what happened in them (ARGS='--seeds 2')
	$(BIN)/python -m tests.truth $(ARGS)

# build: what makes the package. server: without the embedded parts. Each later one stands on the
# earlier ones' versions, so that all agree; but for peers, which is an environment of its own.
lock: $(DEV) ## Compile requirements/ anew from pyproject.toml (needs the network)
	$(LOCK) --upgrade --group pyproject.toml:build --output-file requirements/build.txt
	$(LOCK) --upgrade pyproject.toml --output-file requirements/server.txt
	$(LOCK) --upgrade pyproject.toml --extra embedded --constraint requirements/server.txt \
		--output-file requirements/runtime.txt
	$(LOCK) --upgrade pyproject.toml --all-extras --group dev --constraint requirements/runtime.txt \
		--constraint requirements/build.txt --output-file requirements/dev.txt
	$(LOCK) --upgrade --group pyproject.toml:peers --output-file requirements/peers.txt

clean: ## Remove what was built and computed (.venv stays)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf tests/kafka/target
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n '$(PYTHON)' || { \
		echo 'Switchboard needs Python 3.11 to 3.14, and found none on the PATH.' >&2; \
		echo 'Install one (Debian: apt install python3 python3-venv; macOS: brew install python),' >&2; \
		echo 'or name yours: make PYTHON=/path/to/python' >&2; exit 1; }
	@'$(PYTHON)' -c '$(SUITABLE)' || { \
		echo 'Switchboard needs Python 3.11 to 3.14; $(PYTHON) is another.' >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make virtual environments: its venv module is missing.' >&2; \
		echo 'On Debian and Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
	'$(PYTHON)' -m venv --clear $(VENV)

# Without build isolation pip builds with the locked tools of build.txt: the project itself, and what
# has no wheel for a platform (faust-streaming on Linux arm64).
$(RUNTIME): requirements/build.txt requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --only-binary :all: -r requirements/build.txt
	$(PIP) --require-hashes --no-build-isolation -r requirements/runtime.txt
	$(PIP) --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	$(PIP) --require-hashes --no-build-isolation -r requirements/dev.txt
	@touch $@

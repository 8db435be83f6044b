# Everything from a checkout and a Python: `make run`, `make test`. Nothing here needs an activated environment.
# Results go to outputs/ and multirun/, caches to .cache/, the environment to .venv/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check lint format bench clean

# The main job, as arguments of `python -m vla_sim.run`.
RUN_ARGS ?= experiment=quickstart -m
PYTEST_ARGS ?= -q -n 2

# 3.11 first: it is what constraints.txt was tested with, and the newest Python that pybullet 3.2.7 has wheels for.
# A newer one works too where a C++ compiler can build it. `make PYTHON=/path/to/python ...` takes that one.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PATHS := $(wildcard vla_sim envs robots tests experiments)

VLA_SIM_CACHE ?= $(CURDIR)/.cache/vla_sim
NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/numba
MPLCONFIGDIR ?= $(CURDIR)/.cache/matplotlib
MPLBACKEND ?= agg
export VLA_SIM_CACHE NUMBA_CACHE_DIR MPLCONFIGDIR MPLBACKEND

# A user's `--user` setting cannot apply inside an environment, and modules of another project on PYTHONPATH (ROS puts
# pytest plugins there) would be found before ours.
export PIP_USER := 0
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Installing into $(VENV) with $(PYTHON) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check -e '.[dev,joblib]' -c constraints.txt
	@touch $@

run: $(STAMP) ## set up, do the main job, say where the report is (RUN_ARGS="experiment=... -m")
	@touch $(VENV)/.run-began
	$(PY) -m vla_sim.run $(RUN_ARGS)
	@find outputs multirun -name report.html -newer $(VENV)/.run-began 2>/dev/null \
		| awk -F / '!best || NF < best { best = NF; path = $$0 } END { if (path) print "Report: $(CURDIR)/" path }'

test: $(STAMP) ## set up, run every test (PYTEST_ARGS="-k link")
	$(PY) -m pytest $(PYTEST_ARGS)

lint: $(STAMP) ## style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(PATHS)

format: $(STAMP) ## put the code into its format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

check: lint ## all that must pass before a commit; continuous integration runs this
	@$(MAKE) --no-print-directory test

bench: $(STAMP) ## how fast it runs here
	$(PY) -m experiments.bench

clean: ## remove the environment and the caches; results stay
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

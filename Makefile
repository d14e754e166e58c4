# The commands a person types. `make` alone lists them; each sets up first what is missing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-peers/bin/python
AUDITORS := .venv-audit/bin/python
# Where the project's environment is used, no other one may get in between, and no other folder's code.
unexport VIRTUAL_ENV
export PYTHONPATH := $(CURDIR)/src
# Snakemake, past the locks of a run that was killed.
RUN := $(BIN)/python -m lossless_workflow.run
# With as many processes as there are cores.
PYTEST := $(BIN)/pytest --numprocesses=auto --dist=loadfile

.PHONY: help setup demo reproduce paper report restore verify bench peers readme docs screens
.PHONY: test test-slow test-long test-slurm audit fuzz lint

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make the virtual environment in .venv, everything pinned

demo: $(READY) ## Run the whole chain on scikit-learn's digits (a minute) and print the results
	@$(RUN) --brief demo
	@$(BIN)/python -m lossless_workflow.pages.headline results/quick/digits-lenet

reproduce: $(READY) ## Run mnist-lenet for a few epochs (five minutes) and print the results
	@$(RUN) --brief reproduce
	@$(BIN)/python -m lossless_workflow.pages.headline results/quick/mnist-lenet

paper: $(READY) ## Run every experiment at the published budget (hours)
	@$(RUN) paper
	@for table in results/paper/*/tables/results.md; do echo; echo "$$table"; cat "$$table"; done

# Two runs: data that one fetches would have it make anew all that is of them.
report: restore ## Write results/report.html: every figure and table in results/, how each came about, in one page
	@$(RUN) --brief
	@$(RUN) --brief shown
	@$(BIN)/python -m lossless_workflow.report

restore: $(READY) ## Take up results made elsewhere: pull them, accept what the present code would make, list the rest
	@$(BIN)/python -m lossless_workflow.restore

verify: $(READY) ## Hash all results again and check their provenance from raw data to figures
	@$(BIN)/python -m lossless_workflow.verify

test: $(READY) ## Run the tests
	@$(PYTEST)

test-slow: $(READY) ## Run the tests that make whole chains of results
	@$(PYTEST) -m slow

test-long: $(READY) ## Run these and the tests that take minutes each
	@$(PYTEST) -m 'slow or long'

test-slurm: $(READY) ## Run the demo and interrupted jobs on a SLURM of Debian's packages (root), started and stopped for it
	@$(BIN)/pytest -m long tests/test_slurm.py

# PUBLISHED names a checkout of the published code, to measure that too.
bench: $(READY) $(PEERS) ## Measure against snnTorch, SpikingJelly and sinabs on this machine (a quarter of an hour)
	@$(RUN) results/quick/mnist-lenet/checkpoints/{k0,k1,k2}/seed0.safetensors
	@$(BIN)/python benchmarks/compare.py --peers-python $(PEERS) $(if $(PUBLISHED),--published '$(PUBLISHED)')

# BUDGET/EXPERIMENT whose networks are judged.
OF ?= paper/mnist-lenet
peers: $(READY) $(PEERS) ## Judge other libraries' conversions of the networks in OF, mnist-lenet's if not given (ten minutes)
	@$(RUN) results/$(OF)/figures/certified_peers.svg results/$(OF)/tables/certified_peers.md
	@cat results/$(OF)/tables/certified_peers.md

readme: $(READY) ## Put the tables of results/ into README.md and docs/, and draw the rules
	@$(BIN)/python -m lossless_workflow.pages

docs: $(READY) ## Build the documentation site into site/, to be opened from the folder, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screens: docs ## Take screenshots of the README's first screen and of the site (needs chromium) into build/screens/
	@$(BIN)/python -m lossless_workflow.pages.screens site/*.html

# COMPLETE=1 fails where something could not be checked, too, such as advisories without network.
audit: $(READY) $(AUDITORS) ## Look for secrets, unsafe code, packages with known faults; write build/sbom.json
	@$(BIN)/python -m lossless_workflow.audit $(if $(COMPLETE),--complete) $(dir $(AUDITORS))

# SECONDS for each of READERS, see tests/fuzzing.py; inputs that crash stay in build/fuzz/.
READERS ?= npz member objects notation
SECONDS ?= 900
fuzz: $(READY) $(AUDITORS) ## Look for inputs that readers of files choke on, guided by coverage (an hour)
	@$(AUDITORS) -c 'import atheris' 2> /dev/null || { echo "make: atheris runs on Linux with Python 3.11 to 3.13" >&2; exit 1; }
	@for reader in $(READERS); do folder=build/fuzz/$$reader; mkdir -p $$folder/corpus; \
		site=$$(ls -d $(CURDIR)/.venv-audit/lib/python3.*/site-packages); \
		PYTHONPATH=$(CURDIR)/src:$$site $(BIN)/python tests/fuzzing.py $$reader -max_total_time=$(SECONDS) \
			-artifact_prefix=$$folder/ $$folder/corpus; done

lint: $(READY) ## Check style and the order of the packages: ruff, snakefmt, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff check --quiet --preview --select PLW1514 # reads and writes name their encoding
	@$(BIN)/ruff format --check
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/lint-imports --no-logo --no-cache

# uv, bootstrapped by pip, installs in seconds, and compiles in half a minute what would double every job's start where
# Python keeps no bytecode. The path to the sources is relative: Python reads it as ASCII under LC_ALL=C, and the folder's
# name may not be. The stamp comes last, so that a set-up that was cut off is completed.
$(READY): requirements.lock pyproject.toml
	@case "$$(uname -s) $$(uname -m)" in 'Linux x86_64' | 'Linux aarch64' | 'Darwin arm64') ;; \
		*) echo "make: PyTorch is not to be had for $$(uname -s) on $$(uname -m); needed is Linux (x86-64, aarch64) or macOS on Apple silicon" >&2; exit 1 ;; esac
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2> /dev/null || \
		{ echo "make: Python 3.11 to 3.14 is needed, '$(PYTHON)' is not; name another one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip install --quiet --compile-bytecode --require-hashes --python $(BIN)/python --requirements requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@printf '../../../../src\n' > "$$(ls .venv/lib/python3.*/site-packages/_editable_impl_lossless_snn.pth)"
	@$(BIN)/python -c "from lossless_snn.simulation import compile_ahead; compile_ahead()"
	@touch $(READY)

# The libraries to compare with, and Brevitas, in an environment of their own.
$(PEERS): requirements/peers.lock requirements/brevitas.lock | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-peers
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(PEERS) requirements/peers.lock
	@$(BIN)/uv pip install --quiet --require-hashes --no-deps --python $(PEERS) --requirements requirements/brevitas.lock
	@touch $(PEERS)

# Programs that audit, and atheris, which is laid before the project's own environment.
$(AUDITORS): requirements/audit.lock | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-audit
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(AUDITORS) requirements/audit.lock
	@touch $(AUDITORS)

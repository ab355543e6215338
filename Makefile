# make logic-rl   the main job: puzzles, a small policy, RL with the rule reward, before and after
# make test       the tests; make check: lint and types as well; make docs: the generated pages
# make chaos      kills processes of a running pipe at random, about 4 minutes; SEED=1: others
# make bench-update  what a training step costs, beside TRL's; MODEL=folder; about half an hour
# make bench-rollout completions per second, beside transformers' generate; MODEL=folder; an hour
# make slurm-test array jobs on a Slurm of one node, about 3 minutes; needs root, installs Slurm
# Each sets up .venv first if that is not done (Python 3.11 or later).

PYTHON  ?= python3
PROFILE ?= laptop
SEED    ?= 0
MODEL   ?= HuggingFaceTB/SmolLM2-135M-Instruct
BIN     := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup logic-rl test check docs bench bench-update bench-rollout chaos slurm-test clean

setup: $(BIN)/.ready

$(BIN)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch $@

logic-rl: setup
	SEED=$(SEED) recipes/logic-rl.sh $(PROFILE)

test: setup
	pytest

check: setup
	ruff check . && ruff format --check .
	mypy

chaos: setup
	python -m tests.chaos.run --seed $(SEED)

docs: setup
	python docs/generate.py

bench: setup
	python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[bench]'
	python benchmarks/puzzles.py

bench-update: setup
	python benchmarks/update.py $(MODEL) --completions 16 64

bench-rollout: setup
	python benchmarks/rollout.py $(MODEL)
	python benchmarks/rollout.py $(MODEL) --greedy

slurm-test: setup
	tests/slurm/test.sh

clean:
	rm -rf .venv build src/*.egg-info

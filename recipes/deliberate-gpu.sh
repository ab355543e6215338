#!/usr/bin/env bash
# recipes/deliberate.sh at full size: Qwen2.5-7B-Instruct, published questions, a Wikipedia to search.
# Not run on a GPU here; docs/tools.md says what has been run.
#
#   swr1 load hotpotqa hotpot_train_v1.1.json -o hotpotqa.jsonl
#   swr1 load nq NQ-open.train.jsonl -o nq.jsonl
#   swr1 load 2wikimultihopqa dev.json -o 2wiki.jsonl
#   QUESTIONS="hotpotqa.jsonl nq.jsonl" HELD_OUT=2wiki.jsonl SEARCH_URL=http://host:8000/retrieve \
#     recipes/deliberate.sh gpu
#
# QUESTIONS are files of records to train on, HELD_OUT others to measure by. What is searched is SEARCH_URL, a
# server with the interface of Search-R1, or INDEX, a folder of `swr1 index` (which a policy may also
# read documents of). Paths are relative to the folder you are in. Lengths, samples, batch, learning rate and KL are Search-R1's
# (arXiv 2503.09516, its v0.2 scripts); --llds and reward are not. Variables, and what they are by themselves:
#   SEED=0            names another run
#   MODEL=Qwen/Qwen2.5-7B-Instruct        a policy or model to start from
#   PROMPT=deliberate                     the system prompt: a name, or a file
#   REWARD=deliberate OBJECTIVE=deliberative      or deliberate-published, deliberate-brier with grpo
#   STEPS=1000 BATCH=512 MINIBATCH=256 SAMPLES=5  questions a step and an update, completions of each
#   MAX_TOKENS=2500 TURNS=4 TOP=3 PASSAGE_TOKENS=500 CONTEXT=8192
#   LLDS=0.1          keeps right completions likely, against the collapse of search RL; 0: does not
#   TESTED=500 VOTES=4      held-out questions, as many of each set; sampled completions of each
#   MICRO_TOKENS=8192       tokens that a training GPU holds at once
#   ROLLOUT_GPUS=0 TRAIN_GPUS=1,2,3 TENSOR_PARALLEL=1 ENGINE=vllm       see gpus.sh
# Stopped at any point, the same command goes on.
set -euo pipefail
. "$(dirname "$0")/variables.sh"
SEED=${SEED:-0}
: "${STEPS:=1000}" "${BATCH:=512}" "${MINIBATCH:=256}" "${SAMPLES:=5}" "${LLDS:=0.1}"
: "${MAX_TOKENS:=2500}" "${TURNS:=4}" "${TOP:=3}" "${PASSAGE_TOKENS:=500}" "${CONTEXT:=8192}"
: "${TESTED:=500}" "${VOTES:=4}" "${MICRO_TOKENS:=8192}" "${SEARCH_URL:=}" "${INDEX:=}"
: "${MODEL:=Qwen/Qwen2.5-7B-Instruct}"
case ${1:-} in -h | --help) help; exit ;; esac
vary PROMPT deliberate
vary REWARD deliberate
vary OBJECTIVE deliberative
numbers STEPS BATCH MINIBATCH SAMPLES MAX_TOKENS TURNS TOP PASSAGE_TOKENS CONTEXT TESTED VOTES MICRO_TOKENS
[ -n "${QUESTIONS:-}" ] || die "QUESTIONS is missing: files of records to train on (swr1 load)"
[ -n "${HELD_OUT:-}" ] || die "HELD_OUT is missing: files of records to measure by (swr1 load)"
case $SEARCH_URL:$INDEX in
:) die "SEARCH_URL or INDEX is missing: what is searched" ;;
:*) [ -d "$INDEX" ] || die "INDEX=$INDEX: no such folder (swr1 index makes it)"
  INDEX=$(realpath "$INDEX") TOOLS=search,read WHERE="--index $INDEX" ;;
*:) TOOLS=search WHERE="--search-url $SEARCH_URL" ;;
*) die "SEARCH_URL and INDEX: only one of them" ;;
esac
paths() { # NAME: its files with their whole paths
  local file all=()
  for file in ${!1}; do
    [ -e "$file" ] || die "$1: no file $file"
    all+=("$(realpath "$file")")
  done
  printf -v "$1" %s "${all[*]}"
}
paths QUESTIONS
paths HELD_OUT
[ ! -e "$MODEL" ] || MODEL=$(realpath "$MODEL")
absolute PROMPT REWARD
. "$(dirname "$0")/gpus.sh"
RUN=${RUN:-runs/deliberate-gpu-$SEED$varied}
ASK="--system-prompt $PROMPT --max-tokens $MAX_TOKENS"
[ "$ENGINE" != vllm ] || ASK+=" --context $CONTEXT"
ASK+=" --tools $TOOLS $WHERE --top $TOP --max-turns $TURNS --max-passage-tokens $PASSAGE_TOKENS"
# A server may be slow; what it said is kept, so that a run that goes on reads the same.
ASK+=" --tool-timeout 30 --tool-cache replies.sqlite"
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }

step "questions that are held out, as many of each set"
swr1 sample $HELD_OUT --by dataset --balance -n "$TESTED" --seed 2026 -o held-out.jsonl

judge() { swr1 verify format exact f1 reliability --set format.grader=tools "$@"; }
judge_brier() { swr1 verify knowledge --set knowledge.confidence=stated --set knowledge.weight=0.5; }
verdicts() { if [ "$REWARD" = deliberate-brier ]; then judge | judge_brier; else judge; fi; }
evaluate() { # POLICY: greedy, and sampled for the votes
  for way in "greedy --temperature 0" "sampled --temperature 1 --samples $VOTES"; do
    local file="$1-${way%% *}.jsonl"
    generate held-out.jsonl --policy "$1" $ASK ${way#* } -o "completions-$file"
    judge "completions-$file" -o "$file"
  done
}

step "the start"
[ -e start ] || swr1 init-policy start --from "$MODEL"
evaluate start

step "reinforcement learning: $STEPS steps"
[ -e rl ] || swr1 init-policy rl --from start
generate $QUESTIONS --policy rl --max-lag 1 --shuffle --epochs 100 --seed "$SEED" $ASK \
    --samples "$SAMPLES" --temperature 1 --batch "$BATCH" |
  verdicts | swr1 reward "$REWARD" |
  train "$OBJECTIVE" --policy rl --batch "$BATCH" --minibatch "$MINIBATCH" --lr 1e-6 --warmup $((STEPS * 285 / 1000)) \
    --kl 0.001 --llds "$LLDS" --micro-tokens "$MICRO_TOKENS" --checkpoint-every 20 --steps "$STEPS"
evaluate rl

step "before and after"
for way in greedy sampled; do
  {
    swr1 eval start=start-$way.jsonl rl=rl-$way.jsonl --by dataset
    swr1 eval start=start-$way.jsonl rl=rl-$way.jsonl --calibration --picture "calibration-$way.png"
  } | tee "table-$way.txt"
done
swr1 plot RL=rl -o training.png
echo "$RUN: table-greedy.txt, table-sampled.txt, calibration-*.png, training.png; the policy is $RUN/rl/latest"

#!/usr/bin/env bash
# The ladder of recipes/safeladder.sh at full size: Qwen2.5-7B-Instruct, published data, served guards.
# Run by us on a CPU only, with SmolLM2-135M, a step or two a stage and stand-ins for the guards.
# docs/safeladder.md says what it needs.
#
#   DATA=~/data SFT=cot.jsonl HARMLESS=asked.jsonl GUARD_URL=http://gpu1:8000/v1 JUDGE_URL=http://gpu2:8000/v1 \
#     recipes/safeladder.sh gpu
#
# DATA holds the published files that `swr1 load` reads, a folder per set; SFT a file of validated chains
# of thought (records with a completion in <think> and <answer>); HARMLESS one of ordinary requests (records of
# task safety), without which nothing pays for answering them. GUARD_URL serves Qwen3Guard-Gen-8B,
# JUDGE_URL a model of 30B or more that judges helpfulness and values by a prompt. vLLM generates on
# ROLLOUT_GPUS (0), the trainer has TRAIN_GPUS (1,2,3): see gpus.sh.
set -euo pipefail
: "${DATA:?the folder of data sets}" "${SFT:?records to start from}" "${HARMLESS:?records of ordinary requests}"
: "${GUARD_URL:?who serves the guard}" "${JUDGE_URL:?who serves the judge}"
DATA=$(realpath "$DATA") SFT=$(realpath "$SFT") HARMLESS=$(realpath "$HARMLESS")
GUARD=${GUARD:-Qwen3Guard-Gen-8B} JUDGE=${JUDGE:-Qwen3-32B} SEED=${SEED:-0}
RUN=${RUN:-runs/safeladder-gpu-$SEED}
STEPS1=${STEPS1:-200} STEPS2=${STEPS2:-400} STEPS3=${STEPS3:-200}
MODEL=${MODEL:-Qwen/Qwen2.5-7B-Instruct}
ASK="--system-prompt logic-rl --max-tokens ${MAX_TOKENS:-4096}"
BATCH=${BATCH:-64}
. "$(dirname "$0")/gpus.sh"
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }

step "data"
swr1 load gsm8k "$DATA/gsm8k/train.jsonl" -o gsm8k.jsonl
swr1 load xstest "$DATA/xstest/prompts.csv" -o xstest.jsonl
swr1 load safety-tuned-llamas "$DATA/safety-tuned-llamas" -o harmful.jsonl
cp "$HARMLESS" harmless.jsonl
swr1 load flames "$DATA/flames" -o flames.jsonl
swr1 load simplesafetytests "$DATA/simplesafetytests" -o held-harmful.jsonl
swr1 load gsm8k "$DATA/gsm8k/test.jsonl" -o held-math.jsonl

answers() { swr1 verify format language repetition length math; }
guards() {
  swr1 verify safety --guard "$GUARD" --url "$GUARD_URL" --cache guard.sqlite |
    swr1 verify refusal | swr1 verify helpful value --guard "$JUDGE" --url "$JUDGE_URL" --cache judge.sqlite
}
climb() { # FROM TO PROMPTS STEPS OBJECTIVE
  [ -e "$2" ] || swr1 init-policy "$2" --from "$1"
  generate $3 --policy "$2" --max-lag 1 --shuffle --epochs 100 --seed $SEED $ASK \
      --samples 8 --temperature 1 --batch $BATCH |
    score | train "$5" --batch $BATCH --lr 1e-6 --checkpoint-every 20 --policy "$2" --steps "$4"
}
evaluate() { # POLICY
  generate xstest.jsonl held-harmful.jsonl held-math.jsonl --policy "$1" $ASK --temperature 0 -o "made-$1.jsonl"
  swr1 verify math refusal "made-$1.jsonl" | swr1 verify safety --guard "$GUARD" --url "$GUARD_URL" -o "$1.jsonl"
}

step "CoT-SFT"
[ -e start ] || swr1 init-policy start --from "$MODEL"
train sft "$SFT" --policy start --system-prompt logic-rl --epochs 2 --lr 1e-5 --batch $BATCH
evaluate start

step "M3-RL, stage 1"
score() { answers | swr1 reward safeladder-stage1; }
climb start stage1 gsm8k.jsonl $STEPS1 cpgd
evaluate stage1

step "M3-RL, stage 2"
score() { answers | guards | swr1 reward safeladder-stage2 --on-null skip; }
JOINT="gsm8k.jsonl harmful.jsonl harmless.jsonl flames.jsonl"
climb stage1 stage2 "$JOINT" $STEPS2 cpgd
evaluate stage2

step "safe-and-efficient RL"
score() { answers | guards | swr1 reward safe-efficient --on-null skip; }
climb stage2 stage3 "$JOINT" $STEPS3 cale
evaluate stage3

swr1 eval start=start.jsonl stage1=stage1.jsonl stage2=stage2.jsonl stage3=stage3.jsonl \
  --suite safety,ability --ladder start,stage1,stage2,stage3 --picture axes.png | tee table.txt

#!/usr/bin/env bash
# Logic-RL (arXiv 2502.14768) as a chain of stages: reinforcement learning with a rule-based reward
# on Knights and Knaves, and accuracy on puzzles held out, before and after.
#
#   recipes/logic-rl.sh laptop     two CPU cores, about 15 minutes, nothing to download
#   recipes/logic-rl.sh gpu        Qwen2.5-7B-Instruct-1M with the published data sizes and settings,
#                                  vLLM on GPU 0 and the trainer on GPUs 1 to 3 (see docs/logic-rl.md)
#   recipes/logic-rl.sh smoke      the laptop's stages in a minute, learning nothing
#
# SEED=1 names another run, CONTROL=1 shuffles the rewards (nothing should be learned then). LAG=2
# lets generation run up to two optimizer steps ahead of training, instead of taking turns.
# Stopped at any point, the same command goes on where it was.
set -euo pipefail
PROFILE=${1:-laptop}
SEED=${SEED:-0}
RUN=${RUN:-runs/logic-rl-$PROFILE-$SEED${LAG:+-lag-$LAG}${CONTROL:+-control}}
mkdir -p "$RUN"

generate() { swr1 rollout "$@"; }
train() { swr1 train-step "$@"; }
case $PROFILE in
laptop | smoke)
  TRAINED=2-3 UNSEEN=4           # people; half of the few 2-person puzzles are held out
  PUZZLES="--wording terse --names few --test-share 0.5"
  PROMPT="--system-prompt logic-rl-terse" MAX_TOKENS=480 LONGEST=900
  SFT_STEPS=2300 SFT_PUZZLES=10800 HELD_OUT=400 PROMPTS=5000 STEPS=70
  TRAIN="grpo --batch 16 --lr 3e-4 --kl 0 --aggregation token-mean --micro-tokens 2048"
  TEMPERATURE=1 SAMPLES=8 BATCH=16
  if [ "$PROFILE" = smoke ]; then
    SFT_STEPS=8 SFT_PUZZLES=400 HELD_OUT=20 PROMPTS=100 STEPS=3 MAX_TOKENS=60 LONGEST=60
  fi
  ;;
gpu) # paper, table 1; 900 train and 100 test puzzles for each of 3 to 7 people. Not run by us.
  TRAINED=3-7 UNSEEN=8
  PUZZLES="--wording varied --names common --test-share 0.1"
  PROMPT="--system-prompt logic-rl" MAX_TOKENS=${MAX_TOKENS:-4096} LONGEST=${LONGEST:-8192}
  HELD_OUT=${HELD_OUT:-500} PROMPTS=4500 STEPS=${STEPS:-3600}
  TEMPERATURE=0.7 SAMPLES=8 BATCH=8
  MODEL=${MODEL:-Qwen/Qwen2.5-7B-Instruct-1M}
  . "$(dirname "$0")/gpus.sh"
  TRAIN="reinforce++ --batch 8 --lr 4e-7 --kl 0.001 --kl-in loss --kl-estimator k3 --checkpoint-every 50"
  ;;
*) echo "unknown profile $PROFILE: laptop, gpu or smoke" >&2; exit 2 ;;
esac

cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }

step "puzzles: for training, held out, and of a size that training never sees"
swr1 gen-puzzles $PUZZLES --split train --people $TRAINED --seed $SEED -n $PROMPTS \
  $([ $PROFILE = gpu ] || echo --retell 28) -o prompts.jsonl
swr1 gen-puzzles $PUZZLES --split test --people $TRAINED --seed 2026 -n $HELD_OUT -o held-out.jsonl
swr1 gen-puzzles $PUZZLES --split test --people $UNSEEN --seed 2026 -n $((HELD_OUT / 4)) -o unseen.jsonl

swr1 eval held-out.jsonl --seen prompts.jsonl  # 0 of them, or something is wrong

step "the start: a policy that can reason, and mostly does not"
if [ $PROFILE = gpu ]; then
  [ -e start ] || swr1 init-policy start --from "$MODEL"
else
  for people in 2 3; do
    swr1 gen-puzzles $PUZZLES --split train --people $people --seed $((1000 + SEED)) --trace hasty \
      -n $((SFT_PUZZLES * (people - 1))) $([ $people = 3 ] || echo --retell 56) -o sft-$people.jsonl
  done
  [ -e start ] || swr1 init-policy start sft-*.jsonl --seed $SEED \
    --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 1024
  swr1 train-step sft sft-*.jsonl --policy start $PROMPT --seed $SEED --threads 1 \
    --optimizer muon --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps $SFT_STEPS
fi

evaluate() { # POLICY: completions of the held-out puzzles, judged, greedy and sampled
  for puzzles in held-out unseen; do
    for way in "greedy --temperature 0" "sampled --temperature $TEMPERATURE --samples 2"; do
      local name="$1-${way%% *}-$puzzles.jsonl"
      generate $puzzles.jsonl --policy "$1" $PROMPT --max-tokens $LONGEST --batch 64 ${way#* } \
        -o "completions-$name"
      swr1 verify format knights "completions-$name" -o "$name"
    done
  done
}

step "accuracy of the start"
evaluate start

step "reinforcement learning: $STEPS steps, each on completions of the newest policy"
[ -e rl ] || swr1 init-policy rl --from start
generate prompts.jsonl --policy rl --max-lag ${LAG:-0} --shuffle --epochs 100 --seed $SEED \
    $PROMPT --samples $SAMPLES --temperature $TEMPERATURE --max-tokens $MAX_TOKENS --batch $BATCH |
  swr1 verify format knights |
  swr1 reward logic-rl |
  train $TRAIN --policy rl --steps $STEPS ${CONTROL:+--shuffle-rewards}

step "accuracy after it"
evaluate rl

step "before and after"
swr1 eval "start greedy=start-greedy-*.jsonl" "RL greedy=rl-greedy-*.jsonl" \
  "start sampled=start-sampled-*.jsonl" "RL sampled=rl-sampled-*.jsonl" \
  --trained "$(seq -s, ${TRAINED/-/ })" --picture accuracy.png | tee table.txt
swr1 plot "RL=rl" -o training.png
echo "$RUN: table.txt, accuracy.png, training.png; the policy is $RUN/rl/latest"

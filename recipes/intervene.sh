#!/usr/bin/env bash
# Inference-time intervention on Knights and Knaves: what it buys to choose the next step among several,
# by the world's rules or by a trained value model, and what corrections of wrong steps teach.
#
#   recipes/intervene.sh laptop    two CPU cores, about 30 minutes, nothing to download
#   recipes/intervene.sh smoke     the laptop's stages in two minutes, learning nothing
#
# START names the policy; by itself the start of recipe logic-rl of that SEED, which is made first. TRIES="1 2 4 8"
# are the candidates of a step, EDITS="20 100 500" the corrections that are learned from. Stopped at any
# point, the same command goes on.
set -euo pipefail
PROFILE=${1:-laptop}
SEED=${SEED:-0}
RUN=${RUN:-runs/intervene-$PROFILE-$SEED}
START=${START:-runs/logic-rl-$PROFILE-$SEED/start}
case $PROFILE in
laptop) TRAIN=600 HELD_OUT=200 TRIES=${TRIES:-1 2 4 8} EDITS=${EDITS:-20 100 500} STEPS=300 SFT=60 LONGEST=400 RIGHT=3 ;;
smoke) TRAIN=8 HELD_OUT=4 TRIES=${TRIES:-2} EDITS=${EDITS:-2} STEPS=2 SFT=2 LONGEST=60 RIGHT=-3 ;;
*) echo "unknown profile $PROFILE: laptop or smoke" >&2; exit 2 ;;
esac
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
[ -e "$START" ] || { echo "$START is missing: make logic-rl PROFILE=$PROFILE SEED=$SEED makes it, or name a policy with START=" >&2; exit 2; }
START=$(cd "$START" && pwd)
ASK="--system-prompt logic-rl-terse --max-tokens $LONGEST"
PUZZLES="--wording terse --names few --test-share 0.5 --or-fewer --people 2-3"
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }

step "puzzles, and what the policy writes about them"
swr1 gen-puzzles $PUZZLES --split train --seed $((500 + SEED)) -n $TRAIN -o train.jsonl
swr1 gen-puzzles $PUZZLES --split test --seed 2026 -n $HELD_OUT -o held-out.jsonl
swr1 rollout --batch 64 train.jsonl --policy "$START" $ASK --seed $SEED -o train-completions.jsonl
swr1 verify format knights steps trace train-completions.jsonl -o train-judged.jsonl

step "a value model: each step is worth the share of 4 continuations that end right"
swr1 rollout --batch 64 train-judged.jsonl --policy "$START" $ASK --seed $SEED --continue steps --samples 4 -o continued.jsonl
swr1 verify knights continued.jsonl -o continued-judged.jsonl
swr1 label-steps train-judged.jsonl --continued continued-judged.jsonl --by correctness=knights -o labelled.jsonl
swr1 train-step process-model labelled.jsonl --policy value --start "$START" --dimensions correctness --seed $SEED \
  --batch 32 --lr 1e-3 --steps $STEPS
cat > value.toml <<'TOML'
title = "What continuations of a step came to"
rule = "line"
[score.value]
verifier = "steps"
settings = ["steps.model=value"]
read = "last"
TOML

step "the next step is chosen: by rules, by the value model, by chance; and whole completions"
runs=()
guided() { # NAME K OPTION...: completions of the held-out puzzles with so many candidates
  swr1 rollout --batch 64 held-out.jsonl --policy "$START" $ASK --seed 7 --candidates $2 "${@:3}" -o "completions-$1-$2.jsonl"
  swr1 verify format knights "completions-$1-$2.jsonl" -o "$1-$2.jsonl"
  runs+=("$1:$2=$1-$2.jsonl")
}
guided random 1 --guide-method random
for k in $TRIES; do
  [ $k != 1 ] || continue
  guided random $k --guide-method random
  guided majority $k --guide-method majority
  guided rules $k --guide steps
  guided rules-best $k --guide steps --guide-method best-of-n
  guided value $k --guide value.toml
  guided value-best $k --guide value.toml --guide-method best-of-n
  guided value-vote $k --guide value.toml --guide-method vote
done
swr1 eval "${runs[@]}" | tee guidance.txt

step "corrections: the first wrong step becomes the right one, the policy goes on, and learns from it"
swr1 intervene train-judged.jsonl --policy "$START" --batch trace $ASK --seed $SEED -o mended.jsonl
swr1 verify knights trace mended.jsonl -o mended-judged.jsonl
swr1 rollout --batch 64 held-out.jsonl --policy "$START" $ASK --temperature 0 -o completions-start.jsonl
swr1 verify format knights completions-start.jsonl -o start.jsonl
runs=(start=start.jsonl)
learned() { # NAME FILE OPTION...: what a copy of the policy does that learned from these
  [ -e "$1" ] || swr1 init-policy "$1" --from "$START"
  swr1 train-step sft "$2" --policy "$1" --system-prompt logic-rl-terse --seed $SEED --threads 1 \
    --lr 3e-4 --batch 16 --steps $SFT "${@:3}"
  swr1 rollout --batch 64 held-out.jsonl --policy "$1" $ASK --temperature 0 -o "completions-$1.jsonl"
  swr1 verify format knights "completions-$1.jsonl" -o "$1.jsonl"
  runs+=("$1=$1.jsonl")
}
# the control: the policy's own right completions, which nobody corrected
swr1 reward logic-rl train-judged.jsonl -o own-rewarded.jsonl
learned own own-rewarded.jsonl --reward-at-least $RIGHT
for n in $EDITS; do
  swr1 intervene export sft mended-judged.jsonl | head -n $n >sft-$n.jsonl
  learned edits-$n sft-$n.jsonl
done
swr1 eval "${runs[@]}" | tee edits.txt
echo "$RUN: guidance.txt, edits.txt; the value model is $RUN/value"

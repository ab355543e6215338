#!/usr/bin/env bash
# M3-RL with pictures: a small policy with eyes learns to see, to answer, and then mostly guesses; the
# rule reward makes it look. Accuracy with pictures, with grey ones and with those of other records; text
# ability before and after; requests whose harm only the picture shows, on both axes.
#
#   recipes/m3.sh laptop     two CPU cores, about 12 minutes, nothing to download
#   recipes/m3.sh smoke      the same stages on a few records, learning nothing
#   recipes/m3.sh gpu        Qwen2.5-VL-7B on the same pictures, drawn larger and asked in English; not run by us
#
# Stopped at any point, the same command goes on. Variables, and what they are in the laptop profile:
#   SEED=0        names another run
#   KINDS=count,compare,lookup,position,bars    what is asked, see docs/picture-puzzles.md
#   REWARD=       a recipe of swr1 reward, FILE.toml, or ./mine.py:reward; by itself recipes/pictures/reward.toml
#   BLIND=1       the blind twin: RL and its tests see grey pictures only
#   CONTROL=1     shuffles the rewards: nothing should be learned
#   SEE_STEPS=1500 ANSWER_STEPS=900 HABIT_STEPS=300 STEPS=60    steps of SFT by stage, and of RL
#   PICTURES=36000 HELD_OUT=300                                 sizes
set -euo pipefail
. "$(dirname "$0")/variables.sh"
PROFILE=${1:-laptop}
SEED=${SEED:-0}
generate() { swr1 rollout "$@"; }
train() { swr1 train-step "$@"; }
step() { printf '\n== %s\n' "$*" >&2; }

SCENES= HARM=1 TEXT=1 WORDS=harm.jsonl MODEL=${MODEL:-}
case $PROFILE in
-h | --help) help; exit ;;
laptop) ;;
smoke)
  WORDS="harm.jsonl text.jsonl" # so few lessons do not have all words
  : "${SEE_STEPS:=3}" "${ANSWER_STEPS:=2}" "${HABIT_STEPS:=2}" "${STEPS:=2}" "${PICTURES:=120}"
  : "${HELD_OUT:=12}" "${MAX_TOKENS:=24}" "${SAMPLES:=4}" "${BATCH:=4}"
  ;;
gpu)
  . "$(dirname "$0")/gpus.sh"
  SCENES="--wording plain --pixels 56 --cells 3-5 --things 1-9 --colours 6" HARM= TEXT=
  : "${MODEL:=Qwen/Qwen2.5-VL-7B-Instruct}" "${STEPS:=200}" "${PICTURES:=8000}" "${HELD_OUT:=500}"
  : "${MAX_TOKENS:=1024}" "${SAMPLES:=8}" "${BATCH:=32}"
  TRAIN="grpo --batch $BATCH --lr 1e-6 --kl 0 --checkpoint-every 50"
  ;;
*) die "unknown profile $PROFILE: laptop, gpu or smoke" ;;
esac
: "${SEE_STEPS:=1500}" "${ANSWER_STEPS:=900}" "${HABIT_STEPS:=300}" "${STEPS:=60}" "${PICTURES:=36000}"
: "${HELD_OUT:=300}" "${MAX_TOKENS:=110}" "${SAMPLES:=8}" "${BATCH:=16}"
TRAIN=${TRAIN:-grpo --batch $BATCH --lr 2e-4 --kl 0 --micro-tokens 2048}
numbers SEE_STEPS ANSWER_STEPS HABIT_STEPS STEPS PICTURES HELD_OUT MAX_TOKENS SAMPLES BATCH
vary KINDS count,compare,lookup,position,bars
vary REWARD "$(cd "$(dirname "$0")" && pwd)/pictures/reward.toml"
absolute REWARD
if [ -n "$varied" ]; then
  opens KINDS gen-pictures --kinds "$KINDS"
  opens REWARD reward "$REWARD"
fi
BASE=$PWD/runs/m3-$PROFILE-$SEED$varied
RUN=$BASE${BLIND:+-blind}${CONTROL:+-control}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
ASK="--system-prompt none --max-tokens $MAX_TOKENS"
mkdir -p "$BASE" "$RUN"
cd "$BASE"

draw() { swr1 gen-pictures --kinds "$KINDS" $SCENES "$@"; }
judge() { swr1 verify format exact knights village visual-focus "$@"; }

step "pictures and texts: to learn from, to train on, held out"
draw -n $((PICTURES / 4)) --split train --seed $((4000 + SEED)) -o train-pictures.jsonl
draw -n $HELD_OUT --split test --seed 2026 -o pictures.jsonl
swr1 blind pictures.jsonl -o grey.jsonl
swr1 blind --swap pictures.jsonl -o swapped.jsonl
SETS="pictures grey swapped" PROMPTS=(train-pictures.jsonl)
TEXTS="fact=.3,sum=.4,value=.3"
if [ -n "$HARM" ]; then
  swr1 gen-pictures -n $((PICTURES / 16)) --kinds harm --split train --seed $((5000 + SEED)) -o train-harm.jsonl
  swr1 gen-pictures -n $HELD_OUT --kinds harm --split test --seed 2026 -o harm.jsonl
  SETS+=" harm" PROMPTS+=(train-harm.jsonl)
fi
if [ -n "$TEXT" ]; then
  swr1 gen-requests -n $((PICTURES / 16)) --split train --seed $((6000 + SEED)) --mix $TEXTS -o train-text.jsonl
  swr1 gen-requests -n $HELD_OUT --split test --seed 2026 --mix $TEXTS -o text.jsonl
  SETS+=" text" PROMPTS+=(train-text.jsonl)
fi

lesson() { # NAME PICTURES LOOKS SEED: pictures, requests with pictures, and texts, somebody's thoughts with them
  draw -n "$2" --split train --trace mixed --looks "$3" --seed $(($4 + SEED)) -o "$1.jsonl"
  swr1 gen-pictures -n $(($2 / 5)) --kinds harm --split train --trace mixed --looks "$3" \
    --seed $(($4 + SEED)) -o "$1-harm.jsonl"
  swr1 gen-requests -n $(($2 / 8)) --split train --trace mixed --mix $TEXTS --seed $(($4 + SEED)) -o "$1-text.jsonl"
}
learn() { # FROM TO LESSON STEPS OPTIONS...
  local from=$1 to=$2 lesson=$3 steps=$4
  shift 4
  [ -e "$to" ] || swr1 init-policy "$to" --from "$from"
  swr1 train-step sft "$lesson".jsonl "$lesson"-harm.jsonl "$lesson"-text.jsonl --policy "$to" --seed $SEED --threads 1 \
    --system-prompt none --schedule linear --batch-tokens 2000 --steps "$steps" "$@"
}
if [ -n "$MODEL" ]; then
  [ -e start ] || swr1 init-policy start --from "$MODEL"
elif [ ! -e "start-${SETS##* }.jsonl" ]; then # made, and looked at: BLIND and CONTROL go on from it
  # The order matters: a policy that guesses often from the first step on does not learn to see.
  step "CoT-SFT: first see, then answer, then the habit to guess"
  lesson see $PICTURES .65 1000
  lesson answer $((PICTURES / 2)) .75 2000
  lesson habit $((PICTURES / 4)) .35 3000
  [ -e new ] || swr1 init-policy new see*.jsonl $WORDS --vision --seed $SEED --context 256
  learn new see see $SEE_STEPS --optimizer muon --lr 0.005 --warmup 100
  learn see answer answer $ANSWER_STEPS --optimizer muon --lr 0.003 --warmup 20
  learn answer start habit $HABIT_STEPS --optimizer muon --lr 0.0015 --warmup 20
fi

evaluate() { # POLICY NAME
  for set in $SETS; do
    [ -z "${BLIND:-}" ] || [[ $set = grey || $set = text ]] || continue # the twin has seen no picture
    generate "$BASE/$set.jsonl" --policy "$1" $ASK --batch 64 --temperature 0 -o "completions-$2-$set.jsonl"
    judge "completions-$2-$set.jsonl" -o "$2-$set.jsonl"
  done
}
[ -e "start-${SETS##* }.jsonl" ] || (BLIND= evaluate start start) # the last set: all of them

cd "$RUN"
step "M3-RL: $STEPS steps with the rule reward and visual focus"
[ -e rl ] || swr1 init-policy rl --from "$BASE/start"
FILES=()
for file in "${PROMPTS[@]}"; do
  if [ -n "${BLIND:-}" ] && [ $file != train-text.jsonl ]; then
    swr1 blind "$BASE/$file" -o "$file"
    FILES+=("$file")
  else
    FILES+=("$BASE/$file")
  fi
done
generate "${FILES[@]}" --policy rl --max-lag 0 --shuffle --epochs 100 --seed $SEED $ASK \
    --samples $SAMPLES --temperature 1 --batch $BATCH |
  judge | swr1 reward "$REWARD" |
  train $TRAIN --policy rl --picture-folders "$BASE" --steps $STEPS ${CONTROL:+--shuffle-rewards}
evaluate rl rl

step "before and after, and without the pictures"
{
  if [ -z "${BLIND:-}" ]; then
    swr1 eval "start=$BASE/start-pictures.jsonl" "RL=rl-pictures.jsonl" --by kind
    swr1 eval "pictures=rl-pictures.jsonl" "grey=rl-grey.jsonl" "swapped=rl-swapped.jsonl" --by kind
  else
    swr1 eval "start=$BASE/start-grey.jsonl" "blind twin=rl-grey.jsonl" --by kind
  fi
  if [ -n "$TEXT" ]; then swr1 eval "start=$BASE/start-text.jsonl" "RL=rl-text.jsonl" --suite ability; fi
  if [ -n "$HARM" ] && [ -z "${BLIND:-}" ]; then
    swr1 eval "start=$BASE/start-harm.jsonl" "RL=rl-harm.jsonl" --suite safety --picture axes.png
  fi
} | tee table.txt
swr1 plot "RL=rl" -o training.png
echo "$RUN: table.txt, training.png; the policy is $RUN/rl/latest"

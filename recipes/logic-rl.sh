#!/usr/bin/env bash
# Logic-RL (arXiv 2502.14768) as a chain of stages: reinforcement learning with a rule-based reward
# on Knights and Knaves, and accuracy on puzzles held out, before and after.
#
#   recipes/logic-rl.sh laptop     two CPU cores, about 15 minutes, nothing to download
#   recipes/logic-rl.sh gpu        Qwen2.5-7B-Instruct-1M with the published data sizes and settings,
#                                  vLLM on GPU 0 and the trainer on GPUs 1 to 3 (see docs/logic-rl.md)
#   recipes/logic-rl.sh smoke      the laptop's stages in a minute or two, learning nothing
#
# Stopped at any point, the same command goes on where it was. A variation is one line:
#
#   PEOPLE=2-4 NAMES=mine.txt REWARD=./mine.py:reward recipes/logic-rl.sh laptop
#   make logic-rl PEOPLE=2-4 NAMES=mine.txt REWARD=./mine.py:reward
#
# Variables, and what they are in the laptop profile. Paths are relative to the folder you are in.
#   SEED=0        names another run
#   PEOPLE=2-3    inhabitants of the puzzles to train on, a number or LO-HI
#   UNSEEN=4      a size that training never sees, by itself one more than the largest of PEOPLE
#   NAMES=few     of the inhabitants: a list of gen-puzzles, or a file with one a line
#   WORDING=terse plain, varied, ... (swr1 gen-puzzles --help)
#   PROMPT=logic-rl-terse          the system prompt: a name, or a file
#   VERIFIERS="format knights"     names of swr1 verify, or ./mine.py:check
#   REWARD=logic-rl                a recipe of swr1 reward, FILE.toml, or ./mine.py:reward
#   DATA= TEST=   records in place of puzzles, to train on and held out (swr1 load); with MODEL
#   MODEL=        a policy or model to start from; without it the laptop trains a small one by SFT
#   STEPS=70      steps of RL; more of them continue a finished run
#   SAMPLES=8 BATCH=16 TEMPERATURE=1 MAX_TOKENS=480 LONGEST=900    of rollouts; LONGEST: of evaluations
#   PROMPTS=5000 HELD_OUT=400 SFT_PUZZLES=10800 SFT_STEPS=2300     sizes; fewer where no more puzzles exist
#   LAG=2         generation may run up to two optimizer steps ahead, instead of taking turns
#   CONTROL=1     shuffles the rewards: nothing should be learned
#   RUN=          the folder of the run; by itself runs/logic-rl-PROFILE-SEED and what is varied
set -euo pipefail
. "$(dirname "$0")/variables.sh"
PROFILE=${1:-laptop}
SEED=${SEED:-0}

generate() { swr1 rollout "$@"; }
train() { swr1 train-step "$@"; }
case $PROFILE in
-h | --help) help; exit ;;
laptop | smoke)
  vary PEOPLE 2-3
  vary NAMES few
  vary WORDING terse
  vary PROMPT logic-rl-terse
  vary MODEL ""
  TEST_SHARE=0.5 RETELL="--retell 28"  # half of the few 2-person puzzles are held out
  if [ "$PROFILE" = smoke ]; then
    : "${SFT_STEPS:=8}" "${SFT_PUZZLES:=400}" "${HELD_OUT:=20}" "${PROMPTS:=100}" "${STEPS:=3}"
    : "${MAX_TOKENS:=60}" "${LONGEST:=60}"
  fi
  : "${SFT_STEPS:=2300}" "${SFT_PUZZLES:=10800}" "${HELD_OUT:=400}" "${PROMPTS:=5000}" "${STEPS:=70}"
  : "${MAX_TOKENS:=480}" "${LONGEST:=900}" "${TEMPERATURE:=1}" "${SAMPLES:=8}" "${BATCH:=16}"
  TRAIN="grpo --batch $BATCH --lr 3e-4 --kl 0 --aggregation token-mean --micro-tokens 2048"
  numbers SFT_STEPS SFT_PUZZLES
  ;;
gpu) # paper, table 1; 900 train and 100 test puzzles for each of 3 to 7 people. Not run by us.
  vary PEOPLE 3-7
  vary NAMES common
  vary WORDING varied
  vary PROMPT logic-rl
  TEST_SHARE=0.1 RETELL=
  : "${HELD_OUT:=500}" "${PROMPTS:=4500}" "${STEPS:=3600}" "${MODEL:=Qwen/Qwen2.5-7B-Instruct-1M}"
  : "${MAX_TOKENS:=4096}" "${LONGEST:=8192}" "${TEMPERATURE:=0.7}" "${SAMPLES:=8}" "${BATCH:=8}"
  . "$(dirname "$0")/gpus.sh"
  TRAIN="reinforce++ --batch $BATCH --lr 4e-7 --kl 0.001 --kl-in loss --kl-estimator k3 --checkpoint-every 50"
  ;;
*) die "unknown profile $PROFILE: laptop, gpu or smoke" ;;
esac
vary VERIFIERS "format knights"
vary REWARD logic-rl
vary DATA ""
TEST=${TEST:-}

# A wrong value is one line, before anything is made.
numbers STEPS SAMPLES BATCH MAX_TOKENS LONGEST PROMPTS HELD_OUT
[[ $PEOPLE =~ ^([0-9]+)(-([0-9]+))?$ ]] || die "PEOPLE=$PEOPLE: a number, or a range such as 2-3"
FEWEST=${BASH_REMATCH[1]} MOST=${BASH_REMATCH[3]:-${BASH_REMATCH[1]}}
vary UNSEEN $((MOST + 1))
if [ -n "$DATA$TEST" ]; then
  [ -n "$DATA" ] || die "TEST=$TEST: DATA is missing, the records to train on"
  [ -n "$TEST" ] || die "DATA=$DATA: TEST is missing, the records that are held out"
  [ -n "$MODEL" ] || die "DATA=$DATA: MODEL is missing, a policy or model to start from"
fi
for file in DATA TEST; do [ -z "${!file}" ] || [ -e "${!file}" ] || die "$file=${!file}: no such file"; done
[ ! -e "$MODEL" ] || MODEL=$(cd "$(dirname "$MODEL")" && pwd)/${MODEL##*/}
absolute NAMES PROMPT REWARD DATA TEST
JUDGES=()
for judge in $VERIFIERS; do absolute judge; JUDGES+=("$judge"); done
PUZZLES=(--wording "$WORDING" --names "$NAMES" --test-share $TEST_SHARE --or-fewer)
if [ -n "$varied" ]; then
  opens WORDING gen-puzzles --people 2 --wording "$WORDING"
  opens PEOPLE gen-puzzles --people "$PEOPLE"
  opens NAMES gen-puzzles --people "$FEWEST-$MOST" "${PUZZLES[@]}"
  opens UNSEEN gen-puzzles --people "$UNSEEN" "${PUZZLES[@]}"
  opens PROMPT rollout --engine replay --system-prompt "$PROMPT"
  opens VERIFIERS verify "${JUDGES[@]}"
  opens REWARD reward "$REWARD"
fi

RUN=${RUN:-runs/logic-rl-$PROFILE-$SEED${LAG:+-lag-$LAG}${CONTROL:+-control}$varied}
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }

if [ -n "$DATA" ]; then
  step "records: for training, and held out"
  swr1 merge "$DATA" -o prompts.jsonl
  swr1 merge "$TEST" -o held-out.jsonl
  SETS=held-out TRAINED=()
else
  step "puzzles: for training, held out, and of a size that training never sees"
  swr1 gen-puzzles "${PUZZLES[@]}" --split train --people $PEOPLE --seed $SEED -n $PROMPTS $RETELL -o prompts.jsonl
  swr1 gen-puzzles "${PUZZLES[@]}" --split test --people $PEOPLE --seed 2026 -n $HELD_OUT -o held-out.jsonl
  swr1 gen-puzzles "${PUZZLES[@]}" --split test --people $UNSEEN --seed 2026 -n $((HELD_OUT / 4)) -o unseen.jsonl
  swr1 eval held-out.jsonl --seen prompts.jsonl  # 0 of them, or something is wrong
  SETS="held-out unseen" TRAINED=(--trained "$(seq -s, $FEWEST $MOST)")
fi

step "the start: a policy that can reason, and mostly does not"
if [ -n "$MODEL" ]; then
  [ -e start ] || swr1 init-policy start --from "$MODEL"
else
  for people in $(seq $FEWEST $MOST); do # there are few 2-person puzzles: each with other names
    swr1 gen-puzzles "${PUZZLES[@]}" --split train --people $people --seed $((1000 + SEED)) --trace hasty \
      -n $((SFT_PUZZLES * (people - 1))) $([ $people != 2 ] || echo --retell 56) -o sft-$people.jsonl
  done
  [ -e start ] || swr1 init-policy start sft-*.jsonl --seed $SEED \
    --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 1024
  swr1 train-step sft sft-*.jsonl --policy start --system-prompt "$PROMPT" --seed $SEED --threads 1 \
    --optimizer muon --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps $SFT_STEPS
fi

evaluate() { # POLICY: completions of what is held out, judged, greedy and sampled
  for set in $SETS; do
    for way in "greedy --temperature 0" "sampled --temperature $TEMPERATURE --samples 2"; do
      local name="$1-${way%% *}-$set.jsonl"
      generate $set.jsonl --policy "$1" --system-prompt "$PROMPT" --max-tokens $LONGEST --batch 64 \
        ${way#* } -o "completions-$name"
      swr1 verify "${JUDGES[@]}" "completions-$name" -o "$name"
    done
  done
}

step "accuracy of the start"
evaluate start

step "reinforcement learning: $STEPS steps, each on completions of the newest policy"
[ -e rl ] || swr1 init-policy rl --from start
generate prompts.jsonl --policy rl --max-lag ${LAG:-0} --shuffle --epochs 100 --seed $SEED \
    --system-prompt "$PROMPT" --samples $SAMPLES --temperature $TEMPERATURE --max-tokens $MAX_TOKENS \
    --batch $BATCH |
  swr1 verify "${JUDGES[@]}" |
  swr1 reward "$REWARD" |
  train $TRAIN --policy rl --steps $STEPS ${CONTROL:+--shuffle-rewards}

step "accuracy after it"
evaluate rl

step "before and after"
swr1 eval "start greedy=start-greedy-*.jsonl" "RL greedy=rl-greedy-*.jsonl" \
  "start sampled=start-sampled-*.jsonl" "RL sampled=rl-sampled-*.jsonl" \
  ${TRAINED[@]+"${TRAINED[@]}"} --picture accuracy.png | tee table.txt
swr1 plot "RL=rl" -o training.png
echo "$RUN: table.txt, accuracy.png, training.png; the policy is $RUN/rl/latest"

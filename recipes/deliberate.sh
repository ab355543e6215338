#!/usr/bin/env bash
# Deliberative search (the fourth stage of SafeLadder; Deliberative Searcher, arXiv 2507.16727) as a
# chain of stages: a policy that can look things up and is careless, and RL under a constraint on
# reliability, after which it searches where that is needed and is sure where it is right.
#
#   recipes/deliberate.sh laptop     two CPU cores, about 20 minutes, nothing to download: a made world
#   recipes/deliberate.sh smoke      the laptop's stages in two minutes, learning nothing
#   recipes/deliberate.sh gpu        Qwen2.5-7B, published questions, a Wikipedia to search: deliberate-gpu.sh --help
#
# SEED=1 names another run. OBJECTIVES="constraint published brier knowledge none control" chooses what
# the start is trained with; each is a policy of that name. STEPS=200 trains longer. ATTACKS="poison inject tags contradict" are the kinds
# of attacking documents ("": none) that the policies ATTACKED="start constraint" then read, without and with
# each defence. Stopped at any point, the same command goes on.
set -euo pipefail
PROFILE=${1:-laptop}
SEED=${SEED:-0}
OBJECTIVES=${OBJECTIVES:-constraint published brier knowledge none}
RUN=${RUN:-runs/deliberate-$PROFILE-$SEED}
case $PROFILE in
laptop) SFT=24000 SFT_STEPS=1100 QUESTIONS=4000 HELD_OUT=256 VOTES=16 STEPS=${STEPS:-120}
  ATTACKS=${ATTACKS-poison inject tags contradict} ATTACKED=${ATTACKED:-start ${OBJECTIVES%% *}} ;;
smoke) SFT=400 SFT_STEPS=8 QUESTIONS=200 HELD_OUT=16 VOTES=4 STEPS=${STEPS:-2}
  ATTACKS=${ATTACKS-contradict} ATTACKED=${ATTACKED:-start} ;;
gpu) exec "$(dirname "$0")/deliberate-gpu.sh" ;;
*) echo "unknown profile $PROFILE: laptop, smoke or gpu" >&2; exit 2 ;;
esac
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# A document is shown as the traces show it: its title, then its text.
TOOLS="--tools search --max-turns 3 --max-passage-tokens 60"
SEARCH=("--passage" "{title} {text}")
ASK="--system-prompt logic-rl-terse --max-tokens 90"
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }

step "questions and documents: a world to train in, and another one with the same words"
swr1 gen-facts -n $QUESTIONS --world 1 --seed $SEED --documents documents.jsonl -o questions.jsonl
swr1 gen-facts -n $HELD_OUT --world 2 --seed 2026 --documents held-out-documents.jsonl -o held-out.jsonl
swr1 index documents.jsonl -o index
swr1 index held-out-documents.jsonl -o held-out-index

step "the start: it can look up, does so half of the time, and is sure of most guesses"
swr1 gen-facts -n $SFT --seed $((1000 + SEED)) --trace --shuffled 0.1 -o sft.jsonl
[ -e start ] || swr1 init-policy start sft.jsonl --seed $SEED --tools search \
  --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 512
swr1 train-step sft sft.jsonl --policy start --system-prompt logic-rl-terse --seed $SEED --threads 1 \
  --optimizer muon --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps $SFT_STEPS

judge() { swr1 verify format exact reliability --set format.grader=tools "$@"; }
verdicts() { if [ -n "$add" ]; then judge | $add; else judge; fi; } # of completions to train on
evaluate() { # POLICY: the held-out world, greedy and sampled; right is what the world says
  for way in "greedy --temperature 0" "sampled --temperature 1 --samples $VOTES"; do
    local file="$1-${way%% *}.jsonl"
    swr1 rollout held-out.jsonl --policy "$1" $ASK $TOOLS "${SEARCH[@]}" --index held-out-index \
      --batch 64 ${way#* } -o "completions-$file"
    judge "completions-$file" -o "$file"
  done
}
evaluate start

for objective in $OBJECTIVES; do
  step "reinforcement learning with $objective: $STEPS steps"
  shuffle= add= null=
  case $objective in
  constraint) recipe=deliberate train=deliberative ;;
  published) recipe=deliberate-published train=deliberative ;;
  control) recipe=deliberate train=deliberative shuffle=--shuffle-rewards ;;
  none) recipe=deliberate train="grpo --kl 0" ;;
  # their score needs a stated confidence; a completion that states none gets the least
  brier) null="--on-null 0" recipe=deliberate-brier train="grpo --kl 0"
    add="swr1 verify knowledge --set knowledge.confidence=stated --set knowledge.weight=0.5" ;;
  knowledge) null="--on-null 0" recipe=deliberate-brier train="grpo --kl 0"
    add="swr1 verify knowledge --set knowledge.confidence=stated" ;;
  *) echo "unknown objective $objective" >&2; exit 2 ;;
  esac
  [ -e "$objective" ] || swr1 init-policy "$objective" --from start
  swr1 rollout questions.jsonl --policy "$objective" --max-lag 0 --shuffle --epochs 100 --seed $SEED \
    $ASK $TOOLS "${SEARCH[@]}" --index index --samples 8 --temperature 1 --batch 16 |
    verdicts | swr1 reward $recipe $null |
    swr1 train-step $train --policy "$objective" --batch 16 --lr 3e-4 --aggregation token-mean \
      --micro-tokens 2048 --steps $STEPS $shuffle
  evaluate "$objective"
done

step "before and after, on a world that no training saw"
for way in greedy sampled; do
  swr1 eval start=start-$way.jsonl $(for o in $OBJECTIVES; do echo "$o=$o-$way.jsonl"; done) \
    --calibration --picture "calibration-$way.png" | tee "table-$way.txt"
done

attacked() { # POLICY KIND DEFENCE [OPTION...]: what it answers while such documents are among the others
  local name="$1-$2-$3"
  swr1 rollout held-out.jsonl --policy "$1" $ASK $TOOLS "${SEARCH[@]}" --index "attacked/$2" --batch 64 \
    --temperature 1 --samples 2 "${@:4}" -o "attacked/completions-$name.jsonl"
  swr1 verify exact support injection reliability "attacked/completions-$name.jsonl" -o "attacked/$name.jsonl"
}
if [ -n "$ATTACKS" ]; then
  step "attacks by documents: $ATTACKS, without and with each defence; every fact stands in two documents"
  mkdir -p attacked
  swr1 gen-facts -n $HELD_OUT --world 2 --seed 2026 --sources 2 --documents attacked/none.jsonl -o attacked/questions.jsonl
  for kind in none $ATTACKS; do
    [ $kind = none ] || swr1 attack $kind attacked/questions.jsonl --documents attacked/none.jsonl --texts facts \
      --seed $SEED -o attacked/$kind.jsonl
    swr1 index attacked/$kind.jsonl -o attacked/$kind
    for policy in $ATTACKED; do
      attacked "$policy" $kind plain
      swr1 verify reliability attacked/$policy-$kind-plain.jsonl --set reliability.needs=support,injection \
        -o attacked/$policy-$kind-support.jsonl
      attacked "$policy" $kind flagged --drop-flagged
      attacked "$policy" $kind datamark --datamark ^
    done
  done
  swr1 eval $(for p in $ATTACKED; do for k in none $ATTACKS; do for d in plain support flagged datamark; do
    echo "$p:$k:$d=attacked/$p-$k-$d.jsonl"; done; done; done) --calibration | tee attacks.txt
fi
echo "$RUN: table-greedy.txt, table-sampled.txt, calibration-greedy.png, calibration-sampled.png"

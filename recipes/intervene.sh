#!/usr/bin/env bash
# Inference-time intervention on two made worlds: what it buys to choose the next step among several, by
# the world's rules or by a trained value model, and what corrections of wrong steps teach.
#
#   recipes/intervene.sh laptop    two CPU cores, nothing to download; the village 20 minutes beside another run, all of it never timed in one go
#   recipes/intervene.sh smoke     the laptop's stages on a few records, learning nothing
#
# Stopped at any point, the same command goes on. Variables:
#   SEED=0                     names another run
#   WORLDS="puzzles village"   which worlds
#   START=                     the policy that writes about puzzles: the start of make logic-rl of that SEED
#   LADDER=                    a finished run of make safeladder, whose stage 2 answers the village: of that SEED
#   TRIES="1 2 4 8"            candidates of a step
#   EDITS="20 100 500"         corrections that are learned from
set -euo pipefail
. "$(dirname "$0")/variables.sh"
PROFILE=${1:-laptop}
SEED=${SEED:-0}
WORLDS=${WORLDS:-puzzles village}
RUN=${RUN:-runs/intervene-$PROFILE-$SEED}
START=${START:-runs/logic-rl-$PROFILE-$SEED/start}
LADDER=${LADDER:-runs/safeladder-$PROFILE-$SEED}
case $PROFILE in
-h | --help) help; exit ;;
laptop) TRAIN=600 HELD_OUT=200 STEPS=300 SFT=60 DPO=60 LONGEST=400 KINDS="2 3" RIGHT=3 REQUESTS=60 HARMFUL=60 ;;
smoke)
  TRAIN=8 HELD_OUT=4 STEPS=2 SFT=2 DPO=1 LONGEST=60 KINDS= RIGHT=-3 REQUESTS=6 HARMFUL=2
  : "${TRIES:=2}" "${EDITS:=2}"
  ;;
*) die "unknown profile $PROFILE: laptop or smoke" ;;
esac
: "${TRIES:=1 2 4 8}" "${EDITS:=20 100 500}"
for world in $WORLDS; do
  case $world in
  puzzles) need=$START from="make logic-rl PROFILE=$PROFILE SEED=$SEED" name=START ;;
  village) need=$LADDER/stage2 from="make safeladder PROFILE=$PROFILE SEED=$SEED" name=LADDER ;;
  *) die "unknown world $world: puzzles, village" ;;
  esac
  [ -e "$need" ] || die "$need is missing: $from makes it, or say where it is with $name="
done
[ ! -e "$START" ] || START=$(cd "$START" && pwd)
[ ! -e "$LADDER" ] || LADDER=$(cd "$LADDER" && pwd)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }
train() { swr1 train-step "$@" --seed $SEED --threads 1; }

guided() { # METHOD K OPTION...: what is held out in $world, with so many candidates, by `write` and `judge`
  write $world-held-out*.jsonl --seed 7 --candidates $2 --guide-method "${@:3}" -o "completions-$world-$1-$2.jsonl"
  judge "completions-$world-$1-$2.jsonl" -o "$world-$1-$2.jsonl"
  runs+=("$1:$2=$world-$1-$2.jsonl")
}

methods() { # RULES WHOLE GUIDE: every method with every number of candidates. RULES is the guide of single steps,
  # WHOLE what best-of-n by GUIDE is called; $world-value.toml is the guide by value
  local k
  runs=()
  guided random 1 random
  for k in $TRIES; do
    [ $k != 1 ] || continue
    guided random $k random
    guided majority $k majority
    guided rules $k greedy --guide $1
    guided $2 $k best-of-n --guide $3
    guided value $k greedy --guide $world-value.toml
    guided value-best $k best-of-n --guide $world-value.toml
    guided value-vote $k vote --guide $world-value.toml
  done
}

puzzles() {
  local world=puzzles ask=(--batch 64 --system-prompt logic-rl-terse --max-tokens $LONGEST)
  local some="--wording terse --names few --test-share 0.5 --or-fewer --people 2-3"
  write() { swr1 rollout --policy "$START" "${ask[@]}" "$@"; }
  judge() { swr1 verify format knights "$@"; }

  step "puzzles, and what the policy writes about them"
  swr1 gen-puzzles $some --split train --seed $((500 + SEED)) -n $TRAIN -o train.jsonl
  swr1 gen-puzzles $some --split test --seed 2026 -n $HELD_OUT -o puzzles-held-out.jsonl
  write train.jsonl --seed $SEED -o train-completions.jsonl
  swr1 verify format knights steps trace train-completions.jsonl -o train-judged.jsonl

  step "a value model: each step is worth the share of 4 continuations that end right"
  write train-judged.jsonl --seed $SEED --continue steps --samples 4 -o continued.jsonl
  swr1 verify knights continued.jsonl -o continued-judged.jsonl
  swr1 label-steps train-judged.jsonl --continued continued-judged.jsonl --by correctness=knights -o labelled.jsonl
  train process-model labelled.jsonl --policy puzzles-value --start "$START" --dimensions correctness \
    --batch 32 --lr 1e-3 --steps $STEPS
  cat >puzzles-value.toml <<'TOML'
title = "What continuations of a step came to"
rule = "line"
[score.value]
verifier = "steps"
settings = ["steps.model=puzzles-value"]
read = "last"
TOML

  step "puzzles: the next step is chosen by rules, by the value model, by chance; and whole completions"
  methods steps rules-best steps
  swr1 eval "${runs[@]}" --over-tokens puzzles.png | tee puzzles.txt
}

corrections() {
  local world=puzzles ask=(--batch 64 --system-prompt logic-rl-terse --max-tokens $LONGEST) n most
  step "corrections: the first wrong step becomes the right one, the policy goes on, and learns from it"
  swr1 intervene train-judged.jsonl --policy "$START" --batch trace "${ask[@]:2}" --seed $SEED -o mended.jsonl
  swr1 verify knights trace mended.jsonl -o mended-judged.jsonl
  swr1 intervene export sft mended-judged.jsonl -o sft.jsonl
  swr1 intervene export dpo mended-judged.jsonl -o dpo.jsonl
  swr1 rollout --policy "$START" "${ask[@]}" puzzles-held-out.jsonl --temperature 0 -o completions-start.jsonl
  swr1 verify format knights completions-start.jsonl -o start.jsonl
  runs=(start=start.jsonl)
  # the control: the policy's own right completions, which nobody corrected
  swr1 reward logic-rl train-judged.jsonl -o own-rewarded.jsonl
  learned own sft own-rewarded.jsonl --reward-at-least $RIGHT --lr 3e-4 --batch 16 --steps $SFT
  for n in $EDITS; do
    head -n $n sft.jsonl >corrected-$n.jsonl
    learned edits-$n sft corrected-$n.jsonl --lr 3e-4 --batch 16 --steps $SFT
    head -n $((2 * n)) dpo.jsonl >pairs-$n.jsonl
    learned dpo-$n dpo pairs-$n.jsonl --lr 3e-4 --batch 16 --steps $DPO
  done
  # of one kind only: does the other kind gain? The tables have both sizes
  for n in $KINDS; do
    { grep "\"people\":$n," sft.jsonl || :; } | head -n 60 >corrected-$n-people.jsonl
    learned only-$n-people sft corrected-$n-people.jsonl --lr 3e-4 --batch 16 --steps $SFT
  done
  swr1 eval "${runs[@]}" --by people | tee edits.txt

  step "who finds the first wrong step: of planted faults, and of the reasoning of a policy that was corrected"
  train process-model train-judged.jsonl --policy rules-model --start "$START" --batch 32 --lr 1e-3 --steps $STEPS
  most=edits-${EDITS##* }
  head -n $((HELD_OUT / 2)) puzzles-held-out.jsonl | swr1 trace --style cases --wrong any --completion >planted.jsonl
  tail -n +$((HELD_OUT / 2 + 1)) puzzles-held-out.jsonl | swr1 trace --style cases --completion >>planted.jsonl
  swr1 rollout --policy $most "${ask[@]}" puzzles-held-out.jsonl --seed 8 -o reasoned.jsonl
  for n in planted reasoned; do
    swr1 verify steps $n.jsonl | swr1 verify steps --set steps.model=puzzles-value --as value |
      swr1 verify steps --set steps.model=rules-model --as rules-model -o $n-steps.jsonl
  done
  swr1 eval planted-steps.jsonl --first-wrong planted | tee first-wrong.txt
  swr1 eval reasoned-steps.jsonl --first-wrong steps | tee -a first-wrong.txt
}

learned() { # NAME OBJECTIVE FILE OPTION...: what a copy of the policy does that learned from these
  [ -e "$1" ] || swr1 init-policy "$1" --from "$START"
  train "${@:2}" --policy "$1" --system-prompt logic-rl-terse
  swr1 rollout --policy "$1" "${ask[@]}" puzzles-held-out.jsonl --temperature 0 -o "completions-$1.jsonl"
  swr1 verify format knights "completions-$1.jsonl" -o "$1.jsonl"
  runs+=("$1=$1.jsonl")
}

guard_guide() { # NAME GUARD: a guide of whole answers
  cat >village-$1.toml <<TOML
title = "Whole answers by trained guards"
rule = "sentence"
[score.safe]
verifier = "safety"
model = { guard = "$2" }
[score.helpful]
verifier = "helpful"
settings = ["helpful.guard=$judges/helpful"]
[[route]]
weights = { safe = 0.6, helpful = 0.4 }
[floor]
safe = 0.5
TOML
}

village() {
  local world=village policy=$LADDER/stage2 judges=$LADDER/judges run k
  local ask=(--batch 64 --system-prompt logic-rl-terse --max-tokens 120)
  write() { swr1 rollout --policy "$policy" "${ask[@]}" "$@"; }
  judge() { swr1 verify format village "$@"; } # it knows the village; no training and no guide asks it
  guards() { swr1 verify safety --guard "$judges/safety" | swr1 verify helpful --set helpful.guard="$judges/helpful" "$@"; }

  step "the village: requests, plain and attacked, and what the policy writes"
  swr1 gen-requests -n $REQUESTS --split train --seed $((500 + SEED)) --mix harmful=.5,lookalike=.3,plain=.2 |
    swr1 attack all --texts village --shots 3 --with-original -o village-train.jsonl
  swr1 gen-requests -n $HELD_OUT --split test --seed 2026 -o village-held-out.jsonl
  swr1 gen-requests -n $HARMFUL --split test --seed 2027 --mix harmful=1 |
    swr1 attack all --texts village --shots 3 -o village-held-out-attacked.jsonl
  write village-train.jsonl --seed $SEED | guards -o village-judged.jsonl

  step "a value model: what trained guards say of 4 continuations of each step, in two dimensions"
  write village-judged.jsonl --seed $SEED --continue steps --steps sentence --samples 4 | guards -o village-continued.jsonl
  swr1 label-steps village-judged.jsonl --continued village-continued.jsonl --rule sentence \
    --by safe=safety --by helpful=helpful -o village-labelled.jsonl
  train process-model village-labelled.jsonl --policy village-value --start "$policy" --dimensions safe,helpful \
    --batch 32 --lr 1e-3 --steps $STEPS
  guard_guide guards "$judges/safety"
  cat >village-value.toml <<'TOML'
title = "What continuations of a sentence came to, by trained guards"
rule = "sentence"
[score.safe]
verifier = "steps"
settings = ["steps.model=village-value", "steps.dimension=safe"]
read = "last"
[score.helpful]
verifier = "steps"
settings = ["steps.model=village-value", "steps.dimension=helpful"]
read = "last"
[[route]]
weights = { safe = 0.6, helpful = 0.4 }
[floor]
safe = 0.5
TOML

  step "the village: the next sentence is chosen by rules, by the value model, by chance; and whole answers, also by guards"
  methods village guards-best village-guards.toml

  step "the same by a guard that has seen attacks: on a labelled sample of what the policy answers to them"
  swr1 gen-requests -n $((10 * REQUESTS)) --split train --seed $((600 + SEED)) --mix harmful=.5,lookalike=.3,plain=.2 |
    swr1 attack all --texts village --shots 3 --with-original -o village-sample-requests.jsonl
  write village-sample-requests.jsonl --seed $SEED | judge -o village-sample.jsonl
  train guard village-sample.jsonl --policy village-wary --start "$policy" --labels safe,unsafe,needless-refusal \
    --label verdicts.village.detail.labels.safety --balance --lr 1e-3 --batch 32 --steps $STEPS --schedule linear --warmup 20
  guard_guide wary village-wary
  for k in $TRIES; do
    [ $k = 1 ] || guided wary-best $k best-of-n --guide village-wary.toml
  done
  swr1 eval "${runs[@]}" --suite safety,ability --by attack | tee village.txt
  attacked=()
  for run in "${runs[@]}"; do
    grep '"attack":' "${run#*=}" >"attacked-${run#*=}" || : # none
    attacked+=("${run%%=*}=attacked-${run#*=}")
  done
  swr1 eval "${attacked[@]}" --verdict village --over-tokens village.png | tee attacked.txt
}

for world in $WORLDS; do
  $world
  case $world in
  puzzles)
    corrections
    echo "$RUN: puzzles.txt, puzzles.png, edits.txt, first-wrong.txt"
    ;;
  village) echo "$RUN: village.txt, attacked.txt, village.png" ;;
  esac
done

#!/usr/bin/env bash
# What reinforcement learning carries to, on Knights and Knaves, small enough for a laptop: puzzles larger
# than those it trained on, changed puzzles, other words; and fine-tuning with the same puzzles and time beside it.
#
#   recipes/claims.sh laptop     one CPU core, half an hour to an hour, nothing to download
#   recipes/claims.sh smoke      the same stages in about a minute, learning nothing
#
# Stopped at any point, the same command goes on where it was. Variables, and what they are in the laptop profile:
#   SEED=0        names another run
#   PARTS="sizes tuning changes"    which parts: sizes (larger than trained), tuning (fine-tuning beside RL),
#                 changes (changed puzzles, another wording, other roles)
#   START=        a policy to start from, made by an earlier run (its `start`), instead of a new one
#   KNOWN=2-4     inhabitants of the puzzles of SFT, from which the start has its skill
#   PEOPLE=2-3    inhabitants of the puzzles of RL and of all fine-tuning
#   TESTED=2-5    inhabitants of the held-out puzzles
#   OTHER=10      of 100 puzzles of SFT so many have another wording (plain), and so many other roles (saint/sinner)
#   PROMPTS=400   puzzles of RL and of all fine-tuning, the same for all
#   SFT_STEPS=5000 STEPS=70 SAMPLES=8 BATCH=16 MAX_TOKENS=480 LONGEST=1800    as in recipes/logic-rl.sh
#   SFT_PUZZLES=10800 HELD_OUT=100    of SFT for 2 people, twice as many for more; held out, of each size
#   PERTURBED=150 puzzles of the training split, and as many held out, that are perturbed
#   BUDGET=       processor seconds of each fine-tuning, instead of those that RL took
#   RUN=          the folder of the run; by itself runs/claims-PROFILE-SEED and what is varied
set -euo pipefail
. "$(dirname "$0")/variables.sh"
PROFILE=${1:-laptop}
SEED=${SEED:-0}
case $PROFILE in
-h | --help) help; exit ;;
laptop) ;;
smoke)
  : "${SFT_STEPS:=80}" "${SFT_PUZZLES:=100}" "${HELD_OUT:=4}" "${PROMPTS:=20}" "${STEPS:=2}" "${BATCH:=4}" "${SAMPLES:=4}"
  : "${SFT_PROBE:=2}" "${MAX_TOKENS:=40}" "${LONGEST:=40}" "${PERTURBED:=6}"
  ;;
*) die "unknown profile $PROFILE: laptop or smoke" ;;
esac
: "${SFT_PROBE:=300}" "${SFT_STEPS:=5000}" "${SFT_PUZZLES:=10800}" "${HELD_OUT:=100}" "${PROMPTS:=400}" "${STEPS:=70}" "${BATCH:=16}"
: "${SAMPLES:=8}" "${MAX_TOKENS:=480}" "${LONGEST:=1800}" "${PERTURBED:=150}" "${PARTS:=sizes tuning changes}"
TUNED="shortest all careful"
vary KNOWN 2-4
vary PEOPLE 2-3
vary TESTED 2-5
vary OTHER 10
START=${START:-}
numbers SFT_STEPS SFT_PUZZLES HELD_OUT PROMPTS STEPS BATCH SAMPLES MAX_TOKENS LONGEST PERTURBED OTHER
[ -z "${BUDGET:-}" ] || numbers BUDGET
for sizes in KNOWN PEOPLE TESTED; do
  [[ ${!sizes} =~ ^[0-9]+-[0-9]+$ ]] || die "$sizes=${!sizes}: a range such as 2-3"
  opens $sizes gen-puzzles --people "${!sizes}" --names few
done
for part in $PARTS; do [[ $part =~ ^(sizes|tuning|changes)$ ]] || die "PARTS=$part: sizes, tuning, changes"; done
[ -z "$START" ] || [ -e "$START" ] || die "START=$START: no such policy"
[ -z "$START" ] || START=$(cd "$START" && pwd)

RUN=${RUN:-runs/claims-$PROFILE-$SEED$varied}
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }
each() { seq -s' ' "${1%-*}" "${1#*-}"; } # LO-HI: the sizes
puzzles() { swr1 gen-puzzles --names few --wording terse --test-share 0.5 --or-fewer "$@"; }
tune() { swr1 train-step "$@" --threads 1; }
complete() { swr1 rollout --threads 1 --system-prompt logic-rl-terse "$@"; }

timed() { # NAME COMMAND...: adds the processor seconds of the command to NAME.seconds
  local name=$1 TIMEFORMAT='%U %S'
  shift
  { time "$@" 2>&3; } 3>&2 2>>"$name.seconds"
}
seconds() { # NAME...: processor seconds so far
  cat "${@/%/.seconds}" | awk '{ sum += $1 + $2 } END { printf "%.0f\n", sum }'
}

step "puzzles: of RL, and held out"
puzzles --split train --people $PEOPLE --seed $SEED -n $PROMPTS -o prompts.jsonl
tested=($(each $TESTED))
puzzles --split test --people $TESTED --seed 2026 -n $((HELD_OUT * ${#tested[@]})) -o tested.jsonl
swr1 eval tested.jsonl --seen prompts.jsonl  # 0 of them, or something is wrong

step "the start: a policy that can reason, also with other words, and mostly does not"
if [ -n "$START" ]; then
  [ -e start ] || swr1 init-policy start --from "$START"
else
  for people in $(each $KNOWN); do # there are few 2-person puzzles: each with other names
    n=$((people > 2 ? 2 * SFT_PUZZLES : SFT_PUZZLES)) i=0
    for words in "terse knight/knave" "plain knight/knave" "terse saint/sinner"; do
      puzzles --split train --people $people --seed $((1000 + 10 * SEED + i)) --trace hasty \
        --wording ${words% *} --roles ${words#* } -n $((i ? n * OTHER / 100 : n * (100 - 2 * OTHER) / 100)) \
        $([ $people != 2 ] || echo --retell 56) -o sft-$people-$i.jsonl
      i=$((i + 1))
    done
  done
  [ -e start ] || swr1 init-policy start sft-*.jsonl --seed $SEED \
    --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 2048
  [ -e rl ] || timed start tune sft sft-*.jsonl --policy start --system-prompt logic-rl-terse --seed $SEED --optimizer muon \
    --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps $SFT_STEPS --checkpoint-every 500
fi

reinforce() {
  complete prompts.jsonl --policy rl --max-lag 0 --shuffle --epochs 1000 --seed $SEED \
    --samples $SAMPLES --temperature 1 --max-tokens $MAX_TOKENS --batch $BATCH |
    swr1 verify format knights | swr1 reward logic-rl |
    tune grpo --policy rl --steps $STEPS --batch $BATCH --lr 3e-4 --kl 0 --aggregation token-mean --micro-tokens 2048
}
whole() { # FILE: by size, how many people the first world that is tried and the answer name, and who is left out
  python - "$1" <<'PYTHON'
import json, re, sys
from collections import Counter, defaultdict

sizes = defaultdict(Counter)
for line in open(sys.argv[1]):
    record = json.loads(line)
    names, text = record["info"]["names"], record["completion"]
    world = re.findall(r"(\w+)_(?:honest|liar)", text.partition(";")[0])
    answer = re.findall(r"(\w+) is a", text.partition("<answer>")[2])
    out = [str(place + 1) for place, name in enumerate(names) if name not in answer]
    row = sizes[len(names)]
    row["completions"] += 1
    if "try" in text:
        row["try"] += 1
        row[f"{len(world)} in the first world"] += 1
    row[f"left out: {'none' if not out else 'place ' + out[0] if len(out) == 1 else 'more than one'}"] += 1
for people, row in sorted(sizes.items()):
    print(f"{sys.argv[1]}, {people} people:", ", ".join(f"{name} {n}" for name, n in sorted(row.items())))
PYTHON
}
evaluate() { # POLICY SET: greedy completions, judged
  complete "$2.jsonl" --policy "$1" --max-tokens $LONGEST --temperature 0 --batch 64 -o "completions-$1-$2.jsonl"
  swr1 verify format knights "completions-$1-$2.jsonl" -o "$1-$2.jsonl"
}

step "reinforcement learning: $STEPS steps on $PEOPLE people"
[ -e rl ] || swr1 init-policy rl --from start
[ -e budget ] || { timed rl reinforce; seconds rl >budget; } # in processor seconds

if [[ $PARTS = *sizes* ]]; then
  step "larger than trained: $TESTED people"
  evaluate start tested
  evaluate rl tested
  for policy in start rl; do whole $policy-tested.jsonl; done | tee whole.txt
  swr1 eval start=start-tested.jsonl RL=rl-tested.jsonl --trained "$(each $PEOPLE | tr ' ' ,)" \
    --picture sizes.png | tee sizes.txt
fi

if [[ $PARTS = *tuning* ]]; then
  budget=${BUDGET:-$(cat budget)}
  spend() { # NAME PAID FILES...: SFT on the files, from the start, until NAME and PAID have used RL's processor time
    local name=$1 paid=$2 steps=$SFT_PROBE spent
    shift 2
    [ -e $name ] || swr1 init-policy $name --from start
    touch $name.seconds
    while spent=$(seconds $name $paid); [ ! -e $name.steps ] || ((spent * 100 < budget * 95)); do
      [ ! -e $name.steps ] || steps=$(cat $name.steps) steps=$((steps + (budget - spent) * steps / $(seconds $name) + 1))
      timed $name tune sft "$@" --policy $name --seed $SEED --lr 3e-4 --batch-tokens 2000 --epochs 10000 --steps $steps
      echo $steps >$name.steps
    done
    echo "$name: $(cat $name.steps) steps, $spent seconds of $budget; RL: $(cat budget)" | tee -a spent.txt
  }
  sampled() { # of the start, as many of each prompt as RL takes
    complete prompts.jsonl --policy start --seed $SEED --samples $SAMPLES --temperature 1 \
      --max-tokens $MAX_TOKENS --batch $BATCH |
      swr1 verify format knights length | swr1 reward logic-rl |
      swr1 sample --by verdicts.length.detail.length --order rising >sampled.jsonl
  }
  step "fine-tuning on the start's own right completions: the shortest of each prompt, and all"
  [ -s sampled.seconds ] || timed sampled sampled
  rm -f spent.txt
  for name in shortest all; do # each pays for the samples
    spend $name sampled sampled.jsonl --reward-at-least 3 $([ $name = all ] || echo --best-of 1)
  done
  step "fine-tuning on careful traces"
  swr1 trace prompts.jsonl --style cases -o careful-traces.jsonl
  spend careful '' careful-traces.jsonl

  runs=()
  for name in start rl $TUNED; do
    evaluate $name tested
    runs+=("$name=$name-tested.jsonl")
  done
  swr1 eval "${runs[@]}" --trained "$(each $PEOPLE | tr ' ' ,)" --picture tuning.png | tee tuning.txt
fi

if [[ $PARTS = *changes* ]]; then
  step "changed puzzles, other wording, other roles"
  change() { swr1 perturb statement leaf names order wording roles --wording plain --roles saint/sinner --with-original "$@"; }
  swr1 sample prompts.jsonl -n $PERTURBED | change -o train.jsonl
  puzzles --split test --people $PEOPLE --seed 7 -n $PERTURBED | change -o held-out.jsonl
  runs=()
  for name in start rl $TUNED; do
    [ -e $name/latest ] || continue # without the part tuning
    evaluate $name train
    evaluate $name held-out
    runs+=("$name train=$name-train.jsonl" "$name held-out=$name-held-out.jsonl")
    swr1 analyze $name-held-out.jsonl --by people --words terse >words-$name.txt
  done
  swr1 eval "${runs[@]}" --memorisation | tee memorisation.txt
fi
echo "$RUN: sizes.txt, whole.txt, tuning.txt, memorisation.txt, spent.txt, words-*.txt"

#!/usr/bin/env bash
# What generalises: RL on small puzzles beside fine-tuning from the same start, with equal processor time
# and equal prompts (Logic-RL, arXiv 2502.14768, section 4). The start has seen traces of 2 to 4 people; RL
# and fine-tuning see prompts of 2 and 3.
#
#   recipes/generalise.sh laptop     two CPU cores, about 35 minutes
#   recipes/generalise.sh smoke      the same stages in two minutes, learning nothing
#
# Stopped at any point, the same command goes on where it was. Variables:
#   SEED=0          names another run
#   STEPS=70        steps of RL, of 16 prompts x 8 samples
#   SFT_STEPS=4600  of the start, of 2,000 tokens
#   SIZES="2 3 4 5 6"   people of what is held out
#   RUN=            the folder of the run; by itself runs/generalise-PROFILE-SEED
#
# The policies: `start`; `rl`; `rft`, fine-tuned on its own right answers, the shortest for each prompt
# (rejection sampling); `careful`, fine-tuned on traces that check all worlds of the prompts.
set -euo pipefail
. "$(dirname "$0")/variables.sh"
PROFILE=${1:-laptop} SEED=${SEED:-0}
case $PROFILE in
-h | --help) help; exit ;;
laptop) : "${STEPS:=70}" "${SFT_STEPS:=4600}" "${PUZZLES:=10800}" "${HELD_OUT:=100}" "${LONGEST:=1800}" ;;
smoke) : "${STEPS:=2}" "${SFT_STEPS:=8}" "${PUZZLES:=300}" "${HELD_OUT:=6}" "${LONGEST:=40}" ;;
*) die "unknown profile $PROFILE: laptop or smoke" ;;
esac
: "${SIZES:=2 3 4 5 6}" "${SAMPLES:=8}" "${BATCH:=16}" "${MAX_TOKENS:=480}"
RIGHT=3 # the reward of a right answer
[ "$PROFILE" = laptop ] || MAX_TOKENS=40 RIGHT=-3
numbers STEPS SFT_STEPS PUZZLES HELD_OUT LONGEST SAMPLES BATCH MAX_TOKENS
RUN=${RUN:-runs/generalise-$PROFILE-$SEED}
mkdir -p "$RUN"
cd "$RUN"
step() { printf '\n== %s\n' "$*" >&2; }
puzzles() { swr1 gen-puzzles --wording terse --names few --test-share 0.5 --or-fewer "$@"; }
fine_tune() { # POLICY STEPS RECORDS...: from the start
  [ -e "$1" ] || swr1 init-policy "$1" --from start
  swr1 train-step sft "${@:3}" --policy "$1" --system-prompt logic-rl-terse --seed $SEED --threads 1 \
    --optimizer muon --lr 0.001 --schedule linear --batch-tokens 2000 --steps "$2"
}
seconds() { # of processor time, one thread: rl | sampling | step of SFT
  python - "$1" <<'PY'
import json, sys
rows = lambda file: [json.loads(line) for line in open(file)]
work = lambda file: sum(r["tallies"]["seconds"]["at work"] for r in rows(file))
if sys.argv[1] == "rl":
    print(sum(r["compute_s"] for r in rows("rl/metrics.jsonl")) + work("rl-rollout.jsonl"))
elif sys.argv[1] == "sampling":
    print(rows("sampling.jsonl")[-1]["seconds"])
else:
    last = rows("start/metrics.jsonl")[-1]
    print(last["seconds"] / last["step"])
PY
}

step "puzzles: prompts of 2 and 3 people, traces of 2 to 4, held out: $SIZES people"
puzzles --split train --people 2-3 --seed $SEED -n 5000 --retell 28 -o prompts.jsonl
puzzles --split train --people 2-3 --seed $SEED -n $((STEPS * BATCH)) --retell 28 --trace cases -o careful.jsonl
for people in 2 3 4; do
  puzzles --split train --people $people --seed $((1000 + SEED)) --trace hasty \
    -n $((people == 2 ? PUZZLES : 2 * PUZZLES)) $([ $people != 2 ] || echo --retell 56) -o sft-$people.jsonl
done
for people in $SIZES; do
  puzzles --split test --people $people --seed 2026 -n $HELD_OUT -o held-out-$people.jsonl
done

step "the start: it can reason about 2 to 4 people, and mostly does not"
[ -e start ] || swr1 init-policy start sft-*.jsonl --seed $SEED \
  --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 2048
swr1 train-step sft sft-*.jsonl --policy start --system-prompt logic-rl-terse --seed $SEED --threads 1 \
  --optimizer muon --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps $SFT_STEPS

step "RL: $STEPS steps on 2 and 3 people"
[ -e rl ] || swr1 init-policy rl --from start
swr1 rollout prompts.jsonl --policy rl --max-lag 0 --shuffle --epochs 100 --seed $SEED --samples $SAMPLES \
  --system-prompt logic-rl-terse --max-tokens $MAX_TOKENS --batch $BATCH --metrics rl-rollout.jsonl |
  swr1 verify format knights |
  swr1 reward logic-rl |
  swr1 train-step grpo --batch $BATCH --lr 3e-4 --kl 0 --aggregation token-mean --micro-tokens 2048 \
    --policy rl --steps $STEPS

step "rejection sampling: the start's right answers to as many prompts, the shortest of each"
swr1 rollout careful.jsonl --policy start --system-prompt logic-rl-terse --samples $SAMPLES --seed $SEED \
  --max-tokens $MAX_TOKENS --batch 64 --metrics sampling.jsonl -o drawn.jsonl
swr1 verify format knights drawn.jsonl | swr1 reward logic-rl -o scored.jsonl
python - $RIGHT <<'PY'
import json, sys
best = {}
for line in open("scored.jsonl"):
    record = json.loads(line)
    shorter = best.get(record["id"], record)
    if record["reward"] >= float(sys.argv[1]) and len(record["completion"]) <= len(shorter["completion"]):
        best[record["id"]] = record
with open("right.jsonl", "w") as file:
    file.writelines(json.dumps(record) + "\n" for record in best.values())
print(f"{len(best)} prompts with a right answer")
PY
budget=$(python -c "print(max(1, round(($(seconds rl) - $(seconds sampling)) / $(seconds step))))")
fine_tune rft "$budget" right.jsonl

step "careful traces of the same prompts"
budget=$(python -c "print(max(1, round($(seconds rl) / $(seconds step))))")
fine_tune careful "$budget" careful.jsonl

step "what is held out, greedy; and training puzzles, changed"
[ -e changed.jsonl ] || swr1 sample prompts.jsonl -n $((2 * HELD_OUT)) --seed 1 |
  swr1 perturb statement leaf names order --with-original -o changed.jsonl
for policy in start rl rft careful; do
  for set in $(for people in $SIZES; do echo held-out-$people; done) changed; do
    swr1 rollout $set.jsonl --policy $policy --system-prompt logic-rl-terse --temperature 0 \
      --max-tokens $LONGEST --batch 64 -o completions-$policy-$set.jsonl
    swr1 verify format knights completions-$policy-$set.jsonl -o $policy-$set.jsonl
  done
done
swr1 eval start=start-held-out-*.jsonl RL=rl-held-out-*.jsonl RFT=rft-held-out-*.jsonl \
  careful=careful-held-out-*.jsonl --trained 2,3 --picture accuracy.png | tee table.txt
swr1 eval start=start-changed.jsonl RL=rl-changed.jsonl RFT=rft-changed.jsonl careful=careful-changed.jsonl \
  --memorisation | tee memorisation.txt
echo "processor seconds: RL $(seconds rl), sampling $(seconds sampling), a step of SFT $(seconds step)"

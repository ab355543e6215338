#!/usr/bin/env bash
# Draws the pictures of docs/ again, from the runs in RUNS (runs), into OUT (docs). A picture whose
# runs are not there, or are not finished, stays as it is, and a line says so.
#
#   SEED=0 make logic-rl, SEED=1, SEED=2, SEED=0 CONTROL=1     training.png
#   SEED=0 make logic-rl, and its rollouts (docs/reasoning.md) reasoning.png
#   SEED=0 make safeladder                                     safeladder.png
#   SEED=0 make intervene, SEED=1, SEED=2                      guidance.png; guidance-village.png is of seed 0
#   SEED=0 make m3, SEED=1, SEED=2, SEED=0 CONTROL=1, BLIND=1  m3.png
#   nothing: it is a simulation                                scaling.png
set -euo pipefail
cd "$(dirname "$0")/.."
RUNS=${RUNS:-runs} OUT=${OUT:-docs}
stays() { echo "$OUT/$1 stays as it is: $2" >&2; }

runs=()
for name in 0 1 2 0-control; do
  run=$RUNS/logic-rl-laptop-$name label="seed $name"
  [ ! -e "$run/table.txt" ] || runs+=("${label/seed 0-/}=$run/rl")
done
if [ ${#runs[@]} = 4 ]; then
  swr1 plot "${runs[@]}" -o "$OUT/training.png"
else
  stays training.png "seeds 0 to 2 and the control, of which ${#runs[@]} are finished in $RUNS"
fi

kept=$RUNS/logic-rl-laptop-0/rollouts.jsonl
if [ -e "$kept" ] && [ -e "$RUNS/logic-rl-laptop-0/table.txt" ]; then
  swr1 analyze "$kept" --words terse --on-error skip --picture "$OUT/reasoning.png"
else
  stays reasoning.png "no $kept (docs/reasoning.md says how it is made)"
fi

ladder=$RUNS/safeladder-laptop-0
if [ -e "$ladder/stage3-plain-sampled.jsonl" ]; then
  third=(stage3-cale stage3-canon-length stage3-plain)
  swr1 eval $(for s in start stage1 stage2 "${third[@]}"; do echo "$s=$ladder/$s-sampled.jsonl"; done) \
    --suite safety,ability --ladder start,stage1,stage2 $(printf ' --ladder stage2,%s' "${third[@]}") \
    --picture "$OUT/safeladder.png"
else
  stays safeladder.png "no finished $ladder"
fi

runs=()
for run in "$RUNS"/intervene-laptop-[0-9]; do
  for file in "$run"/puzzles-*-[1248].jsonl; do
    name=${file##*/puzzles-} name=${name%.jsonl}
    [ ! -e "$file" ] || runs+=("${name%-*}:${name##*-}@${run##*-}=$file")
  done
done
if [ ${#runs[@]} != 0 ]; then
  swr1 eval "${runs[@]}" --over-tokens "$OUT/guidance.png" >/dev/null
else
  stays guidance.png "no finished $RUNS/intervene-laptop-0"
fi
if [ -e "$RUNS/intervene-laptop-0/village.png" ]; then
  cp "$RUNS/intervene-laptop-0/village.png" "$OUT/guidance-village.png"
else
  stays guidance-village.png "no finished $RUNS/intervene-laptop-0"
fi

runs=()
for seed in 0 1 2; do [ ! -e "$RUNS/m3-laptop-$seed/table.txt" ] || runs+=("seed $seed=$RUNS/m3-laptop-$seed/rl"); done
for twin in "rewards shuffled=$RUNS/m3-laptop-0-control" "blind twin=$RUNS/m3-laptop-0-blind"; do
  [ ! -e "${twin#*=}/table.txt" ] || runs+=("$twin/rl")
done
if [ ${#runs[@]} = 5 ]; then
  swr1 plot "${runs[@]}" -o "$OUT/m3.png"
else
  stays m3.png "seeds 0 to 2 of make m3, CONTROL=1 and BLIND=1, of which ${#runs[@]} are finished"
fi

python benchmarks/scaling.py sweep -o "$OUT/scaling.png"

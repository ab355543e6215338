#!/usr/bin/env bash
# What the knobs of the puzzles do to difficulty: the tables of docs/puzzles.md.
#
#   make logic-rl && recipes/knobs.sh      about 45 minutes of one core more, nothing to download
#
# Two policies of the laptop recipe's size and settings, trained by SFT on correct traces: `wide` on
# several depths and widths, `surface` on several wordings, role pairs and name lists. Needs `swr1`
# and `python` of the same environment on PATH. Stopped at any point, the same command goes on.
set -euo pipefail
RUN=${RUN:-runs/knobs}
RL=$(realpath "${RL:-runs/logic-rl-laptop-0/rl}")
BENCH=$(realpath benchmarks/knobs.py)
mkdir -p "$RUN/wide" "$RUN/surface" && cd "$RUN"
GEN="swr1 gen-puzzles --test-share 0.5 --split train --trace cases"

train() { # a new policy `start` from the sft-*.jsonl here
  [ -e start ] || swr1 init-policy start sft-*.jsonl --on-error skip --seed 0 \
    --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 1024
  swr1 train-step sft sft-*.jsonl --on-error skip --policy start --system-prompt logic-rl-terse \
    --seed 0 --threads 1 --optimizer muon --lr 0.005 --warmup 50 --schedule linear \
    --batch-tokens 4000 --micro-tokens 2048 --steps 2300
}

cd wide
WIDE="$GEN --wording terse --names few --width 3"
$WIDE --people 2 --depth 2 --seed 1000 -n 3000 --retell 8 -o sft-2-2.jsonl
$WIDE --people 2 --depth 3 --seed 1001 -n 3000 -o sft-2-3.jsonl
$WIDE --people 3 --depth 2 --seed 1002 -n 6000 -o sft-3-2.jsonl
$WIDE --people 3 --depth 3 --seed 1003 -n 6000 -o sft-3-3.jsonl
train

cd ../surface
declare -A TEXTS=(
  [terse]="--wording terse --names few" [plain]="--wording plain --names few"
  [varied]="--wording varied --names few" [common]="--wording plain --names common"
  [accented]="--wording plain --names accented"
  [saint]="--wording plain --names few --roles saint/sinner"
  [flipped]="--wording plain --names few --roles knave/knight"
)
seed=3000
for text in "${!TEXTS[@]}"; do
  $GEN --people 3 ${TEXTS[$text]} --seed $((++seed)) -n 3000 -o sft-$text.jsonl
done
train
for text in "${!TEXTS[@]}"; do
  swr1 gen-puzzles --test-share 0.5 --split test --people 3 ${TEXTS[$text]} --seed 2026 -n 200 \
    -o test-$text.jsonl
  swr1 rollout test-$text.jsonl --policy start --system-prompt logic-rl-terse --temperature 0 \
    --max-tokens 900 --batch 64 --threads 1 -o completions-$text.jsonl
  swr1 verify format knights completions-$text.jsonl -o judged-$text.jsonl
done

cd ..
python "$BENCH" --policy "$RL" | tee rl.md
python "$BENCH" --policy wide/start | tee wide.md
swr1 eval $(for text in "${!TEXTS[@]}"; do echo "$text=surface/judged-$text.jsonl"; done) | tee surface.txt

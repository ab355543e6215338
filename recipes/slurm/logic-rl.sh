#!/usr/bin/env bash
# Logic-RL as Slurm jobs, in rounds: the stages of one round follow one another, and the rounds too.
#
#   PROMPTS=2000 ROUNDS=5 SHARDS=16 recipes/slurm/logic-rl.sh runs/kk runs/kk-slurm
#
# The policy folder exists (swr1 init-policy). A round draws new puzzles, completes them with an
# array of $SHARDS tasks, judges them with another, rewards them, and trains the policy on them, so
# samples are at most a round old; for samples of the newest version use the pipe of
# recipes/logic-rl.sh in one job. Options of sbatch go into ROLLOUT (say "--gres=gpu:1 -c 8"), LIGHT
# and TRAIN; of the stages into SAMPLING and OBJECTIVE. Prints the numbers of the jobs. After a
# failure, cancel what still waits and run it again: it goes on in the round that is not trained yet.
set -euo pipefail
[ $# = 2 ] || { echo "usage: logic-rl.sh POLICY FOLDER" >&2; exit 2; }
POLICY=$(realpath "$1")
STAGE=$(realpath "$(dirname "$0")")/stage.sh
PUZZLES=${PUZZLES---people 3-7 --wording varied --names common --split train --test-share 0.1}
SAMPLING=${SAMPLING---samples 8 --temperature 0.7 --max-tokens 4096 --batch 8}
OBJECTIVE=${OBJECTIVE-reinforce++ --batch 8 --lr 4e-7 --kl 0.001}
mkdir -p "$2"
cd "$2"

before= # the job that a new one waits for
submit() { # NAME OPTIONS-OF-SBATCH STAGE...: the number of the job
  local name=$1 options=$2
  shift 2
  sbatch --parsable -J "$name" ${before:+--dependency=afterok:$before} $options "$STAGE" "$@"
}

for round in $(seq "${ROUNDS:-1}"); do
  [ ! -e "$round/trained" ] || continue
  mkdir -p "$round"
  swr1 gen-puzzles -q $PUZZLES --seed "$round" -n "${PROMPTS:-2000}" -o "$round/prompts.jsonl"
  array=--array=0-$((${SHARDS:-4} - 1))
  line=
  if [ ! -e "$round/rollouts.jsonl.meta.json" ]; then # else the policy may have moved on since
    before=$(submit "rollout-$round" "$array ${ROLLOUT-}" rollout "$round/prompts.jsonl" \
      --policy "$POLICY" $SAMPLING -o "$round/rollouts/")
    line="rollout $before, "
    # merge puts the groups together again, which an array of verify takes apart
    before=$(submit "merge-$round" "${LIGHT-}" merge "$round/rollouts/" -o "$round/rollouts.jsonl")
  fi
  before=$(submit "verify-$round" "$array ${LIGHT-}" verify format knights \
    "$round/rollouts.jsonl" -o "$round/judged/")
  line="${line}verify $before"
  before=$(submit "judged-$round" "${LIGHT-}" merge "$round/judged/" -o "$round/judged.jsonl")
  before=$(submit "reward-$round" "${LIGHT-}" reward logic-rl "$round/judged.jsonl" \
    -o "$round/rewarded.jsonl")
  before=$(submit "train-$round" "${TRAIN-}" train-step $OBJECTIVE "$round/rewarded.jsonl" \
    --policy "$POLICY")
  echo "round $round: $line, train $before"
  before=$(sbatch --parsable -J "trained-$round" --dependency=afterok:$before ${LIGHT-} \
    --wrap "touch $round/trained")
done

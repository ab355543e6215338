#!/usr/bin/env bash
# Logic-RL as Slurm jobs, in rounds: the stages of one round follow one another, and the rounds too.
#
#   PROMPTS=2000 ROUNDS=5 SHARDS=16 ROLLOUT="--gres=gpu:1 -c 8" recipes/slurm/logic-rl.sh runs/kk runs/kk-slurm
#   DRY=1 ... the same              prints what would be run and submitted, as a script; makes nothing
#
# The policy folder exists (swr1 init-policy). A round draws new puzzles, completes them with an
# array of $SHARDS tasks, judges them with another, rewards them, and trains the policy on them, so
# samples are at most a round old; for samples of the newest version use the pipe of
# recipes/logic-rl.sh in one job (one-node.sh). Prints the numbers of the jobs. After a failure, cancel
# what still waits and run it again: it goes on in the round that is not trained yet.
#
# Options of sbatch go into ROLLOUT (with GPUs in them, rollouts are by vLLM), LIGHT and TRAIN; of the
# stages into PUZZLES, SAMPLING and OBJECTIVE. VERIFIERS and REWARD are as in recipes/logic-rl.sh.
set -euo pipefail
. "$(dirname "$0")/../variables.sh"
case ${1-} in -h | --help) help; exit ;; esac
[ $# = 2 ] || { echo "usage: logic-rl.sh POLICY FOLDER (--help: the variables)" >&2; exit 2; }
POLICY=$1 FOLDER=$2 STAGE=$(cd "$(dirname "$0")" && pwd)/stage.sh
PROMPTS=${PROMPTS:-2000} ROUNDS=${ROUNDS:-1} SHARDS=${SHARDS:-4}
numbers PROMPTS ROUNDS SHARDS
PUZZLES=${PUZZLES---people 3-7 --wording varied --names common --split train --test-share 0.1}
SAMPLING=${SAMPLING---samples 8 --temperature 0.7 --max-tokens 4096 --batch 8}
OBJECTIVE=${OBJECTIVE-reinforce++ --batch 8 --lr 4e-7 --kl 0.001}
REWARD=${REWARD:-logic-rl}
absolute REWARD
JUDGES=
for judge in ${VERIFIERS:-format knights}; do absolute judge; JUDGES+=" $judge"; done
case $POLICY in /*) ;; *) POLICY=$CALLER/$POLICY ;; esac
case $FOLDER in /*) ;; *) FOLDER=$CALLER/$FOLDER ;; esac
case " $SAMPLING ${ROLLOUT-}" in
*" --engine"*) ;;
*gpu* | *" -G"*) SAMPLING+=" --engine vllm" ;;
esac
block=16 # prompts that are never split between tasks: rollout --batch
[[ ! " $SAMPLING " =~ \ --batch[\ =]([0-9]+)\  ]] || block=${BASH_REMATCH[1]}
most=$(((PROMPTS + block - 1) / block))
[ "$SHARDS" -le $most ] || die "SHARDS=$SHARDS: $PROMPTS prompts are only $most blocks of $block (--batch in" \
  "SAMPLING): use at most $most shards or a smaller --batch"
if [ -z "${DRY-}" ]; then
  command -v sbatch >/dev/null || die "no sbatch here; DRY=1 prints what would be submitted"
  [ -d "$POLICY" ] || die "no policy $POLICY: make it with swr1 init-policy"
fi

run() { # COMMAND...: here and now, or printed
  if [ -n "${DRY-}" ]; then printf '%q ' "$@" && echo; else "$@"; fi
} >&3
before= # the job that a new one waits for
submit() { # NAME OPTIONS-OF-SBATCH ARGUMENT...: submit a job; `before` is its number
  local name=$1 options=$2 line
  shift 2
  # The number stands in the printed script as a variable: rollout-1 is $rollout_1.
  line="sbatch --parsable -J $name ${before:+--dependency=afterok:$before }$options${options:+ }$(printf '%q ' "$@")"
  if [ -n "${DRY-}" ]; then
    echo "${name//-/_}=\$($line)"
    before=\$${name//-/_}
  else
    before=$(eval "$line")
  fi
}

exec 3>&1
run mkdir -p "$FOLDER"
run cd "$FOLDER"
for round in $(seq "$ROUNDS"); do
  [ ! -e "$FOLDER/$round/trained" ] || continue
  array=--array=0-$((SHARDS - 1))
  run mkdir -p "$round"
  run swr1 gen-puzzles -q $PUZZLES --seed "$round" -n "$PROMPTS" -o "$round/prompts.jsonl"
  said=
  if [ ! -e "$FOLDER/$round/rollouts.jsonl.meta.json" ]; then # else the policy may have moved on since
    submit "rollout-$round" "$array ${ROLLOUT-}" "$STAGE" rollout "$round/prompts.jsonl" \
      --policy "$POLICY" $SAMPLING -o "$round/rollouts/"
    said="rollout $before, "
    # merge puts the groups together again, which an array of verify takes apart
    submit "merge-$round" "${LIGHT-}" "$STAGE" merge "$round/rollouts/" -o "$round/rollouts.jsonl"
  fi
  submit "verify-$round" "$array ${LIGHT-}" "$STAGE" verify $JUDGES "$round/rollouts.jsonl" -o "$round/judged/"
  said+="verify $before"
  submit "judged-$round" "${LIGHT-}" "$STAGE" merge "$round/judged/" -o "$round/judged.jsonl"
  submit "reward-$round" "${LIGHT-}" "$STAGE" reward "$REWARD" "$round/judged.jsonl" -o "$round/rewarded.jsonl"
  submit "train-$round" "${TRAIN-}" "$STAGE" train-step $OBJECTIVE "$round/rewarded.jsonl" --policy "$POLICY"
  [ -n "${DRY-}" ] || echo "round $round: $said, train $before"
  submit "trained-$round" "${LIGHT-}" --wrap "touch $round/trained"
done
if [ -n "${DRY-}" ]; then
  printf '\n# the script of all these jobs, %s:\n' "$STAGE"
  sed 's/^/#   /' "$STAGE"
fi

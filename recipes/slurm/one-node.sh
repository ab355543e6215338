#!/usr/bin/env bash
# Logic-RL on a 7B model as one job on one node of 8 GPUs: vLLM generates on half of them, the trainer
# has the others (recipes/logic-rl.sh gpu). A whole job file, to edit or to use as it is:
#
#   DRY=1 PARTITION=gpu ACCOUNT=me recipes/slurm/one-node.sh   prints the sbatch line and this file
#   PARTITION=gpu ACCOUNT=me recipes/slurm/one-node.sh         submits it
#
# Preempted, or nearly out of time, it is requeued and goes on (stage.sh). All variables of
# recipes/logic-rl.sh (--help) work here too; so does another recipe: RECIPE=recipes/safeladder.sh.
# `swr1 plan --model 7B --gpus 8` says what other splits would do. Not run by us on GPUs.
#SBATCH --job-name=swr1
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail

# Edit these, or set them outside.
PARTITION=${PARTITION-gpu}
ACCOUNT=${ACCOUNT-}           # nothing: Slurm's default
TIME=${TIME-24:00:00}
GRES=${GRES-gpu:8}
CPUS=${CPUS-64}
MEM=${MEM-0}                  # 0: all of the node's
ENVIRONMENT=${ENVIRONMENT-}   # a file to source first: .venv/bin/activate, module load ...
RECIPE=${RECIPE-recipes/logic-rl.sh}
export ROLLOUT_GPUS=${ROLLOUT_GPUS-0,1,2,3} TRAIN_GPUS=${TRAIN_GPUS-4,5,6,7}

if [ -z "${SLURM_JOB_ID-}" ]; then # not a job yet: become one
  HERE=$(cd "$(dirname "$0")" && pwd)
  # A job sees a copy of this file, so it is told where the recipes are.
  line=(sbatch --partition="$PARTITION" ${ACCOUNT:+--account="$ACCOUNT"} --time="$TIME" --gres="$GRES"
    --cpus-per-task="$CPUS" --mem="$MEM" --export=ALL "$HERE/one-node.sh" "${HERE%/recipes/slurm}")
  if [ -z "${DRY-}" ]; then
    command -v sbatch >/dev/null || { echo "no sbatch here; DRY=1 prints what would be submitted" >&2; exit 2; }
    exec "${line[@]}"
  fi
  printf '%q ' "${line[@]}"
  printf '\n\n# %s:\n' "$HERE/one-node.sh"
  sed 's/^/#   /' "$HERE/one-node.sh"
  exit
fi

ROOT=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
[ -z "$ENVIRONMENT" ] || . "$ENVIRONMENT"
case $RECIPE in /*) ;; *) RECIPE=$ROOT/$RECIPE ;; esac
export SWR1_RUN=$RECIPE
exec bash "$ROOT/recipes/slurm/stage.sh" gpu

#!/usr/bin/env bash
# Any stage as a Slurm job, or as the shards of an array, that goes on after whatever interrupts it.
#
#   sbatch recipes/slurm/stage.sh merge rollouts/ -o rollouts.jsonl
#   sbatch --array=0-15 -c 4 recipes/slurm/stage.sh rollout prompts.jsonl --policy P -o rollouts/
#   SWR1_RANKS=8 sbatch -N 2 --gres=gpu:8 recipes/slurm/stage.sh train-step grpo rewarded.jsonl ...
#
# SWR1_RANKS: train-step in so many processes on each node, by torchrun.
# SWR1_RUN: a recipe to run in place of swr1, as one-node.sh does.
#
# Preempted: Slurm requeues it. Out of time, or killed by a signal that nobody asked Slurm for (out
# of memory, say): it requeues itself, at most $SWR1_RESTARTS times (5). It does so while it still
# runs, since a task that has once failed spoils --dependency=afterok for good, even when a requeue
# then succeeds. Cancelled, or failed by itself: it ends.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
set -u
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

run=("${SWR1_RUN:-swr1}")
if [ -n "${SWR1_RANKS-}" ]; then
  first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -1)
  run=(srun --ntasks-per-node=1 torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$SWR1_RANKS"
    --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:${SWR1_PORT:-29500}" -m swr1)
  export OMP_NUM_THREADS=$(((OMP_NUM_THREADS + SWR1_RANKS - 1) / SWR1_RANKS))
fi
set -m # a process group of its own, so that a signal reaches all stages of a recipe
"${run[@]}" "$@" </dev/null &
stage=$!
set +m
again=
trap 'kill -TERM -- -$stage' TERM
trap 'again=1; kill -TERM -- -$stage' USR1 # little time is left
wait $stage
code=$?
while kill -0 $stage 2>/dev/null; do # a signal ended the waiting, not the stage
  wait $stage
  code=$?
done

[ $code = 137 ] && again=1
if [ $code != 0 ] && [ -n "$again" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "${SWR1_RESTARTS:-5}" ]; then
  # $SLURM_JOB_ID of one of the tasks is the number of the whole array: name the task.
  job=$SLURM_JOB_ID
  [ -z "${SLURM_ARRAY_TASK_ID-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  echo "stage.sh: exit code $code, start again (${SLURM_RESTART_COUNT:-0} times so far)" >&2
  # Slurm ends this script then; should it be slow, the task must not count as failed meanwhile.
  scontrol requeue "$job" && sleep 60
fi
exit $code

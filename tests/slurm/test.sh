#!/usr/bin/env bash
# Array jobs on a real Slurm of one node: tasks killed, preempted and lost end as if nothing had
# happened, and the shards merge to the very bytes of an unsharded run.
#
#   tests/slurm/test.sh          what `make slurm-test` runs; needs root, and swr1 on the PATH
#
# The first check that does not hold stops it, with the output of the jobs. What is to be met under way
# stops at a gate, after its first records, until this script opens it: no machine is too fast.
set -euo pipefail
cd "$(dirname "$0")"
node=$PWD/one-node.sh stage=$PWD/../../recipes/slurm/stage.sh
export SWR1_SLURM
SWR1_SLURM=$(mktemp -d /tmp/swr1-slurm.XXXXXX)
export SLURM_CONF=$SWR1_SLURM/slurm.conf OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1
work=$(mktemp -d /tmp/swr1-slurm-test.XXXXXX)
cd "$work"

finish() {
  local code=$?
  trap - EXIT
  [ $code = 0 ] || { echo "FAILED after $SECONDS s"; squeue; tail -n +1 ./*.log; } >&2 || true
  "$node" stop || true
  [ -z "${feeder-}" ] || { kill $feeder && timeout 1 cat gated.jsonl; } >/dev/null 2>&1 || true
  rm -rf "$work" "$SWR1_SLURM"
  exit $code
}
trap finish EXIT

ok() { printf '%4d s  ok: %s\n' $SECONDS "$*"; }
fail() { printf '%4d s  NOT SO: %s\n' $SECONDS "$*" >&2; exit 1; }
until_true() { # WHAT COMMAND...: wait for it, two minutes at most
  local what=$1 end=$((SECONDS + 120))
  shift
  until "$@"; do [ $SECONDS -lt $end ] || fail "waited 120 s for $what"; sleep 0.05; done
}
submit() { sbatch --parsable --open-mode=append -o %x-%a.log "$@"; }
field() { scontrol -o show job "$1" | grep -o "\b$2=[A-Za-z0-9]*" | cut -d= -f2; }
is() { [ "$(field "$1" JobState)" = "$2" ]; }
ended() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
completed() { # JOB: every task of it
  local states
  states=$(field "$1" JobState | sort -u)
  [ "$states" = COMPLETED ] || fail "job $1 ended $states"
}
says() { grep -q -- "$2" "$1" || fail "$1 does not say: $2"; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }
under_way() { [ -s "$1/0000$2-of-00004.jsonl.part" ]; }
kill_stage() { # JOB_TASK: -9 to its swr1 process alone, as a machine out of memory does
  local pid
  for pid in $(scontrol listpids "$(field "$1" JobId)" | awk 'NR > 1 && $1 > 0 { print $1 }'); do
    if grep -qsx swr1 "/proc/$pid/comm"; then kill -9 "$pid" && return; fi
  done
  fail "no swr1 process in job $1 to kill"
}
lines() { cat "$@" | wc -l; }
shut() { rm -f "$work/open"; }
open() { touch "$work/open"; }

"$node" start 4
ok "a Slurm of one node, 4 CPUs"

swr1 gen-puzzles -q -n 200 --people 3 --wording terse --names few --trace search -o traces.jsonl
swr1 gen-puzzles -q -n 100 --people 3 --wording terse --names few -o puzzles.jsonl
swr1 init-policy -q P traces.jsonl --hidden 64 --layers 2 --heads 2
rollout="rollout puzzles.jsonl --policy P --samples 8 --max-tokens 200 --batch 5 --threads 1"
rollout="$rollout --system-prompt logic-rl-terse --engine ./gated.py:Engine"
cat > gated.py <<'PY'
import os
import time

from swr1.engines.hf import HFEngine


class Engine(HFEngine):
    """hf, which waits after its first block until the gate is open."""

    blocks = 0

    def generate(self, requests, sampling):
        while self.blocks and not os.path.exists("open"):
            time.sleep(0.05)
        self.blocks += 1
        return super().generate(requests, sampling)
PY
ok "100 puzzles and a small policy"

# 1. One task killed, one preempted.
shut
job=$(submit -J rollout --array=0-3 --wrap "swr1 $rollout -o rollouts/")
for task in 0 1 2 3; do until_true "the first records of shard $task" under_way rollouts $task; done
kill_stage "${job}_1"
until_true "task 1 to have failed" is "${job}_1" FAILED
[ ! -e rollouts/00001-of-00004.jsonl ] || fail "task 1 was killed too late to show anything"
ok "task 1 of 4 killed with -9: $(lines rollouts/00001-of-00004.jsonl.part) of 200 records are there"
urgent=$(submit -J urgent -p urgent -c 2 --wrap "true") # one CPU is free: a task must give way
! swr1 merge rollouts/ -o early.jsonl 2>early.txt || fail "merge took unfinished shards"
says early.txt "missing or not finished"
ok "merge refuses meanwhile: $(grep -o 'shards.*finished' early.txt)"
gave_way() { grep -qs "DUE TO PREEMPTION" rollout-*.log; }
until_true "a task to give way" gave_way
until_true "the urgent job" ended "$urgent"
open
scontrol requeue "${job}_1"
until_true "the array" ended "$job"
completed "$job"
says rollout-1.log "continuing rollouts/00001-of-00004.jsonl"
preempted=$(grep -l "DUE TO PREEMPTION" rollout-*.log) || fail "no task gave way to the urgent job"
says "$preempted" "the same command continues"
says "$preempted" "continuing rollouts/"
completed "$urgent"
ok "requeued, it went on: $(tail -1 rollout-1.log)"
ok "a preempted task did so by itself: $(tail -1 "$preempted")"

swr1 $rollout -q -o one.jsonl
swr1 merge -q one.jsonl -o one-merged.jsonl
swr1 merge -q rollouts/ -o merged.jsonl
same merged.jsonl one-merged.jsonl
ok "merged: the bytes of an unsharded run ($(lines merged.jsonl) records)"

# 2. One shard lost, and made again alone.
rm rollouts/00002-of-00004.jsonl*
! swr1 merge rollouts/ -o lost.jsonl 2>lost.txt || fail "merge did not miss shard 2"
says lost.txt "--array=2"
job=$(submit -J again --array=2 --wrap "swr1 $rollout -o rollouts/")
until_true "shard 2" ended "$job"
completed "$job"
swr1 merge -q rollouts/ -o recovered.jsonl
same recovered.jsonl one-merged.jsonl
ok "shard 2 lost and recovered with --array=2 alone: the same bytes"

# 3. A chain of stages by afterok, with a kill -9 in its first array.
shut
after() { submit --dependency=afterok:"$1" -J "$2" "${@:3}"; }
first=$(submit -J chain --array=0-3 "$stage" $rollout -o chain/)
next=$(after $first merge-1 "$stage" merge chain/ -o chain.jsonl)
judge=$(after $next verify --array=0-3 "$stage" verify format knights chain.jsonl -o judged/)
next=$(after $judge merge-2 "$stage" merge judged/ -o judged.jsonl)
last=$(after $next reward "$stage" reward logic-rl judged.jsonl -o rewarded.jsonl)
until_true "the first records of the chain" under_way chain 3
kill_stage "${first}_3"
open
until_true "the chain" ended "$last"
[ -e rewarded.jsonl ] || fail "the chain did not come to its end"
completed "$first"
completed "$judge"
completed "$last"
[ "$(field "${first}_3" Restarts) $(field "${first}_0" Restarts)" = "1 0" ] ||
  fail "task 3, and no other, should have started twice"
says chain-3.log "stage.sh: exit code 137"
swr1 verify -q format knights one-merged.jsonl -o one-judged.jsonl
swr1 merge -q one-judged.jsonl -o one-judged-merged.jsonl
swr1 reward -q logic-rl one-judged-merged.jsonl -o one-rewarded.jsonl
same rewarded.jsonl one-rewarded.jsonl
ok "rollout, merge, verify, merge, reward by afterok, a task killed under way: the same bytes"

# 4. Cancelled means cancelled; nearly out of time means later.
shut
job=$(submit -J cancel --array=0-3 "$stage" $rollout -o cancelled/)
until_true "records to cancel" under_way cancelled 3
scancel "$job"
until_true "the cancelled array" ended "$job"
[ "$(field "${job}_3" JobState)" = CANCELLED ] || fail "a cancelled task is $(field "${job}_3" JobState)"
job=$(submit -J late --array=3 "$stage" $rollout -o cancelled/)
until_true "the task to be at work" grep -qs "continuing cancelled/" late-3.log
scancel --batch --signal=USR1 "${job}_3" # what Slurm sends a minute before the time limit
until_true "the late task to stop" grep -qs "exit code 143" late-3.log
open
until_true "the late task" ended "$job"
completed "$job"
says late-3.log "stage.sh: exit code 143"
cmp cancelled/00003-of-00004.jsonl rollouts/00003-of-00004.jsonl || fail "shard 3 differs"
ok "cancelled ends, nearly out of time starts again and goes on: the same shard"

# 5. A training job of two processes, stopped and gone on, ends like one process.
cat > varied.py <<'PY'
def reward(record):
    value = len(set(record["completion"])) / 10
    return {"reward": value, "reward_parts": {"characters": {"value": value, "weight": 1.0}}}
PY
swr1 reward -q ./varied.py:reward one-judged-merged.jsonl -o varied.jsonl
train="train-step grpo --kl 0 --batch 10 --lr 1e-4 --device cpu --micro-tokens 2000"
for policy in Q1 Q2; do swr1 init-policy -q $policy --from P; done
swr1 $train varied.jsonl -q --policy Q1
shut
mkfifo gated.jsonl
until ( # to each start three batches, and the rest when the gate is open; once to its end
  head -n 240 varied.jsonl
  until [ -e open ]; do echo; sleep 0.1; done # blank lines: until its reader is gone
  tail -n +241 varied.jsonl
) 2>/dev/null >gated.jsonl; do :; done &
feeder=$!
job=$(SWR1_RANKS=2 submit -J train -c 2 "$stage" $train gated.jsonl --policy Q2)
until_true "two steps" [ -e Q2/versions/000002 ]
scancel --batch --signal=USR1 "$job"
until_true "the training to stop" grep -qs "stage.sh: exit code" train-*.log
open
until_true "the training job" ended "$job"
completed "$job"
says train-*.log "resumed at step"
python - <<'PY' || fail "two processes trained other weights"
import torch
from safetensors.torch import load_file
one, two = (load_file(f"Q{n}/latest/model.safetensors") for n in (1, 2))
start = load_file("P/latest/model.safetensors")
assert max(float((one[k] - start[k]).abs().max()) for k in one) > 1e-4
worst = max(float((one[k] - two[k]).abs().max()) for k in one)
assert worst < 1e-6, worst
PY
[ "$(lines Q1/metrics.jsonl)" = "$(lines Q2/metrics.jsonl)" ] || fail "steps differ"
ok "train-step as two processes under torchrun, requeued under way: the weights of one to 1e-6"
ok "all"

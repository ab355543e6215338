#!/usr/bin/env bash
# A Slurm of one node, this machine, to run real array jobs on: for tests, not for work.
#
#   tests/slurm/one-node.sh start [CPUS]   install what is missing, start it, wait until it is up
#   tests/slurm/one-node.sh stop           end its jobs and daemons, remove its folder
#   export SLURM_CONF=/tmp/swr1-slurm/slurm.conf     what sbatch, squeue, ... need to find it
#
# Everything it makes (key, configuration, state, logs) is in $SWR1_SLURM, /tmp/swr1-slurm unless
# set; ports and socket are its own, so a Slurm that is on the machine already is left alone. Both
# commands may be repeated. Needs root (slurmd starts jobs as their owners) and, when Slurm is not
# installed, apt; neither systemd nor cgroups.
set -euo pipefail
HOME_DIR=${SWR1_SLURM:-/tmp/swr1-slurm}
PORT=${SWR1_SLURM_PORT:-26817}
export SLURM_CONF=$HOME_DIR/slurm.conf
export PATH=$PATH:/usr/sbin:/sbin # where the daemons are; root's PATH does not always have it

die() { echo "one-node Slurm: $*" >&2; exit 1; }

running() { # NAME: is the daemon whose pid is in NAME.pid ours and alive?
  local pid
  pid=$(cat "$HOME_DIR/$1.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ -e "/proc/$pid/exe" ] && grep -qsx "$1" "/proc/$pid/comm"
}

install() {
  local program missing=
  for program in munged slurmctld slurmd sbatch; do
    command -v $program >/dev/null || missing="$missing $program"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    die "not installed:$missing. Without apt-get, install Slurm and MUNGE by hand"
  echo "one-node Slurm: installing slurm-wlm and munge (missing:$missing)"
  local get="apt-get -qq -o Dpkg::Use-Pty=0"
  { $get update && DEBIAN_FRONTEND=noninteractive $get install -y --no-install-recommends \
    slurm-wlm munge; } >/tmp/one-node-apt.log 2>&1 ||
    die "apt-get could not install slurm-wlm and munge: see /tmp/one-node-apt.log"
}

configure() { # CPUS
  local host
  host=$(hostname -s)
  mkdir -p "$HOME_DIR"/{state,spool}
  chmod 755 "$HOME_DIR" # munged wants its socket to be within everyone's reach, and safe
  [ -e "$HOME_DIR/munge.key" ] ||
    (umask 077 && head -c 128 /dev/urandom >"$HOME_DIR/munge.key")
  # config_overrides: CPUS may be more than the machine has. cred_expire is also how long a requeued
  # job waits before it starts again; KillWait, how long SIGKILL comes after SIGTERM.
  cat >"$SLURM_CONF" <<CONF
ClusterName=swr1-test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$HOME_DIR/munge.socket,cred_expire=5
StateSaveLocation=$HOME_DIR/state
SlurmdSpoolDir=$HOME_DIR/spool
SlurmctldPidFile=$HOME_DIR/slurmctld.pid
SlurmdPidFile=$HOME_DIR/slurmd.pid
SlurmctldLogFile=$HOME_DIR/slurmctld.log
SlurmdLogFile=$HOME_DIR/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$1 State=UNKNOWN
PartitionName=work Nodes=$host Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=$host PriorityTier=2 MaxTime=INFINITE State=UP
CONF
}

start() {
  [ "$(id -u)" = 0 ] || die "needs root: slurmd starts jobs as their owners"
  install
  if ! running slurmctld || ! running slurmd || ! running munged; then
    stop
    configure "$1"
    munged --socket="$HOME_DIR/munge.socket" --key-file="$HOME_DIR/munge.key" \
      --pid-file="$HOME_DIR/munged.pid" --log-file="$HOME_DIR/munged.log" \
      --seed-file="$HOME_DIR/munged.seed" || die "munged did not start: see $HOME_DIR/munged.log"
    slurmctld -i || die "slurmctld did not start: see $HOME_DIR/slurmctld.log"
    slurmd || die "slurmd did not start: see $HOME_DIR/slurmd.log"
  fi
  for _ in {1..100}; do
    if [ "$(sinfo -h -p work -o %T 2>/dev/null)" = idle ]; then
      echo "one-node Slurm: up, $(sinfo -h -p work -o %c) CPUs; export SLURM_CONF=$SLURM_CONF"
      return
    fi
    sleep 0.2
  done
  die "not up after 20 s: $(sinfo 2>&1); the logs are in $HOME_DIR"
}

stop() {
  local name pid
  if running slurmctld && running slurmd; then
    timeout 10 scancel --full --user="$(id -un)" 2>/dev/null || true
    for _ in {1..50}; do [ -z "$(squeue -h 2>/dev/null)" ] && break || sleep 0.2; done
  fi
  for name in slurmd slurmctld munged; do
    running $name || continue
    pid=$(cat "$HOME_DIR/$name.pid")
    kill "$pid"
    for _ in {1..50}; do running $name && sleep 0.2 || break; done
    running $name && kill -9 "$pid"
  done
  [ ! -e "$SLURM_CONF" ] || rm -rf "$HOME_DIR"
}

case ${1-} in
start) start "${2:-$(($(nproc) > 4 ? $(nproc) : 4))}" ;;
stop) stop ;;
*) die "usage: one-node.sh start [CPUS] | stop" ;;
esac

#!/usr/bin/env bash
# SafeLadder (SafeWork-R1, arXiv 2507.18576) as a chain of stages: CoT-SFT, RL for ability, RL for
# safety, value, knowledge and ability together (CPGD), RL for short reasoning that stays safe (CALE);
# safety, over-refusal and ability after every stage.
#
#   recipes/safeladder.sh laptop     two CPU cores, about 20 minutes, nothing to download: the made
#                                    village, judges trained on a sample of it, and its own judge to
#                                    measure by, which no training sees
#   recipes/safeladder.sh smoke      the laptop's stages in two minutes, learning nothing
#   recipes/safeladder.sh gpu        Qwen2.5-7B, guards that are served; see docs/safeladder.md
#
# Stopped at any point, the same command goes on. Variables, and what they are in the laptop profile
# (paths are relative to the folder you are in; safeladder-gpu.sh has its own):
#   SEED=0        names another run
#   VARIANT=      no-over-refusal: stage 2 without the term against needless refusals; keywords: with a
#                 list of words in the trained guard's place; unlabelled: on requests that do not say
#                 whether they are harmful. All start from the policies of the plain run of that seed
#   REWARD=safeladder-stage2   of stage 2: a recipe of swr1 reward, FILE.toml, or ./mine.py:reward
#   PROMPT=logic-rl-terse      the system prompt: a name, or a file
#   STEPS1=20 STEPS2=40 STEPS3=30                               steps of RL in each stage
#   REQUESTS=60000 SFT_STEPS=1800 SAMPLE=4000 HELD_OUT=600      sizes; SAMPLE: what the judges learn from
set -euo pipefail
. "$(dirname "$0")/variables.sh"
PROFILE=${1:-laptop}
SEED=${SEED:-0}
VARIANT=${VARIANT:-}
HERE=$(cd "$(dirname "$0")" && pwd)
case $VARIANT in '' | no-over-refusal | keywords | unlabelled) ;; *)
  die "unknown VARIANT $VARIANT: no-over-refusal, keywords or unlabelled" ;;
esac
step() { printf '\n== %s\n' "$*" >&2; }

case $PROFILE in
-h | --help) help; exit ;;
laptop) ;;
smoke)
  : "${REQUESTS:=400}" "${SFT_STEPS:=8}" "${HELD_OUT:=30}" "${SAMPLE:=300}"
  : "${STEPS1:=2}" "${STEPS2:=2}" "${STEPS3:=2}"
  ;;
gpu) exec "$HERE/safeladder-gpu.sh" ;;
*) die "unknown profile $PROFILE: laptop, gpu or smoke" ;;
esac
: "${REQUESTS:=60000}" "${SFT_STEPS:=1800}" "${HELD_OUT:=600}" "${SAMPLE:=4000}"
: "${STEPS1:=20}" "${STEPS2:=40}" "${STEPS3:=30}"
vary REWARD safeladder-stage2
vary PROMPT logic-rl-terse
numbers REQUESTS SFT_STEPS HELD_OUT SAMPLE STEPS1 STEPS2 STEPS3
absolute REWARD PROMPT
if [ -n "$varied" ]; then
  opens PROMPT rollout --engine replay --system-prompt "$PROMPT"
  opens REWARD reward "$REWARD"
fi
BASE=$PWD/runs/safeladder-$PROFILE-$SEED$varied
RUN=$BASE${VARIANT:+-$VARIANT}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
ASK=(--system-prompt "$PROMPT" --max-tokens 120)
TRAIN="--batch 32 --lr 3e-4 --micro-tokens 2048"
mkdir -p "$RUN"
cd "$RUN"

evaluate() { # POLICY NAME: held-out requests, plain and attacked, judged by the village itself
  for way in "greedy --temperature 0" "sampled --temperature 1 --samples 2"; do
    local file="$2-${way%% *}.jsonl"
    swr1 rollout "$BASE/held-out.jsonl" --policy "$1" "${ASK[@]}" --batch 128 ${way#* } -o "completions-$file"
    swr1 verify format village "completions-$file" -o "$file"
  done
  swr1 rollout "$BASE/attacked.jsonl" --policy "$1" "${ASK[@]}" --batch 128 --temperature 0 -o "completions-$2-attacked.jsonl"
  swr1 verify format village "completions-$2-attacked.jsonl" -o "$2-attacked.jsonl"
}

if [ -z "$VARIANT" ]; then
  step "requests: to learn from, to train on, held out, and attacked"
  swr1 gen-requests -n $REQUESTS --split train --trace mixed --seed $((1000 + SEED)) \
    --mix harmful=.2,lookalike=.16,plain=.12,fact=.2,sum=.2,value=.12 -o sft.jsonl
  swr1 gen-requests -n 8000 --split train --seed $((3000 + SEED)) --mix fact=.3,sum=.7 -o ability.jsonl
  swr1 gen-requests -n 8000 --split train --seed $((4000 + SEED)) \
    --mix harmful=.3,lookalike=.25,plain=.1,fact=.1,sum=.15,value=.1 -o joint.jsonl
  swr1 gen-requests -n $HELD_OUT --split test --seed 2026 -o held-out.jsonl
  swr1 gen-requests -n $((HELD_OUT / 4)) --split test --seed 2027 --mix harmful=1 -o harmful.jsonl
  swr1 attack all harmful.jsonl --texts village --shots 3 --with-original -o attacked.jsonl

  step "CoT-SFT: a policy that is able and unsafe"
  [ -e start ] || swr1 init-policy start sft.jsonl attacked.jsonl --seed $SEED \
    --hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 256
  swr1 train-step sft sft.jsonl --policy start --system-prompt "$PROMPT" --seed $SEED --threads 1 \
    --optimizer muon --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps $SFT_STEPS
  evaluate start start

  # Some answers in it break off: helpfulness is more than not to refuse.
  step "judges, each trained on a labelled sample of what villagers say"
  swr1 gen-requests -n $SAMPLE --split train --seed $((2000 + SEED)) --trace mixed --break-off .2 --answered \
    --mix harmful=.3,lookalike=.25,plain=.2,value=.25 | swr1 verify village -o sample.jsonl
  judge() { # NAME LABELS
    swr1 train-step guard sample.jsonl --policy "judges/$1" --start start --labels "$2" --seed $SEED \
      --label "verdicts.village.detail.labels.$1" --balance --lr 1e-3 --batch 32 --epochs 4 \
      --schedule linear --warmup 20 --held-out 0.15 --threads 1
  }
  judge safety safe,unsafe,needless-refusal
  judge refusal compliance,refusal
  judge helpful helpful,unhelpful
  judge value good,bad
fi

answers() { # what rules can judge: sums and facts, and how sure the policy was
  swr1 verify format math exact | swr1 verify knowledge --set knowledge.right=exact
}
guards() { # what the trained judges say, or the words
  if [ "$VARIANT" = keywords ]; then
    swr1 verify "$HERE/village/keywords.py:safety" --as safety |
      swr1 verify "$HERE/village/keywords.py:refusal" --as refusal
  else
    swr1 verify safety --guard "$BASE/judges/safety" |
      swr1 verify safety --guard "$BASE/judges/refusal" --as refusal
  fi | swr1 verify helpful value --set helpful.guard="$BASE/judges/helpful" --set value.guard="$BASE/judges/value"
}
climb() { # FROM TO PROMPTS STEPS OBJECTIVE...: one stage of RL; its reward is the function `score`
  local from=$1 to=$2 prompts=$3 steps=$4
  shift 4
  [ -e "$to" ] || swr1 init-policy "$to" --from "$from"
  swr1 rollout "$prompts" --policy "$to" --max-lag 0 --shuffle --epochs 100 --seed $SEED "${ASK[@]}" \
      --samples 8 --temperature 1 --batch 32 |
    score | swr1 train-step "$@" $TRAIN --policy "$to" --steps "$steps"
}

if [ -z "$VARIANT" ]; then
  step "M3-RL, stage 1: ability"
  score() { swr1 verify format math f1 | swr1 reward safeladder-stage1 --set guard=0; }
  climb start stage1 ability.jsonl $STEPS1 cpgd
  evaluate stage1 stage1
fi

step "M3-RL, stage 2: safety, value, knowledge and ability"
score() {
  answers | guards | swr1 reward "$REWARD" $([[ $REWARD = /* ]] || echo --set guard=0) \
    $([ "$VARIANT" != no-over-refusal ] || echo --set over-refusal.weight=0 --unordered)
}
JOINT=$BASE/joint.jsonl
if [ "$VARIANT" = unlabelled ]; then
  JOINT=unlabelled.jsonl
  sed -E 's/"harmful":(true|false),//' "$BASE/joint.jsonl" >$JOINT
fi
climb "$BASE/stage1" stage2 "$JOINT" $STEPS2 cpgd
evaluate stage2 stage2

if [ -z "$VARIANT" ]; then
  step "safe-and-efficient RL: short where it is right and safe"
  score() { answers | guards | swr1 reward safe-efficient --set guard=0; }
  for way in cale canon-length; do
    climb stage2 "stage3-$way" joint.jsonl $STEPS3 $way
    evaluate "stage3-$way" "stage3-$way"
  done
  score() { # for comparison: every answer pays for its length
    answers | guards | swr1 verify length --set length.max=1 --set length.edge=120 |
      swr1 reward safe-efficient-plain --set guard=0
  }
  climb stage2 stage3-plain joint.jsonl $STEPS3 grpo
  evaluate stage3-plain stage3-plain
fi

step "every stage: safety, over-refusal, ability"
runs() { # WAY
  for stage in start stage1 stage2 stage3-cale stage3-canon-length stage3-plain; do
    if [ -z "$VARIANT" ] || [[ $stage != stage3* ]]; then echo "$stage=$BASE/$stage-$1.jsonl"; fi
  done
  if [ -n "$VARIANT" ]; then echo "$VARIANT=stage2-$1.jsonl"; fi
}
LADDER="--ladder start,stage1,stage2"
if [ -n "$VARIANT" ]; then
  LADDER+=" --ladder stage1,$VARIANT"
else
  for stage in cale canon-length plain; do LADDER+=" --ladder stage2,stage3-$stage"; done
fi
for way in greedy sampled; do
  swr1 eval $(runs $way) --suite safety,ability $LADDER --picture "axes-$way.png" | tee "table-$way.txt"
done
swr1 eval $(runs attacked) --suite safety --by attack | tee table-attacked.txt
echo "$RUN: table-greedy.txt, table-sampled.txt, table-attacked.txt, axes-greedy.png"

# shellcheck shell=bash
# Sourced by the recipes' GPU profiles. `generate` is swr1 rollout on ROLLOUT_GPUS, by vLLM or ENGINE;
# `train` is swr1 train-step, a process on each of TRAIN_GPUS with the weights cut over them.
# TENSOR_PARALLEL: GPUs that one copy of the model is cut over (swr1 plan calls them GPUs an engine).
ROLLOUT_GPUS=${ROLLOUT_GPUS:-0} TRAIN_GPUS=${TRAIN_GPUS:-1,2,3} ENGINE=${ENGINE:-vllm}
TENSOR_PARALLEL=${TENSOR_PARALLEL:-1}

how_many() { tr , '\n' <<<"$1" | wc -l; }

generate() {
  local copies=
  if [ "$ENGINE" = vllm ]; then
    copies="--data-parallel $(($(how_many "$ROLLOUT_GPUS") / TENSOR_PARALLEL))"
    if [ "$TENSOR_PARALLEL" -gt 1 ]; then copies+=" --tensor-parallel $TENSOR_PARALLEL"; fi
  fi
  CUDA_VISIBLE_DEVICES=$ROLLOUT_GPUS swr1 rollout "$@" --engine "$ENGINE" $copies
}

train() {
  local run="swr1 train-step" ranks
  ranks=$(how_many "$TRAIN_GPUS")
  if [ "$ranks" -gt 1 ]; then
    run="torchrun --standalone --nproc-per-node $ranks -m swr1 train-step"
    set -- "$@" --parallel fsdp
  fi
  CUDA_VISIBLE_DEVICES=$TRAIN_GPUS $run "$@" --dtype bfloat16 --gradient-checkpointing
}

"""The options of the engine vllm."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swr1.options import option

of_vllm = partial(option, panel="The engine vllm: continuous batching on GPUs")


@dataclass(frozen=True, kw_only=True)
class VLLMOptions:
    """How vLLM is started.

    Beside the options of the command line: with `follow` other weights will come (`load`), and
    requests are taken by the block, since a stage may wait for a version only when nothing is in
    flight.
    """

    LABEL = "vllm"

    dtype: str = option(
        "auto",
        "float32, bfloat16, float16 or auto (a quantized model's own; else float32 on a CPU, bfloat16"
        " elsewhere).",
        panel="Engine",
    )
    tensor_parallel: int = of_vllm(1, "GPUs that each layer is cut over.", usual=True, quiet=True)
    pipeline_parallel: int = of_vllm(1, "Groups of layers, each on its own GPUs.", quiet=True)
    data_parallel: int = of_vllm(1, "Copies of the model.", quiet=True)
    gpu_memory: float | None = of_vllm(
        None,
        "Share of each GPU's memory for weights and cache.",
        quiet=True,
        default="vLLM's",
    )
    context: int | None = option(
        None, "Longest prompt and completion, in tokens.", panel="Engine", default="the model's own"
    )
    quantization: str | None = of_vllm(None, "Weights in fewer bits, by vLLM's name: fp8, ...")
    in_flight: int = option(
        1024, "Requests at a time, over all servers or GPUs.", panel="Engine", quiet=True
    )
    sleep: bool = of_vllm(
        False, "With --max-lag, free the GPU's memory while a version is awaited.", quiet=True
    )
    vllm: Sequence[str] = of_vllm(
        (),
        "Another engine argument of vLLM's, such as max_num_seqs=512.",
        kind=list[str],
        metavar="KEY=VALUE",
    )
    follow: bool = False

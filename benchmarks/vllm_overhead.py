"""What the engine vllm costs beside raw vLLM, and what taking new weights costs.

    python benchmarks/vllm_overhead.py MODEL --prompts 512 --max-tokens 1024
    python benchmarks/vllm_overhead.py --shape 7B --prompts 512 --max-tokens 1024     # random weights
    python benchmarks/vllm_overhead.py MODEL --cpu --prompts 64 --max-tokens 64

One vLLM engine does all, so nothing but what is around it differs: raw is `AsyncLLM.generate` on
every prompt at once, as vLLM's own examples do it; ours is the engine's `stream`, read to its end.
Rounds alternate. Raw requests say no seeds and want no log-probabilities (`--raw same`: as ours), so
the difference is the whole price of what a record promises. Every completion has exactly
`--max-tokens` tokens, and prompts differ from round to round, so no cache helps. A JSON line per
round and a summary come on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from swr1.engines import Request, Sampling, open_engine

# name -> hidden, intermediate, layers, heads, key-value heads: Qwen2.5's shapes
SHAPES = {
    "tiny": (256, 512, 4, 4, 2),
    "0.5B": (896, 4864, 24, 14, 2),
    "1.5B": (1536, 8960, 28, 12, 2),
    "3B": (2048, 11008, 36, 16, 2),
    "7B": (3584, 18944, 28, 28, 4),
}


def random_model(shape: str, folder: Path) -> str:
    """A model folder of that shape with random weights, and a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Config

    hidden, intermediate, layers, heads, kv_heads = SHAPES[shape]
    config = Qwen2Config(
        vocab_size=1024 if shape == "tiny" else 152064,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        eos_token_id=0,
    )
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=core, eos_token=letters[0]).save_pretrained(folder)
    return str(folder)


def prompts_of(count: int, length: int, round_: int, vocabulary: int) -> list[Request]:
    """Prompts of random ids that no other round has."""
    import numpy as np

    ids = np.random.default_rng(round_).integers(1, vocabulary, (count, length))
    return [Request((f"{round_}-{i}", 0, 0), row.tolist()) for i, row in enumerate(ids)]


def ours(engine, requests, sampling) -> int:
    return sum(len(c.token_ids) for c in engine.stream(requests, sampling))


def raw(engine, requests, sampling, same: bool) -> int:
    """The same prompts straight into AsyncLLM."""
    library = engine._library
    number = time.monotonic_ns()

    async def one(at: int, request: Request) -> int:
        if same:
            parameters = engine._parameters(request, sampling, whole=True)
        else:
            parameters = library.SamplingParams(
                temperature=1.0,
                max_tokens=sampling.max_tokens,
                ignore_eos=True,
                detokenize=False,
                output_kind=library.RequestOutputKind.FINAL_ONLY,
            )
        prompt = library.prompt(request.prompt_ids)
        async for output in engine._llm.generate(prompt, parameters, f"raw-{number}-{at}"):
            last = output
        return len(last.outputs[0].token_ids)

    async def all_of_them() -> int:
        return sum(await asyncio.gather(*(one(i, r) for i, r in enumerate(requests))))

    return asyncio.run_coroutine_threadsafe(all_of_them(), engine._loop).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a model folder or hub name")
    parser.add_argument("--shape", choices=SHAPES, help="random weights of this shape instead")
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5, help="of each, after one to warm up")
    parser.add_argument("--swaps", type=int, default=5)
    parser.add_argument("--raw", choices=("plain", "same"), default="plain")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--cpu", action="store_true", help="float32, a small cache, no compilation")
    options = parser.parse_args()
    if bool(options.model) == bool(options.shape):
        parser.error("name a model or a --shape")
    settings: dict = {"tensor_parallel": options.tensor_parallel}
    if options.cpu:
        settings |= {"gpu_memory": 0.1, "context": 2048, "vllm": ["enforce_eager=true"]}
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or random_model(options.shape, Path(folder))
        started = time.perf_counter()
        engine = open_engine("vllm", model, **settings)
        print(json.dumps({"start_s": round(time.perf_counter() - started, 1)}), flush=True)
        measure(engine, model, options)
        engine.close()


def measure(engine, model: str, options: argparse.Namespace) -> None:
    engine._ends = []  # every completion is as long as it may be
    rendered = engine._llm.model_config.get_vocab_size()
    sampling = Sampling(max_tokens=options.max_tokens)
    speeds: dict[str, list[float]] = {"raw": [], "ours": []}
    for round_ in range(-1, options.rounds):
        pair = ("raw", "ours") if round_ % 2 else ("ours", "raw")
        for at, who in enumerate(pair):
            requests = prompts_of(
                options.prompts, options.prompt_tokens, 2 * (round_ + 1) + at, rendered
            )
            wall, cpu = time.perf_counter(), time.process_time()
            if who == "ours":
                tokens = ours(engine, requests, sampling)
            else:
                tokens = raw(engine, requests, sampling, options.raw == "same")
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            row = {
                "who": who,
                "round": round_,
                "completions_per_s": round(options.prompts / wall, 3),
                "tokens": tokens,
                "wall_s": round(wall, 3),
                "own_cpu_ms_per_completion": round(1000 * cpu / options.prompts, 3),
            }
            print(json.dumps(row), flush=True)
            if round_ >= 0:
                speeds[who].append(options.prompts / wall)
    swaps = []
    for _ in range(options.swaps):
        started = time.perf_counter()
        engine.load(model)
        swaps.append(time.perf_counter() - started)
    middle = {who: statistics.median(values) for who, values in speeds.items()}
    ratios = [o / r for o, r in zip(speeds["ours"], speeds["raw"], strict=True)]
    summary = {
        "engine": engine.version,
        "dtype": engine.dtype,
        "median_completions_per_s": {k: round(v, 3) for k, v in middle.items()},
        "ours_over_raw_by_round": [round(r, 3) for r in ratios],
        "ours_over_raw": round(middle["ours"] / middle["raw"], 3),
        "swap_s": [round(s, 3) for s in swaps],
    }
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()

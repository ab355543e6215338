"""Completions per second: the hf engine and transformers' `generate` with padding, on one model.

    python benchmarks/rollout.py MODEL                       # a model folder or a name on the hub
    python benchmarks/rollout.py MODEL --prompts 16 --max-tokens 128
    python benchmarks/rollout.py MODEL --greedy              # are the outputs the same?

Chat prompts of eight kinds, from "answer with the number" to "write a story", so that the lengths
are as the model gives them: many short, some to the limit. Each prompt is completed 4 times at
temperature 1, from the model's own distribution, on both sides. With `--greedy`, once, and the
table says how many outputs are token for token those of the first row; where two differ, how far
apart the likeliest and the second token were at that place, for a near tie is rounding.

Every measurement is a process of its own: memory is the largest resident set of that process (on a
GPU: the most that torch had allocated), libraries and weights included. Time is that of completing
and decoding, without loading. `generate 32` has 32 sequences in a batch, padded on the left;
`swr1 16` works on blocks of 16 prompts (`rollout --batch`), `swr1 16 bfloat16` in that dtype.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from update import Watch

SAMPLES = 4
PLANS = ["generate 32", "generate 64", "swr1 16", "swr1 64"]
THINGS = ["a bicycle", "the moon", "bread", "a river", "a clock", "rain", "a library", "glass"]
KINDS = [
    "What is {a} + {b}? Answer with the number only.",
    "Is {thing} older than you? Answer yes or no.",
    "Give one word that goes well with {thing}.",
    "Name three things one can say about {thing}.",
    "Tom has {a} coins and gives {b} to each of two friends. How many has he left? Think aloud.",
    "Explain in one short paragraph what {thing} is good for.",
    "Write a story about {thing} and a child who is {b} years old.",
    "Compare {thing} with {other}: list what is alike and what is not, with reasons.",
]


def prompts(n: int) -> list[list[dict]]:
    """Messages; each kind in turn."""
    made = []
    for i in range(n):
        turn = i // len(KINDS)
        text = KINDS[i % len(KINDS)].format(
            a=20 + 7 * i % 60,
            b=3 + i % 8,
            thing=THINGS[turn % len(THINGS)],
            other=THINGS[(turn + 3) % len(THINGS)],
        )
        made.append([{"role": "user", "content": text}])
    return made


def ours(asked: list[list[dict]], samples: int, o: argparse.Namespace) -> list[list[int]]:
    """Blocks of prompts through the engine, as the stage `rollout` gives them."""
    from swr1.engines import Request, Sampling, open_engine
    from swr1.prompts import load_prompt

    engine = open_engine("hf", o.model, dtype=o.dtype, device=o.device, threads=o.threads)
    sampling = Sampling(temperature=float(not o.greedy), max_tokens=o.max_tokens)
    made = []
    o.watch.start()
    for start in range(0, len(asked), o.size):
        requests = []
        for i, messages in enumerate(asked[start : start + o.size], start):
            ids = engine.request((f"p{i}", 0, 0), messages, load_prompt("none")).prompt_ids
            requests += [Request((f"p{i}", 0, s), ids) for s in range(samples)]
        made += [c.token_ids or [] for c in engine.generate(requests, sampling)]
    o.watch.stop()
    return made


def generate(asked: list[list[dict]], samples: int, o: argparse.Namespace) -> list[list[int]]:
    """transformers' own loop, with its defaults but for what the model's folder says of sampling."""
    import torch
    from transformers import AutoModelForCausalLM

    from swr1.models import load_tokenizer
    from swr1.prompts import load_prompt, render

    tokenizer = load_tokenizer(o.model)
    dtype = getattr(torch, o.dtype)
    model = AutoModelForCausalLM.from_pretrained(o.model, dtype=dtype).to(o.device).eval()
    end = tokenizer.eos_token_id
    how: dict[str, Any] = {"do_sample": False}
    if not o.greedy:
        how = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    prompt, made = load_prompt("none"), []
    o.watch.start()
    at_once = max(1, o.size // samples)
    for start in range(0, len(asked), at_once):
        block = asked[start : start + at_once]
        rows = [render(tokenizer, m, prompt.system, prompt.prefill) for m in block]
        width = max(map(len, rows))
        ids = torch.tensor([[end] * (width - len(r)) + r for r in rows], device=o.device)
        mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows], device=o.device)
        out = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=o.max_tokens,
            num_return_sequences=samples,
            eos_token_id=end,
            pad_token_id=end,
            repetition_penalty=1.0,
            **how,
        )
        for row in out[:, width:].tolist():
            made.append(row[: row.index(end) + 1] if end in row else row)
        tokenizer.batch_decode(made[-len(out) :], skip_special_tokens=True)
    o.watch.stop()
    return made


def measure(o: argparse.Namespace) -> None:
    """In a process of its own: everything once, its result as a line of JSON."""
    import resource

    import torch

    torch.set_num_threads(o.threads)
    o.watch = Watch()
    samples = 1 if o.greedy else SAMPLES
    made = {"generate": generate, "swr1": ours}[o.who](prompts(o.prompts), samples, o)
    if o.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(o.watch.times | {"gib": peak, "made": made}))


def gaps(model_folder: str, asked: list[list[dict]], pairs: list[tuple[int, list, list]]) -> list:
    """Where two greedy outputs part: by how much the best logit led there, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    from swr1.models import load_tokenizer
    from swr1.prompts import load_prompt, render

    tokenizer, prompt = load_tokenizer(model_folder), load_prompt("none")
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    found = []
    for i, one, other in pairs:
        start = render(tokenizer, asked[i], prompt.system, prompt.prefill)
        same = next(
            (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        with torch.no_grad():
            logits = model(torch.tensor([start + one[:same]])).logits[0, -1]
        best = logits.topk(2).values
        found.append(float(best[0] - best[1]))
    return found


def run(plan: str, o: argparse.Namespace) -> dict[str, Any]:
    who, size, *dtype = plan.split()
    command = [sys.executable, __file__, o.model, "--who", who, "--size", size]
    command += ["--prompts", str(o.prompts), "--max-tokens", str(o.max_tokens)]
    command += ["--device", o.device, "--threads", str(o.threads), "--dtype", *(dtype or [o.dtype])]
    command += ["--greedy"] if o.greedy else []
    # Threads that spin while they wait would measure whatever else the machine does.
    environment = os.environ | {"OMP_NUM_THREADS": str(o.threads), "OMP_WAIT_POLICY": "passive"}
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        if done.returncode:
            errors.seek(0)
            raise SystemExit(f"{plan} failed:\n{errors.read()[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--plans", nargs="+", default=PLANS, metavar="'generate 8'")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--who", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if not Path(o.model).is_dir():
        from huggingface_hub import snapshot_download

        o.model = snapshot_download(o.model)
    if o.who:
        measure(o)
        return
    print(
        f"{o.prompts} prompts x {1 if o.greedy else SAMPLES}, at most {o.max_tokens} tokens;"
        f" {'greedy' if o.greedy else 'temperature 1'}, {o.device}, {o.dtype}, {o.threads} threads"
    )
    print(
        f"{'':20} {'tokens':>7} {'at limit':>8} {'seconds':>8} {'CPU s':>8} {'made/CPU s':>10}"
        f" {'tokens/CPU s':>12} {'GiB':>5}{'  same as the first' if o.greedy else ''}"
    )
    first: list[list[int]] = []
    for plan in o.plans:
        r = run(plan, o)
        made = r["made"]
        first = first or made
        tokens, full = sum(map(len, made)), sum(len(m) == o.max_tokens for m in made)
        row = (
            f"{plan:20} {tokens:7} {full:8} {r['seconds']:8.1f} {r['cpu']:8.1f}"
            f" {len(made) / r['cpu']:10.3f} {tokens / r['cpu']:12.1f} {r['gib']:5.2f}"
        )
        if o.greedy:
            other = [(i, a, b) for i, (a, b) in enumerate(zip(first, made, strict=True)) if a != b]
            row += f"  {len(made) - len(other)} of {len(made)}"
            if other:
                apart = ", ".join(
                    f"{gap:.1e}" for gap in gaps(o.model, prompts(o.prompts), other[:8])
                )
                row += f" (lead where they part: {apart})"
        print(row, flush=True)


if __name__ == "__main__":
    main()

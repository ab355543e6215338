"""One optimizer step: what it costs here and with TRL's GRPOTrainer, on the same completions.

    python benchmarks/update.py MODEL                       # a model folder or a name on the hub
    python benchmarks/update.py MODEL --completions 16 64 --rounds 2
    python benchmarks/update.py MODEL --device cuda --dtype bfloat16

Groups of 8 completions, 16 to 512 tokens long (log-uniform), after prompts of 64 tokens; random
tokens, since the cost does not depend on what they say. Old log-probabilities are those of the
weights. Both train all weights with AdamW, DAPO's loss and entropy as a metric; the loss and the
gradient's norm are printed for both, and are the same.

Every measurement is a process of its own: memory is the largest resident set of that process (on a
GPU: the most that torch had allocated), libraries, weights, gradients and optimizer state included.
Time is that of losses, backward passes and the optimizer step, without loading. TRL's runs and ours
take turns. `trl 8` is TRL with micro-batches of 8, `+` with its default of recomputed activations;
`swr1 1024` is ours with --micro-tokens 1024.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GROUP, PROMPT, SHORTEST, LONGEST = 8, 64, 16, 512
PLANS = ["trl 8", "swr1 1024", "trl 2", "swr1 512", "trl 2+", "swr1 512+"]


class Watch:
    """Seconds by the clock, and of processor time over all threads (fairer on a busy machine)."""

    def start(self) -> None:
        self.begun = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        clock, processor = self.begun
        self.times = {
            "seconds": time.perf_counter() - clock,
            "cpu": time.process_time() - processor,
        }


def completions(n: int, vocab: int) -> list[dict]:
    """Scored records, without log-probabilities."""
    rng = random.Random(0)
    records = []
    for i in range(n):
        if i % GROUP == 0:
            prompt = [rng.randrange(vocab) for _ in range(PROMPT)]
        length = round(math.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST))))
        records.append(
            {
                "id": f"p{i // GROUP}",
                "sample": i % GROUP,
                "reward": rng.choice([0.0, 1.0]),
                "generation": {
                    "group": GROUP,
                    "sampling": {"temperature": 1.0, "max_tokens": LONGEST},
                    "prompt_ids": prompt,
                    "token_ids": [rng.randrange(vocab) for _ in range(length)],
                },
            }
        )
    return records


def score(records: list[dict], model_folder: str, device: str) -> None:
    """Put the weights' own log-probabilities into the records."""
    import torch

    from swr1.training import engine

    model = engine.load_model(model_folder, torch.device(device), torch.float32)
    for start in range(0, len(records), GROUP):
        some = [r["generation"] for r in records[start : start + GROUP]]
        examples = [
            engine.Example(
                torch.tensor(g["prompt_ids"] + g["token_ids"]),
                torch.arange(PROMPT, PROMPT + len(g["token_ids"])),
            )
            for g in some
        ]
        with torch.no_grad():
            logp, _ = engine.token_logprobs(model, examples)
        for g, part in zip(some, logp.split([len(e.targets) for e in examples]), strict=True):
            g["logprobs"] = part.tolist()


def ours(records: list[dict], o: argparse.Namespace) -> dict[str, Any]:
    """A step of train_rl as the command line makes it; it also writes the new version, which adds
    to the memory, not to the time."""
    import shutil

    from swr1.objectives.presets import get_preset
    from swr1.policy import Policy
    from swr1.training import rl
    from swr1.training.config import RLConfig

    step, watch = rl.rl_step, Watch()

    def timed(*arguments: Any, **options: Any) -> dict[str, Any]:
        watch.start()
        row = step(*arguments, **options)
        watch.stop()
        return row

    rl.rl_step = timed
    with tempfile.TemporaryDirectory() as home:
        policy = Policy(Path(home) / "p")
        policy.publish(lambda f: shutil.copytree(o.model, f, dirs_exist_ok=True), {})
        rows: list[dict] = []
        rl.train_rl(
            records,
            policy,
            RLConfig(
                objective=get_preset("dapo", overlong=0.0, filter_on="", eps=1e-4),
                batch=len(records) // GROUP,
                steps=1,
                micro_tokens=o.size,
                gradient_checkpointing=o.recompute,
                device=o.device,
                dtype=o.dtype,
            ),
            log=lambda _: None,
            on_step=rows.append,
        )
    return watch.times | {k: rows[0][k] for k in ("loss", "grad_norm")}


def trl(records: list[dict], o: argparse.Namespace) -> dict[str, Any]:
    """The same step by TRL's own loss on micro-batches padded as TRL pads them."""
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    made = [r["generation"] for r in records]
    steps = len(records) // o.size
    with tempfile.TemporaryDirectory() as home:
        config = GRPOConfig(
            output_dir=home,
            per_device_train_batch_size=o.size,
            gradient_accumulation_steps=steps,
            num_generations=GROUP,
            max_completion_length=LONGEST,
            loss_type="dapo",
            beta=0.0,
            epsilon_high=0.28,
            learning_rate=1e-6,
            gradient_checkpointing=o.recompute,
            bf16=o.dtype == "bfloat16",
            use_cpu=o.device == "cpu",
            model_init_kwargs={"dtype": "float32"},
            report_to=[],
        )
        trainer = GRPOTrainer(
            model=o.model,
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=config,
            train_dataset=Dataset.from_list([{"prompt": "the"}] * len(records)),
        )
    model, accelerator = trainer.model, trainer.accelerator
    model.to(o.device).train()
    trainer.current_gradient_accumulation_steps = steps
    optimizer = accelerator.prepare(trainer.create_optimizer())

    def padded(name: str, dtype: Any) -> Any:
        rows = [torch.tensor(g[name], dtype=dtype) for g in made]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(o.device)

    ids = padded("token_ids", torch.long)
    lengths = torch.tensor([len(g["token_ids"]) for g in made], device=o.device)
    rewards = torch.tensor([r["reward"] for r in records]).view(-1, GROUP)
    advantages = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
    prompts = padded("prompt_ids", torch.long)
    batch = {
        "prompt_ids": prompts,
        "prompt_mask": torch.ones_like(prompts),
        "completion_ids": ids,
        "completion_mask": (torch.arange(ids.shape[1], device=o.device) < lengths[:, None]).int(),
        "advantages": advantages.flatten().to(o.device),
        "old_per_token_logps": padded("logprobs", torch.float32),
    }
    watch, loss = Watch(), 0.0
    watch.start()
    for start in range(0, len(records), o.size):
        part = {k: v[start : start + o.size] for k, v in batch.items()}
        part["num_items_in_batch"] = lengths.sum()
        share = trainer.compute_loss(model, part)
        accelerator.backward(share)
        loss += float(share.detach())
    norm = accelerator.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    if o.device == "cuda":
        torch.cuda.synchronize()
    watch.stop()
    return watch.times | {"loss": loss, "grad_norm": float(norm)}


def measure(o: argparse.Namespace) -> None:
    """In a process of its own: one step, its result as a line of JSON."""
    import resource

    import torch

    torch.set_num_threads(o.threads)
    records = [json.loads(line) for line in Path(o.records).read_text().splitlines()]
    result = {"trl": trl, "swr1": ours}[o.who](records, o)
    if o.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(result | {"gib": peak}))


def run(plan: str, records: Path, o: argparse.Namespace) -> dict[str, Any]:
    who, size = plan.split()
    command = [sys.executable, __file__, o.model, "--who", who, "--records", str(records)]
    command += ["--size", size.rstrip("+"), *(["--recompute"] if size.endswith("+") else [])]
    command += ["--device", o.device, "--dtype", o.dtype, "--threads", str(o.threads)]
    # Threads that spin while they wait would measure whatever else the machine does.
    environment = os.environ | {"OMP_NUM_THREADS": str(o.threads), "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{plan} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--completions", type=int, nargs="+", default=[64])
    parser.add_argument("--plans", nargs="+", default=PLANS, metavar="'trl 8'")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    for name in ("--who", "--records"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--recompute", action="store_true", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if not Path(o.model).is_dir():
        from huggingface_hub import snapshot_download

        o.model = snapshot_download(o.model)
    if o.who:
        measure(o)
        return
    vocab = json.loads((Path(o.model) / "config.json").read_text())["vocab_size"]
    with tempfile.TemporaryDirectory() as home:
        for n in o.completions:
            records = completions(n, vocab)
            score(records, o.model, o.device)
            file = Path(home) / f"{n}.jsonl"
            file.write_text("".join(json.dumps(r) + "\n" for r in records))
            tokens = sum(len(r["generation"]["token_ids"]) for r in records)
            print(f"{n} completions, {tokens:,} tokens; {o.device}, {o.dtype}, {o.threads} threads")
            print(
                f"{'':10} {'seconds':>8} {'tokens/s':>9} {'CPU s':>8} {'GiB':>6} {'loss':>12} {'norm':>8}"
            )
            for plan in o.plans * o.rounds:
                r = run(plan, file, o)
                print(
                    f"{plan:10} {r['seconds']:8.1f} {tokens / r['seconds']:9.1f} {r['cpu']:8.1f}"
                    f" {r['gib']:6.2f} {r['loss']:12.8f} {r['grad_norm']:8.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

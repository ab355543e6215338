"""What guidance costs beside plain sampling of as many tokens: seconds of the processor, by part.

    python benchmarks/guidance.py MODEL PUZZLES.jsonl            # a model folder (runs/kk/latest), prompts
    python benchmarks/guidance.py MODEL PUZZLES.jsonl --candidates 2 8 --prompts 32

Three rows for each k: k plain samples of each prompt; `random`, one of k next steps by chance, which
has the controller's work and no scores; and `steps`, chosen by rules. The engine's share of a guided
row holds what restarting costs: each step reads its prefix again, and waits for the longest
candidate. `controller` is all that is neither engine nor scorer: building requests, joining ids,
keeping the best. All are in one process, in turns; the least of --runs counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
from contextlib import nullcontext
from pathlib import Path
from time import process_time
from typing import Any

from swr1.engines import Request, Sampling, open_engine
from swr1.engines.continuing import ContinuingEngine
from swr1.guidance.engine import GuidedEngine
from swr1.guidance.guide import load_guide
from swr1.guidance.options import GuideOptions
from swr1.guidance.scoring import open_scorer
from swr1.prompts import load_prompt


class Timed:
    """Counts the processor seconds of one method of another object."""

    def __init__(self, inner: Any, method: str) -> None:
        self.inner, self.method, self.seconds = inner, method, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return self._timed(found) if name == self.method else found

    def __call__(self, *args: Any) -> Any:
        return self._timed(self.inner)(*args)

    def _timed(self, call: Any) -> Any:
        def timed(*args: Any) -> Any:
            began = process_time()
            try:
                return call(*args)
            finally:
                self.seconds += process_time() - began

        return timed


def plain(engine: Any, requests: list[Request], k: int, sampling: Sampling) -> dict[str, Any]:
    """k samples of each prompt."""
    asked = [
        Request((r.key[0], 0, s), r.prompt_ids) for r, s in itertools.product(requests, range(k))
    ]
    began = process_time()
    made = engine.generate(asked, sampling)
    tokens = sum(len(c.token_ids) for c in made)
    return {"total": process_time() - began, "tokens": tokens, "candidates": len(made)}


def guided(
    engine: Any, requests: list[Request], k: int, sampling: Sampling, rules: str | None
) -> dict[str, Any]:
    """The best of k next steps, again and again."""
    guide = load_guide(rules) if rules else None
    options = GuideOptions(guide=rules, guide_method="greedy" if rules else "random", candidates=k)
    timed = Timed(ContinuingEngine(engine), "generate")
    with open_scorer(guide) if guide else nullcontext() as opened:
        scorer = Timed(opened, "")
        controller = GuidedEngine(timed, options, guide, scorer if guide else None)
        began = process_time()
        completions = controller.generate(requests, sampling)
        total = process_time() - began
    score = scorer.seconds
    facts = [c.facts for c in completions]
    return {
        "total": total,
        "engine": timed.seconds,
        "scorer": score,
        "controller": total - timed.seconds - score,
        "tokens": sum(f["guided"]["spent"] for f in facts),
        "candidates": sum(len(f["candidates"]) for f in facts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("prompts_file", type=Path)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--candidates", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--system-prompt", default="logic-rl-terse")
    parser.add_argument("--runs", type=int, default=2)
    o = parser.parse_args()
    engine = open_engine("hf", o.model, threads=1)
    records = [json.loads(line) for line in o.prompts_file.read_text().splitlines()[: o.prompts]]
    prompt = load_prompt(o.system_prompt)
    requests = [
        Request(
            (r["id"], 0, 0),
            engine.request((r["id"], 0, 0), r["prompt"], prompt).prompt_ids,
            about=r,
        )
        for r in records
    ]
    sampling = Sampling(temperature=1.0, max_tokens=o.max_tokens, seed=7)
    print("| k | what | tokens | candidates | us a token | engine | scorer | controller |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for k in o.candidates:
        ways = {
            "plain samples": lambda k=k: plain(engine, requests, k, sampling),
            "random": lambda k=k: guided(engine, requests, k, sampling, None),
            "steps": lambda k=k: guided(engine, requests, k, sampling, "steps"),
        }
        runs: dict[str, list[dict]] = {name: [] for name in ways}
        for _ in range(o.runs):
            for name, way in ways.items():
                runs[name].append(way())
        for name, found in runs.items():
            best = min(found, key=lambda row: row["total"])
            shares = [
                f"{100 * best[part] / best['total']:.1f}%" if part in best else ""
                for part in ("engine", "scorer", "controller")
            ]
            each = 1e6 * best["total"] / best["tokens"]
            print(
                f"| {k} | {name} | {best['tokens']:,} | {best['candidates']:,} | {each:.0f} |",
                " | ".join(shares),
                "|",
            )


if __name__ == "__main__":
    main()

"""Refusing, told by keywords and by the rules of `refusal`, against people's labels.

    swr1 load xstest xstest_v2_completions_llama2new.csv -o llama2.jsonl
    swr1 load xstest xstest_v2_completions_mistralinstruct.csv -o mistral.jsonl
    python benchmarks/refusal.py llama2.jsonl mistral.jsonl
    python benchmarks/refusal.py --unseen 0.4 llama2.jsonl mistral.jsonl

The files are records with `completion`, `prompt` and `info.label` (compliance, partial, refusal).
Nothing is learned here. The rules were written with the completions of 60% of XSTest's prompts in
view, of two models; `--unseen 0.4` measures on the other 40% alone, which nobody looked at.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from _judges import OPENING, certain, figures, records_of, refuses

from swr1.training.held_out import is_held_out
from swr1.verifiers.builtin.refusal import LABELS, asked, classify

HEAD = "| | accuracy (95%) | macro-F1 | F1: compliance, partial, refusal | refuses or not |\n| --- | --- | --- | --- | --- |"


def read(file: Path, unseen: float) -> list[dict[str, Any]]:
    """Records of a file, or those of the prompts that were kept from view."""
    records = records_of(file)
    return [r for r in records if unseen >= 1 or is_held_out(f"dev{asked(r)}", unseen)]


def ways(records: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """What each way of judging says [N], as a number of LABELS."""
    texts = [r["completion"] for r in records]
    begun = time.process_time()
    rules = [classify(t, asked(r))[0] for t, r in zip(texts, records, strict=True)]
    spent = time.process_time() - begun
    print(
        f"{len(records)} completions; `refusal`: {len(records) / spent:,.0f} a second of one core"
    )
    return {
        "keywords anywhere": 2 * refuses(texts),
        f"keywords in {OPENING} characters": 2 * refuses(texts, OPENING),
        "`refusal`": np.array([LABELS.index(name) for name in rules]),
    }


def row(name: str, guess: np.ndarray, y: np.ndarray, keys: list[str]) -> str:
    told = figures(certain(guess, 3), y, keys, list(LABELS))
    low, high = told["accuracy_interval"]
    each = ", ".join(f"{told['per_class'][label]['f1']:.2f}" for label in LABELS)
    either = ((guess > 0) == (y > 0)).mean()
    return (
        f"| {name} | {told['accuracy']:.3f} ({low:.3f} to {high:.3f}) | {told['macro_f1']:.3f}"
        f" | {each} | {either:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--unseen", type=float, default=1.0, help="share of the prompts [1: all]")
    args = parser.parse_args()
    for file in args.files:
        records = read(file, args.unseen)
        y = np.array([LABELS.index(r["info"]["label"]) for r in records])
        print(
            f"\n{file.name}: {dict(zip(LABELS, np.bincount(y, minlength=3).tolist(), strict=True))}"
        )
        found = ways(records)
        print(f"\n{HEAD}")
        for name, guess in found.items():
            print(row(name, guess, y, [asked(r) for r in records]))
        table = np.zeros((3, 3), int)
        np.add.at(table, (y, found["`refusal`"]), 1)
        print(f"\nconfusion of `refusal` (rows: people): {table.tolist()}")


if __name__ == "__main__":
    main()

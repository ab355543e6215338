"""Refusing, told by keywords, by rules, and by models trained on one policy's completions.

    python benchmarks/refusal.py llama2.jsonl mistral.jsonl --encoder all-MiniLM-L6-v2/
    python benchmarks/refusal.py labelled.jsonl --encoder all-MiniLM-L6-v2/ --save refusal.npz
    swr1 verify refusal answers.jsonl --set refusal.model=refusal.npz

The files are records with `completion`, `prompt` and `info.label` (compliance, partial, refusal), as
`swr1 load xstest FILE.csv` makes them; the encoder is a folder of any BERT-like sentence encoder.

With two files, each way of judging learns from one and is measured on the other. The two have the
same prompts, so the prompts are dealt into ten folds: what judges a fold never saw its prompts.
`--save` trains on all that is given.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _judges import HEAD, OPENING, certain, figures, records_of, refuses, row

from swr1.verifiers import _refusal_model as model
from swr1.verifiers._text import prompt_text
from swr1.verifiers.refusal import LABELS, classify

FOLDS = 10
Judge = Callable[[dict, np.ndarray, dict, np.ndarray], np.ndarray]


def read(file: Path, encoder: model.Encoder) -> dict[str, Any]:
    """Labels [N], prompts' texts, features [N, F] and baseline answers of a file."""
    records = records_of(file)
    texts = [record["completion"] for record in records]
    prompts = [prompt_text(record) for record in records]
    return {
        "y": np.array([LABELS.index(record["info"]["label"]) for record in records]),
        "prompt": prompts,
        "keywords": 2 * refuses(texts),
        "opening": 2 * refuses(texts, OPENING),
        "rules": np.array(
            [LABELS.index(classify(t, p)[0]) for t, p in zip(texts, prompts, strict=True)]
        ),
        "x": model.features(encoder, texts, prompts),
    }


def fixed(name: str) -> Judge:
    """A judge that learns nothing: all but certain of its label."""

    def judge(_: dict, __: np.ndarray, other: dict, some: np.ndarray) -> np.ndarray:
        return certain(other[name][some], 3)

    return judge


def baseline(data: dict, rows: np.ndarray, other: dict, some: np.ndarray) -> np.ndarray:
    """Logistic regression on the embedding of the whole completion."""
    from sklearn.linear_model import LogisticRegression

    width = (data["x"].shape[1] - SIGNS) // 3
    learned = LogisticRegression(max_iter=3000).fit(data["x"][rows, -width:], data["y"][rows])
    found = np.zeros((len(some), 3))  # what was not learned from has no chance
    found[:, learned.classes_] = learned.predict_proba(other["x"][some, -width:])
    return found


def two_questions(columns: slice) -> Judge:
    def judge(data: dict, rows: np.ndarray, other: dict, some: np.ndarray) -> np.ndarray:
        weights = model.fit(data["x"][rows, columns], data["y"][rows])
        return model.probabilities(weights, other["x"][some, columns])

    return judge


SIGNS = len(model.signs("", ""))
WAYS: dict[str, Judge] = {
    "keywords anywhere": fixed("keywords"),
    "keywords in 200 characters": fixed("opening"),
    "rules (`refusal`)": fixed("rules"),
    "embedding, logistic regression": baseline,
    "two questions, embeddings": two_questions(slice(SIGNS, None)),
    "two questions, signs": two_questions(slice(SIGNS)),
    "two questions, signs and embeddings": two_questions(slice(None)),
}


def across(way: Judge, data: dict, other: dict) -> dict[str, Any]:
    """The figures of a way that learns from `data` on `other`, no prompt on both sides."""
    prompts = sorted(set(other["prompt"]))
    fold_of = dict(zip(prompts, np.random.default_rng(0).permutation(len(prompts)), strict=True))
    mine, theirs = (
        np.array([fold_of.get(p, -1) % FOLDS for p in d["prompt"]]) for d in (data, other)
    )
    found = np.zeros((len(other["y"]), 3))
    for fold in range(FOLDS):
        some = np.flatnonzero(theirs == fold)
        found[some] = way(data, np.flatnonzero(mine != fold), other, some)
    return figures(found, other["y"], other["prompt"], list(LABELS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    encoder = model.Encoder(args.encoder)
    data = [read(file, encoder) for file in args.files]
    if len(data) == 2:
        for learn, test in ((0, 1), (1, 0)):
            print(f"\nlearned from {args.files[learn].name}, measured on {args.files[test].name}\n")
            print(HEAD)
            for name, way in WAYS.items():
                told = across(way, data[learn], data[test])
                print(row(name, told))
            print(f"\nconfusion of the last: {told['confusion']}")
    if args.save:
        x, y = (np.concatenate([d[name] for d in data]) for name in ("x", "y"))
        model.save(args.save, model.fit(x, y), args.encoder)
        print(f"\n{args.save}: trained on {len(y)} completions")


if __name__ == "__main__":
    main()

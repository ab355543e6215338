"""Is a response safe? A keyword list, embeddings with logistic regression, and guards trained by swr1.

    swr1 load jailbreakbench artifacts.jsonl --set answered=true -o jbb.jsonl
    swr1 train-step guard jbb.jsonl --policy guard --start all-MiniLM-L6-v2/ --labels safe,unsafe \
      --held-out 0.3 --split-by info.index,id --prompt-tokens 32
    python benchmarks/safety.py jbb.jsonl --encoder all-MiniLM-L6-v2/ --guard guard

XSTest's completions (`swr1 load xstest xstest_v2_completions_*.csv --set labels=safety`) may be in the
same file, and then there are needless refusals too; or in another, for `--transfer`.

All ways are measured on the same held-out behaviours (JailbreakBench) and prompts (XSTest): those
that `train-step guard --held-out 0.3 --split-by info.index,id` holds out. Whatever learns saw none of
their completions; a guard of another split is refused.

`--without info.model=NAME` (or `info.attack=NAME`) learns from the other models' completions of the
training side and measures on NAME's of the held-out side. `--pairs` asks the same ways about HH-RLHF,
which none has seen: in how many pairs is P(unsafe) lower for what people preferred?

`--across info.attack,info.dataset` leaves out one source after the other, and measures on it what
the others taught: is the order right there (AUROC), and is the threshold? It is set as it was learned,
or calibrated across sources: on predictions for each other source by what the rest taught. `--safe
FILE` adds safe answers to learn from, never measured on. With `--guard` guards are measured instead, on
the sources that their cards do not name, calibrated as they were trained; with `--aside FILE` on all
that they did not learn from, each calibrated on the other sources of that file. `--learned FILE`, what
a guard learned from, sets logistic regression on the same beside it.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _across import across, of_embeddings, refuse_shared, trained, unseen
from _judges import HEAD, Encoder, certain, figures, records_of, refuses, row

from swr1.errors import UsageError
from swr1.training import engine, heads
from swr1.training.classifier import split_key
from swr1.training.config import GuardConfig
from swr1.training.held_out import accuracy, is_held_out, softmax
from swr1.training.pairs import pairs
from swr1.verifiers.completions.text import prompt_text

GUARD_LABELS = GuardConfig.labels
SAFE, UNSAFE, _ = range(len(GUARD_LABELS))
PROMPT_TOKENS = 48
PUBLISHED = "jailbroken_llama_guard1"
Way = Callable[[list[dict]], np.ndarray]  # records -> probabilities [N, 3], NaN: cannot judge


def value_at(record: dict, field: str) -> Any:
    for name in field.split("."):
        record = record.get(name, {})
    return record


def sides(
    records: Sequence[dict], held_out: float, split_by: str, without: str | None
) -> tuple[list[dict], list[dict]]:
    """What is learned from, and what is measured on. `without`: FIELD=VALUE, or None."""
    aside = [is_held_out(split_key(r, split_by), held_out) for r in records]
    field, _, value = (without or "").partition("=")
    other = [bool(field) and str(value_at(r, field)) == value for r in records]
    if field and not any(other):
        raise UsageError(f"no record has {without}")
    learn = [r for r, a, o in zip(records, aside, other, strict=True) if not (a or o)]
    test = [r for r, a, o in zip(records, aside, other, strict=True) if a and (o or not field)]
    return learn, test


def keywords(records: list[dict]) -> np.ndarray:
    """What refuses is safe, all else is not."""
    said = refuses([r["completion"] for r in records])
    return certain(np.where(said, SAFE, UNSAFE), 3)


class Embeddings:
    """Sentence embeddings of texts, each computed once, or kept in a file. Of prompts the two ends
    are read."""

    def __init__(self, folder: str, file: Path | None) -> None:
        self.encoder, self.file = Encoder(folder), file
        self.tokenizer = heads.open_tokenizer(folder)
        self.known: dict[str, np.ndarray] = {}
        if file and file.exists():
            with np.load(file) as kept:
                self.known = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))

    def __call__(self, records: list[dict], *, with_prompt: bool) -> np.ndarray:
        """Of the responses [N, width], with their prompts [N, 2 width]."""
        parts = [self._of([r["completion"] for r in records])]
        if with_prompt:
            whole = [prompt_text(r) for r in records]
            parts.append(
                self._of([heads.without_middle(self.tokenizer, t, PROMPT_TOKENS) for t in whole])
            )
        return np.hstack(parts)

    def _of(self, texts: list[str]) -> np.ndarray:
        new = sorted(set(texts) - self.known.keys(), key=len)
        for at in range(0, len(new), 256):
            some = new[at : at + 256]
            self.known |= dict(zip(some, self.encoder(some), strict=True))
            if self.file:
                np.savez(self.file, texts=list(self.known), vectors=[*self.known.values()])
        return np.stack([self.known[t] for t in texts])


def regression(embed: Embeddings, learn: list[dict], *, with_prompt: bool) -> Way:
    """Logistic regression on embeddings of the response, or of prompt and response.

    Its regularisation is chosen on the training side, in folds that share no behaviour or prompt.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold

    search = GridSearchCV(
        LogisticRegression(max_iter=1000), {"C": [1, 10, 100]}, cv=GroupKFold(3)
    ).fit(embed(learn, with_prompt=with_prompt), labels_of(learn), groups=[r["key"] for r in learn])

    def way(records: list[dict]) -> np.ndarray:
        found = np.zeros((len(records), 3))
        p = search.predict_proba(embed(records, with_prompt=with_prompt))
        found[:, search.best_estimator_.classes_] = p
        return found

    return way


def guard(folder: str, split: str, learn: list[dict]) -> Way:
    """A guard by swr1, as its logits have it (no temperature). Raises UsageError for another split."""
    judge = heads.open_judge(folder)
    how, count = judge.facts["split"], judge.facts["trained_on"]["items"]
    if how != split or count != len(learn):
        raise UsageError(
            f"{folder} held out {how} and learned from {count}; here it is {split} and {len(learn)}"
        )
    limit = engine.context_length(judge.folder)

    def way(records: list[dict]) -> np.ndarray:
        found = np.full((len(records), 3), np.nan)
        sizes = [len(heads.encode(judge.tokenizer, r["prompt"], r["completion"])) for r in records]
        some = [i for i, size in enumerate(sizes) if size <= limit]
        found[some] = 0.0
        p = softmax(judge.logits([records[i] for i in some]))
        found[np.ix_(some, [GUARD_LABELS.index(name) for name in judge.labels])] = p
        return found

    return way


def labels_of(records: list[dict]) -> np.ndarray:
    return np.array([GUARD_LABELS.index(r["info"]["label"]) for r in records])


def parts_of(records: list[dict]) -> dict[str, np.ndarray]:
    """Rows of each data set, and of its harmful and harmless prompts apart where it has both."""
    info = [r["info"] for r in records]
    source = np.array([i["dataset"] for i in info])
    harmful = np.array([i["harmful"] for i in info])
    found = {}
    for name in dict.fromkeys(source):
        found[name] = source == name
        if len(set(harmful[source == name])) == 2:
            found[f"{name}, harmful prompts"] = (source == name) & harmful
            found[f"{name}, harmless prompts"] = (source == name) & ~harmful
    return found


def tables(ways: dict[str, Way], records: list[dict]) -> None:
    """Three labels over all where they occur, and two (unsafe or not) on each part."""
    told = {name: way(records) for name, way in ways.items()}
    y, keys = labels_of(records), [r["key"] for r in records]
    known = ~np.any([np.isnan(p).any(1) for p in told.values()], axis=0)
    print(f"{len(records)} completions ({(~known).sum()} too long for a guard, left out)")
    if len(set(y)) == len(GUARD_LABELS):
        rows = np.flatnonzero(known)
        print(f"\nthree labels: {_counts(y[rows])}\n\n{HEAD}")
        for title, p in told.items():
            found = figures(p[rows], y[rows], [keys[i] for i in rows], GUARD_LABELS)
            print(row(title, found), found["confusion"])
    for name, part in parts_of(records).items():
        rows = np.flatnonzero(known & part)
        mine = [keys[i] for i in rows]
        print(f"\n{name}, unsafe or not: {_counts(y[rows])}\n\n{HEAD}")
        scores = {title: p[rows, UNSAFE] for title, p in told.items()}
        if all(PUBLISHED in records[i]["info"] for i in rows):
            said = np.array([int(records[i]["info"][PUBLISHED]) for i in rows])
            scores["Llama Guard 1 (published column)"] = certain(said, 2)[:, 1]
        for title, unsafe in scores.items():
            found = two_labels(unsafe, y[rows], mine)
            print(row(title, found), found["confusion"])


def _counts(y: np.ndarray) -> dict[str, int]:
    return dict(Counter(GUARD_LABELS[k] for k in y))


def two_labels(unsafe: np.ndarray, y: np.ndarray, keys: Sequence[str]) -> dict:
    p = np.stack([1 - unsafe, unsafe], axis=1)
    return figures(p, (y == UNSAFE).astype(int), keys, ("not unsafe", "unsafe"))


def preferred(ways: dict[str, Way], file: Path) -> None:
    """The share of pairs in which what people preferred is the less unsafe one; a tie is half."""
    found = list(pairs(records_of(file), Counter()))
    better, worse = [b for _, b, _ in found], [w for _, _, w in found]
    print(f"\n{file.name}: {len(found)} pairs\n\n| | pairs in order | 95% | of pairs |")
    print("| --- | --- | --- | --- |")
    for title, way in ways.items():
        gap = way(worse)[:, UNSAFE] - way(better)[:, UNSAFE]
        gap = gap[~np.isnan(gap)]
        right = (np.sign(gap) + 1) / 2
        told = accuracy(right, list(map(str, range(len(right)))))
        low, high = told["accuracy_interval"]
        print(f"| {title} | {told['accuracy']:.3f} | {low:.3f} to {high:.3f} | {len(gap)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--embeddings", type=Path, help="where they are kept, an .npz")
    parser.add_argument("--guard", action="append", default=[])
    parser.add_argument("--held-out", type=float, default=0.3)
    parser.add_argument("--split-by", default="info.index,id")
    parser.add_argument("--without", metavar="FIELD=VALUE")
    parser.add_argument("--transfer", type=Path, help="records of another set, all measured on")
    parser.add_argument("--pairs", type=Path, help="records of HH-RLHF")
    parser.add_argument("--across", metavar="FIELD", help="leave out one source after the other")
    parser.add_argument("--aside", type=Path, help="records to calibrate guards on, for --across")
    parser.add_argument("--learned", type=Path, help="what a guard learned from, for --across")
    parser.add_argument("--safe", type=Path, help="safe answers to learn from, for --across")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    records = records_of(args.file)
    if args.across:
        safe = records_of(args.safe) if args.safe else []
        embed = Embeddings(args.encoder, args.embeddings)
        if not args.guard and not args.learned:
            across(embed, records, safe, args.across)
        aside = records_of(args.aside) if args.aside else []
        learned = records_of(args.learned) if args.learned else []
        refuse_shared(records, aside + learned, args.split_by)
        judges = {f"guard {Path(folder).name}": trained(folder) for folder in args.guard}
        if learned:
            judges["embeddings, LR"] = of_embeddings(embed, learned, args.across)
        for title, judge in judges.items():
            unseen(title, judge, records, aside, args.across)
        return
    for r in records:
        r["key"] = split_key(r, args.split_by)
    learn, test = sides(records, args.held_out, args.split_by, args.without)
    embed = Embeddings(args.encoder, args.embeddings)
    ways: dict[str, Way] = {
        "keywords: refuses, or unsafe": keywords,
        "embedding of the response, LR": regression(embed, learn, with_prompt=False),
    }
    if len({r["info"]["harmful"] for r in learn}) == 2:  # else the prompt says nothing of the label
        ways["embeddings of both, LR"] = regression(embed, learn, with_prompt=True)
    split = f"{args.held_out:g} by hash of {args.split_by}"
    for folder in args.guard:
        ways[f"guard {Path(folder).name}"] = guard(folder, split, learn)
    print(f"learned from {len(learn)}: {dict(Counter(r['info']['label'] for r in learn))}")
    tables(ways, test)
    if args.transfer:
        other = records_of(args.transfer)
        for r in other:
            r["key"] = split_key(r, args.split_by)
        print(f"\n{args.transfer.name}, which nothing learned from:")
        tables(ways, other)
    if args.pairs:
        preferred(ways, args.pairs)


if __name__ == "__main__":
    main()

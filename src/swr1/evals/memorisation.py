"""Reasoned or known by heart? Accuracy on puzzles against the same puzzles a little changed.

    swr1 perturb leaf names test.jsonl --with-original | swr1 rollout ... | swr1 verify knights \\
      | swr1 eval --memorisation

The measure is the local inconsistency-based memorisation score of Xie et al., "On Memorization of
Large Language Models in Logical Reasoning" (2024), section 2.1: LiMem = Acc * (1 - CR). Acc is the
accuracy on the original puzzles; CR, the consistency ratio, is the share of the solved puzzles
whose perturbed twin is solved too. With one sample each, LiMem is thus the share of all puzzles
that are solved while their twin is not.

With several samples, each judged sample of a puzzle is paired with each of its twin, and shares
are of these pairs: with equal numbers of samples LiMem is the mean over puzzles of p * (1 - q),
where p and q are the shares of right samples of the puzzle and of its twin. (Both are drawn
independently, so this estimates the chance of right, then wrong, without bias.)

Intervals are Wilson's with the puzzle as the unit, see `stats.clustered_wilson`. A perturbed
puzzle whose original was not judged, or the reverse, is counted and named, never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

from rich.console import RenderableType
from rich.markup import escape

from swr1.evals.keys import prompt_id
from swr1.evals.metrics import Item, Summariser, by_number
from swr1.evals.report import as_page, cautions, describe, joined, new_table, percent, span
from swr1.evals.stats import clustered_wilson
from swr1.records import Record

Share = dict[str, Any]  # {"share": 0..1 or None, "interval": [low, high] or None, 95%}


_UNREAD = ("unread_original", "unread_perturbed")
_MORE_UNREAD = (
    0.05  # share of answers from which the page says that more of the twins could not be read
)


class Twins(TypedDict):
    """The figures of pairs of puzzle and perturbed twin: of one kind, or of one size of it."""

    puzzles: int  # pairs in which both were judged
    samples: int  # judged samples of the originals in them
    original: Share  # accuracy on the originals
    perturbed: Share  # accuracy on their twins
    unread_original: Share  # of the originals: could not be read, which counts as wrong
    unread_perturbed: Share  # of their twins
    consistency: Share  # CR; None where no original was solved
    limem: Share


class Kind(TypedDict):
    changes_solution: bool
    all: Twins
    groups: dict[str, Twins]  # by size, in rising order
    without_original: list[str]  # ids of perturbed puzzles whose original is not here
    without_twin: list[str]  # ids of originals (of some kind) that have none of this kind
    unjudged: list[str]  # ids of perturbed puzzles: they or their originals have null verdicts only


class Memorisation(TypedDict):
    by: str
    run: str  # whose completions these are
    beware: list[str]  # warnings about what would mislead the reader
    originals: int  # puzzles that some perturbed one here is linked to
    others: int  # puzzles neither perturbed nor linked to: not used
    kinds: dict[str, Kind]


class Memory:
    """Collects the figures of one policy, decoded one way, on originals and perturbed puzzles together.

    `info.perturbed` links them. Arguments and errors are those of metrics.Summariser.
    """

    def __init__(self, by: str | None = None, verdict: str | None = None) -> None:
        self._summariser = Summariser(by, verdict)
        self._links: dict[str, dict[str, Any]] = {}

    def add(self, record: Record) -> None:
        if link := (record.get("info") or {}).get("perturbed"):
            self._links[prompt_id(record)] = link
        self._summariser.add(record)

    def figures(self) -> Memorisation:
        summary, links = self._summariser.summary(), self._links
        items = summary["items"]
        twins: dict[str, dict[str, str]] = {}  # kind -> perturbed id -> original id
        changes: dict[str, bool] = {}
        for id_ in sorted(links):
            kind = str(links[id_].get("kind"))
            twins.setdefault(kind, {})[id_] = str(links[id_].get("of"))
            changes[kind] = bool(links[id_].get("changes_solution"))
        originals = {of for pairs in twins.values() for of in pairs.values()} & items.keys()
        order = sorted(twins, key=lambda kind: (not changes[kind], kind))
        return {
            "by": summary["by"],
            "run": describe(summary),
            "beware": cautions({"": summary}),
            "originals": len(originals),
            "others": len(items.keys() - links.keys() - originals),
            "kinds": {k: _kind(twins[k], items, originals, changes[k]) for k in order},
        }


def memorisation(
    judged: Iterable[Record], by: str | None = None, verdict: str | None = None
) -> Memorisation:
    """The figures of judged records, in any order, read once."""
    memory = Memory(by, verdict)
    for record in judged:
        memory.add(record)
    return memory.figures()


def _kind(
    twins: Mapping[str, str], items: Mapping[str, Item], originals: set[str], changes: bool
) -> Kind:
    pairs: dict[str, list[tuple[Item, Item]]] = {}
    lost, unjudged = [], []
    for twin, of in twins.items():
        if of not in items:
            lost.append(twin)
        elif not (items[of]["judged"] and items[twin]["judged"]):
            unjudged.append(twin)
        else:
            pairs.setdefault(items[of]["group"], []).append((items[of], items[twin]))
    return {
        "changes_solution": changes,
        "all": twin_figures([pair for group in pairs.values() for pair in group]),
        "groups": {name: twin_figures(pairs[name]) for name in sorted(pairs, key=by_number)},
        "without_original": lost,
        "without_twin": sorted(originals - set(twins.values())),
        "unjudged": unjudged,
    }


def twin_figures(pairs: Iterable[tuple[Item, Item]]) -> Twins:
    """The figures of (original, perturbed) pairs, each with at least one judged sample."""
    pairs = list(pairs)
    both = [a["judged"] * b["judged"] for a, b in pairs]  # pairs of samples
    solved = [a["correct"] * b["judged"] for a, b in pairs]
    twin_solved = [a["judged"] * b["correct"] for a, b in pairs]
    consistent = [a["correct"] * b["correct"] for a, b in pairs]
    inconsistent = [s - c for s, c in zip(solved, consistent, strict=True)]
    return {
        "puzzles": len(pairs),
        "samples": sum(a["judged"] for a, _ in pairs),
        "original": share_of(solved, both),
        "perturbed": share_of(twin_solved, both),
        "unread_original": share_of([a["unreadable"] * b["judged"] for a, b in pairs], both),
        "unread_perturbed": share_of([b["unreadable"] * a["judged"] for a, b in pairs], both),
        "consistency": share_of(consistent, solved),
        "limem": share_of(inconsistent, both),
    }


def share_of(part: list[int], whole: list[int]) -> Share:
    total = sum(whole)
    interval = clustered_wilson(part, whole)
    return {
        "share": sum(part) / total if total else None,
        "interval": list(interval) if interval else None,
    }


def report(runs: Mapping[str, Memorisation]) -> RenderableType:
    """Under each kind a row per group, or, for several runs, a row per run."""
    several = len(runs) > 1
    cells = [kind["all"] for run in runs.values() for kind in run["kinds"].values()]
    unread = any(c[side]["share"] for c in cells for side in _UNREAD)  # type: ignore[literal-required]
    table = new_table()
    table.add_column(f"kind\n  {'run' if several else next(iter(runs.values()))['by']}")
    heads: dict[
        str, tuple[str, bool]
    ] = {  # the figure, its column's name, whether its interval stands beside it
        "original": ("right:\noriginal", False),
        "perturbed": ("per-\nturbed", False),
    }
    if unread:
        heads |= {
            "unread_original": ("unread:\noriginal", False),
            "unread_perturbed": ("per-\nturbed", False),
        }
    heads |= {"consistency": ("\nCR", True), "limem": ("\nLiMem", True)}
    table.add_column("\npuzzles", justify="right", no_wrap=True)
    for head, with_interval in heads.values():
        for text in [head, "\n95%"] if with_interval else [head]:
            table.add_column(text, justify="right", no_wrap=True)
    for name, cell in _several_runs(runs) if several else _one_run(*runs.values()):
        row = [escape(name), str(cell["puzzles"]) if cell else ""]
        for figure, (_, with_interval) in heads.items() if cell else ():
            share: Share = cell[figure]  # type: ignore[literal-required, index]
            row += [percent(share["share"])] + [span(share["interval"])] * with_interval
        table.add_row(*row, style="" if name.startswith(" ") else "bold")
    titles = [
        joined([name, *run["run"].replace("\n", " · ").split(" · ")]) for name, run in runs.items()
    ]
    notes = [
        f"{name}: {line}" if name and several else line
        for name, run in runs.items()
        for line in [*_unequal(run), *_unpaired(run), *run["beware"]]
    ]
    return as_page("\n".join(titles), [table], list(dict.fromkeys(notes)))


def _unequal(run: Memorisation) -> Iterator[str]:
    """Kinds whose answers could be read less often than those to the originals: no sign of memory."""
    for kind, of in run["kinds"].items():
        before, after = (of["all"][side]["share"] or 0.0 for side in _UNREAD)  # type: ignore[literal-required]
        if after - before >= _MORE_UNREAD:
            yield (
                f"{kind}: {percent(after)}% of the answers to the perturbed puzzles could not be read,"
                f" {percent(before)}% of those to the originals. LiMem counts them as wrong: look whether"
                " the model knows the words of the prompts and keeps the form before it is said to know"
                " puzzles by heart"
            )


def _one_run(run: Memorisation) -> Iterator[tuple[str, Twins | None]]:
    for kind, of in run["kinds"].items():
        yield kind, of["all"]
        if len(of["groups"]) > 1:
            yield from ((f"  {size}", cell) for size, cell in of["groups"].items())


def _several_runs(runs: Mapping[str, Memorisation]) -> Iterator[tuple[str, Twins | None]]:
    for kind in dict.fromkeys(kind for run in runs.values() for kind in run["kinds"]):
        yield kind, None
        for name, run in runs.items():
            if kind in run["kinds"]:
                yield f"  {name}", run["kinds"][kind]["all"]


def _unpaired(run: Memorisation) -> Iterator[str]:
    """What could not be paired, by kind."""
    if not run["kinds"]:
        yield "no perturbed puzzle among these; `swr1 perturb` makes them"
    for kind, of in run["kinds"].items():
        if twinless := of["without_twin"]:
            yield f"{kind}: originals without a perturbed puzzle of this kind: {len(twinless)}"
        if lost := of["without_original"]:
            yield f"{kind}: left out, their originals are not here: {_named(lost)}"
        if nulls := of["unjudged"]:
            yield f"{kind}: left out, not judged on both sides: {_named(nulls)}"
    if run["others"] and run["kinds"]:
        yield f"left out, with no perturbed puzzle of any kind: {run['others']}"


def _named(ids: list[str]) -> str:
    return f"{len(ids)} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})"

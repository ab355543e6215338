"""How many groups will teach nothing: the share without signal, before GPU hours are spent.

A group whose samples all have one reward has advantages of zero: its samples were generated for
nothing. From k samples per prompt this estimates the share of such groups, for groups of n:

- n <= k, unbiased: of the C(k, n) ways to choose n of the k samples, the share in which all are
  alike, sum over rewards v of C(c_v, n) / C(k, n) where c_v samples had reward v (hypergeometric);
- n > k, fitted: counts by reward are Dirichlet-multinomial within a cell of equal difficulty (with
  two rewards: beta-binomial), by maximum likelihood, and the chance that n samples are alike is
  the sum over v of prod(i < n) (a_v + i) / (a + i), with a = sum of a_v.

Intervals are 95% of a bootstrap over prompts. Since more samples per prompt always give fewer
useful groups per sample (1 - p^n - (1 - p)^n is concave in n), and always a better baseline, n is
chosen by `worth`: useful groups per 1,000 samples times (n - 1) / n. The factor is one over the
variance that estimating the baseline from the n - 1 others adds to an advantage (RLOO: Kool et al.
2019), so a useful group counts as much as its baseline is good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import comb
from typing import Any, TypedDict

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from swr1.errors import DataError, UsageError
from swr1.evals.metrics import by_number
from swr1.evals.stats import wilson
from swr1.records import Record, key

SIZES = (2, 4, 8, 16)
RESAMPLES = 200
_LOG_BOUND = 12.0  # of ln a_v: beyond it the samples of a prompt all agree, or are independent


class Signal(TypedDict):
    """What groups of n samples would give. Shares are 0..1."""

    no_signal: float
    interval: list[float]  # 95%
    fitted: bool  # extrapolated from fewer samples than n
    useful_per_1000: float  # groups with signal, per 1,000 samples
    worth: float  # the same, weighted by (n - 1) / n


class Cell(TypedDict):
    prompts: int
    samples: int
    unjudged: int  # samples without a reward or verdict, left out
    k: float  # samples per prompt, mean
    mean: float  # reward, or share right
    sizes: dict[str, Signal]  # n -> ...; empty where no prompt has two samples
    best: int | None  # the n of the greatest worth


class Estimate(TypedDict):
    by: str
    value: str  # "reward" or "correct"
    groups: dict[str, Cell]
    all: Cell


def estimate(
    judged: Iterable[Record],
    by: str = "people",
    value: str | None = None,
    sizes: Sequence[int] = SIZES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """The expected share of groups without signal, by difficulty.

    Args:
        judged: records with a reward or a verdict, several samples per (id, epoch).
        by: the key of `info` that makes a cell.
        value: "reward", or "correct" for the verdict named like the task; None: the reward where
            the first record has one.
        sizes: group sizes to report. resamples: of the bootstrap.

    Raises DataError for no records, a record without what is counted, or one sample per prompt.
    """
    if value not in (None, "reward", "correct"):
        raise UsageError(f"what is compared is reward or correct, not {value!r}")
    if not sizes or min(sizes) < 2:
        raise UsageError("a group that can have signal has at least 2 samples")
    cells: dict[str, _Tally] = {}
    for record in judged:
        value = value or ("reward" if "reward" in record else "correct")
        name = (record.get("info") or {}).get(by)
        tally = cells.setdefault("-" if name is None else str(name), _Tally())
        tally.add(record, _value(record, value))
    if not cells:
        raise DataError("no records: give rollouts that were judged (`swr1 verify`, `swr1 reward`)")
    names = sorted(cells, key=by_number)
    answers = [cells[name].cell(sizes, resamples, seed) for name in names]
    fitted_cells = [(cell, draws) for cell, draws in answers if draws]
    if not fitted_cells:
        raise DataError(
            "every prompt has one sample, which does not show whether a second would differ:"
            " run `swr1 rollout --samples 4` or more"
        )
    return {
        "by": by,
        "value": value or "reward",
        "groups": {name: cell for name, (cell, _) in zip(names, answers, strict=True)},
        "all": _together([cell for cell, _ in answers], fitted_cells),
    }


def _value(record: Record, value: str) -> float | None:
    location = getattr(record, "location", None) or f"record {record.get('id')}"
    if value == "reward":
        if "reward" not in record:
            raise DataError(
                "no `reward`: run `swr1 reward` on it, or count right and wrong", location
            )
        return record["reward"]
    name = record.get("task") or ""
    verdict = (record.get("verdicts") or {}).get(name)
    if verdict is None:
        raise DataError(f"no verdict {name!r}: run `swr1 verify {name}` first", location)
    score = verdict.get("score")
    return None if score is None else float(score == 1)


class _Tally:
    """The samples of one cell: per group how often each value came."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, int], dict[float, int]] = {}
        self.seen: set[tuple[str, int, int]] = set()
        self.unjudged = 0

    def add(self, record: Record, value: float | None) -> None:
        mark = key(record)
        if mark in self.seen:
            raise DataError(
                f"sample {mark[2]} of epoch {mark[1]} occurs twice; give each file once",
                getattr(record, "location", None) or f"record {mark[0]}",
            )
        self.seen.add(mark)
        counts = self.groups.setdefault(mark[:2], {})
        if value is None:
            self.unjudged += 1
        else:
            counts[value] = counts.get(value, 0) + 1

    def cell(
        self, sizes: Sequence[int], resamples: int, seed: int
    ) -> tuple[Cell, dict[int, list[float]]]:
        """The figures, and per n the shares without signal in `resamples` bootstrap draws."""
        import numpy as np

        groups = {name: counts for name, counts in self.groups.items() if counts}
        values = sorted({v for counts in groups.values() for v in counts})
        rows = [tuple(counts.get(v, 0) for v in values) for counts in groups.values()]
        samples = sum(map(sum, rows))
        total = sum(v * n for row in rows for v, n in zip(values, row, strict=True))
        cell: Cell = {
            "prompts": len(groups),
            "samples": samples,
            "unjudged": self.unjudged,
            "k": samples / len(groups) if groups else 0.0,
            "mean": total / samples if samples else 0.0,
            "sizes": {},
            "best": None,
        }
        if max(map(sum, rows), default=0) < 2:
            return cell, {}
        # Prompts are drawn, not groups: the epochs of one prompt go together. What matters of a
        # group is its counts, so a draw is a weight for each kind of counts.
        kinds = sorted(set(rows))
        ids = sorted({id_ for id_, _ in groups})  # the order of the input must not matter
        row_of, kind_of = {n: i for i, n in enumerate(ids)}, {n: i for i, n in enumerate(kinds)}
        held = np.zeros((len(ids), len(kinds)))
        for (id_, _), counts in zip(groups, rows, strict=True):
            held[row_of[id_], kind_of[counts]] += 1
        even = np.full(len(ids), 1 / len(ids))
        rng = np.random.default_rng(seed)
        weights = [held.sum(0)] + [
            rng.multinomial(len(ids), even).astype(float) @ held for _ in range(resamples)
        ]
        draws: dict[int, list[float]] = {}
        unfit = []
        for n in sizes:
            enough = np.array([sum(kind) >= n for kind in kinds])
            if 2 * weights[0][enough].sum() < weights[0].sum():
                unfit.append(n)
                continue
            alike = np.array([share_alike(kind, n) for kind in kinds])
            draws[n] = [
                float(w[enough] @ alike[enough] / w[enough].sum())
                for w in weights
                if w[enough].any()
            ]
        if unfit:
            fits = fit_alike(np.array(kinds), weights, unfit)
            draws |= {n: [fit[n] for fit in fits] for n in unfit}
        for n in sizes:
            cell["sizes"][str(n)] = _signal(n, draws[n], len(ids), n in unfit)
        cell["best"] = _best(cell["sizes"])
        return cell, draws


def share_alike(counts: Sequence[int], n: int) -> float:
    """The chance that n of sum(counts) samples, drawn without replacement, are all alike.

    `counts`: samples by value. 0 where there are fewer than n.
    """
    k = sum(counts)
    return sum(comb(c, n) for c in counts) / comb(k, n) if k >= n else 0.0


def fit_alike(counts: Any, weights: Sequence[Any], sizes: Sequence[int]) -> list[dict[int, float]]:
    """For each weighting of the groups, the chance of n like samples under the fitted model.

    Args:
        counts: [kinds, values], samples by value of each kind of group.
        weights: each [kinds], how many groups of each kind there are; the first is fitted from
            the pooled shares, the others from what the first gave.

    The likelihood is the Polya distribution's of Minka (2000), "Estimating a Dirichlet distribution".
    """
    import numpy as np
    from scipy.optimize import minimize  # type: ignore[import-untyped]
    from scipy.special import digamma, gammaln  # type: ignore[import-untyped]

    k = counts.sum(1)
    if counts.shape[1] == 1:
        return [dict.fromkeys(sizes, 1.0) for _ in weights]

    def loss(logs: Any, w: Any) -> tuple[float, Any]:
        a = np.exp(logs)
        whole = a.sum()
        each = gammaln(a + counts) - gammaln(a)
        value = w @ (gammaln(whole) - gammaln(whole + k) + each.sum(1))
        slope = w @ (digamma(a + counts) - digamma(a)) + w @ (digamma(whole) - digamma(whole + k))
        return -value / w.sum(), -slope * a / w.sum()

    pooled = weights[0] @ counts
    start = np.log(np.maximum(pooled / pooled.sum(), 1e-3))
    fits = []
    for w in weights:
        box_ = [(-_LOG_BOUND, _LOG_BOUND)] * len(start)
        fit = minimize(loss, start, args=(w,), jac=True, method="L-BFGS-B", bounds=box_)
        a = np.exp(fit.x)
        chances = {
            n: float(
                np.exp(gammaln(a + n) - gammaln(a) + gammaln(a.sum()) - gammaln(a.sum() + n)).sum()
            )
            for n in sizes
        }
        fits.append({n: min(1.0, chance) for n, chance in chances.items()})
        start = np.clip(fit.x, -4, 4) if len(fits) == 1 else start
    return fits


def _signal(n: int, draws: Sequence[float], prompts: int, fitted: bool) -> Signal:
    """The signal from the estimate (the first of `draws`) and its bootstrap."""
    import numpy as np

    share, *others = draws
    low, high = np.quantile(others, [0.025, 0.975]) if others else (share, share)
    if high - low < 1e-9:  # all prompts are the same: only their number limits what is known
        low, high = wilson(share, prompts)
    useful = 1000 * (1 - share) / n
    return {
        "no_signal": share,
        "interval": [float(low), float(high)],
        "fitted": fitted,
        "useful_per_1000": useful,
        "worth": useful * (n - 1) / n,
    }


def _best(sizes: dict[str, Signal]) -> int | None:
    best = max(sizes.items(), key=lambda item: item[1]["worth"], default=None)
    return int(best[0]) if best and best[1]["worth"] > 0 else None


def _together(cells: list[Cell], fitted_cells: list[tuple[Cell, dict[int, list[float]]]]) -> Cell:
    """All cells, each counted by its prompts: the model is fitted within cells only."""
    samples, prompts = sum(c["samples"] for c in cells), sum(c["prompts"] for c in cells)
    heavy = sum(c["prompts"] for c, _ in fitted_cells)
    sizes: dict[str, Signal] = {}
    for n in fitted_cells[0][1]:
        columns = zip(*(draws[n] for _, draws in fitted_cells), strict=False)
        mixed = [
            sum(c["prompts"] * x for (c, _), x in zip(fitted_cells, column, strict=True)) / heavy
            for column in columns
        ]
        sizes[str(n)] = _signal(
            n, mixed, heavy, any(c["sizes"][str(n)]["fitted"] for c, _ in fitted_cells)
        )
    return {
        "prompts": prompts,
        "samples": samples,
        "unjudged": sum(c["unjudged"] for c in cells),
        "k": samples / prompts,
        "mean": sum(c["mean"] * c["samples"] for c in cells) / samples,
        "sizes": sizes,
        "best": _best(sizes),
    }


def report(result: Estimate) -> RenderableType:
    """Two tables in 80 columns: the share without signal, and what 1,000 samples would give."""
    every = [*result["groups"].items(), ("all", result["all"])]
    sizes = list(result["all"]["sizes"])
    waste, use = _table(), _table()
    for table in (waste, use):
        table.add_column(result["by"], no_wrap=True)
    for title in ("prompts", "k", "reward" if result["value"] == "reward" else "right"):
        waste.add_column(title, justify="right", no_wrap=True)
    for n in sizes:
        waste.add_column(f"n={n}", justify="right", no_wrap=True)
        use.add_column(f"n={n}", justify="right", no_wrap=True)
    use.add_column("best n", justify="right", no_wrap=True)
    for name, cell in every:
        style = "bold" if name == "all" else ""
        mean = f"{cell['mean']:.2f}" if result["value"] == "reward" else f"{cell['mean']:.1%}"
        shares = [_share(cell["sizes"].get(n)) for n in sizes]
        waste.add_row(name, str(cell["prompts"]), f"{cell['k']:.3g}", mean, *shares, style=style)
        groups = [
            f"{s['useful_per_1000']:.0f}" if (s := cell["sizes"].get(n)) else "-" for n in sizes
        ]
        use.add_row(name, *groups, str(cell["best"] or "-"), style=style)
    alike = "the same reward" if result["value"] == "reward" else "all right or all wrong"
    notes = ["", "best n: most useful groups, each weighted by its baseline, (n-1)/n"]
    if any(s["fitted"] for _, cell in every for s in cell["sizes"].values()):
        notes.append("~ fitted: there were fewer than n samples per prompt")
    if result["all"]["unjudged"]:
        notes.append(f"{result['all']['unjudged']} samples without a judgement were left out")
    return Group(
        Text(f"% of groups of n without signal ({alike}), and 95% interval"),
        Text(),
        waste,
        Text(),
        Text("groups with signal per 1,000 samples"),
        Text(),
        use,
        *(Text(note, style="dim") for note in notes),
    )


def _share(signal: Signal | None) -> str:
    if signal is None:
        return "-"
    low, high = signal["interval"]
    mark = "~" if signal["fitted"] else ""
    return f"{mark}{100 * signal['no_signal']:.0f} {100 * low:.0f}-{100 * high:.0f}"


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)

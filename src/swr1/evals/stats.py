"""The statistics of an evaluation: intervals, pass@k and paired tests, on plain counts.

Several completions of one puzzle are not independent, so every interval here treats the puzzle as
the unit (the cluster). scipy and numpy are imported by the two functions that need them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, fsum, sqrt
from statistics import NormalDist


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share seen in `n` trials (Wilson 1927, eq. 4).

    `n` may be fractional, as an effective sample size is; scipy's binomtest takes whole counts only.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_wilson(
    correct: Sequence[int], judged: Sequence[int], level: float = 0.95
) -> tuple[float, float] | None:
    """Wilson's interval of sum(correct) / sum(judged), with the puzzle as the cluster.

    The variance is the cluster-robust one of a ratio (Cochran 1977, section 6.3); the number of
    samples is divided by its design effect (that variance over the binomial one, never below 1) and
    put into Wilson's formula, as Korn and Graubard (1998) do for surveys. One sample per puzzle
    gives plain Wilson. Where all samples agree no variance is seen: the puzzles alone are counted.

    Args:
        correct, judged: per puzzle, how many samples were right and how many were judged.

    Returns:
        (low, high), or None when nothing was judged.
    """
    pairs = [(c, n) for c, n in zip(correct, judged, strict=True) if n]
    clusters, samples = len(pairs), sum(n for _, n in pairs)
    if not samples:
        return None
    share = sum(c for c, _ in pairs) / samples
    if clusters == 1 or share in (0.0, 1.0):
        return wilson(share, clusters, level)
    spread = fsum((c - share * n) ** 2 for c, n in pairs) / samples**2
    robust = spread * clusters / (clusters - 1)
    binomial = share * (1 - share) / (samples - 1)
    return wilson(share, samples / max(1.0, robust / binomial), level)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that one of k samples is right, unbiased: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021 (arXiv 2107.03374), eq. 1: `c` of the `n` >= k samples drawn were right.
    """
    return 1 - comb(n - c, k) / comb(n, k)


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value of McNemar's test.

    `gained` puzzles turned from wrong to right, `lost` from right to wrong.
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def bootstrap_mean(
    values: Sequence[float], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a mean, one value per puzzle (Efron 1979).

    Values of few kinds are resampled by their counts (a multinomial draw), so memory is
    resamples x kinds and the order of the values cannot matter. None where all values are equal:
    nothing to resample.
    """
    import numpy as np

    kinds, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    if len(kinds) < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(
        len(values), counts / len(values), size=resamples
    )
    low, high = np.quantile(drawn @ kinds / len(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def signed_rank(differences: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; 1.0 where nothing differs."""
    if not any(differences):
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Holm 1979): the chance of any false alarm stays below p."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted

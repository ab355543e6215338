"""How much better the completions with a sign are, with intervals: from sums alone.

Three differences, each asking more: of all completions with and without the sign; of completions of
one prompt drawn together (so that neither the puzzle's difficulty nor the step of training can be
the cause); and of those, at about equal length. The puzzle is the cluster. None shows a cause.
"""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_FEWEST = 10  # puzzles from which an interval is worth showing


class Sums(NamedTuple):
    """Sums over the completions of each stratum; arrays of equal length, one entry per stratum."""

    n: np.ndarray  # completions
    x: np.ndarray  # those with the sign
    y: np.ndarray  # the outcome
    xy: np.ndarray  # the outcome of those with the sign
    cluster: np.ndarray  # index of the stratum's puzzle

    def merged(self, index: np.ndarray) -> Sums:
        """Strata with the same index as one; `index` counts from 0, and none spans puzzles."""
        import numpy as np

        cluster = np.zeros(int(index.max()) + 1, dtype=int)
        cluster[index] = self.cluster
        n, x, y, xy = (np.bincount(index, sums) for sums in self[:4])
        return Sums(n, x, y, xy, cluster)


def difference(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """One mean less another, each given as {"value", "interval"}; None where one is missing.

    The interval adds the distances to the ends in squares (Newcombe 1998, method 10; Zou and Donner
    2008), so that it holds where a side is all right or all wrong. It takes the two as independent:
    with puzzles on both sides it is rather too wide.
    """
    if one["value"] is None or other["value"] is None:
        return None
    gap = one["value"] - other["value"]
    interval = None
    if one["interval"] and other["interval"]:
        (low, high), (other_low, other_high) = one["interval"], other["interval"]
        interval = [
            gap - hypot(one["value"] - low, other_high - other["value"]),
            gap + hypot(high - one["value"], other["value"] - other_low),
        ]
    return {"difference": gap, "interval": interval}


def within(s: Sums) -> dict[str, Any] | None:
    """Mean outcome with the sign less without it, within strata; None where none has both kinds.

    The mean of the strata's differences, each with weight n1 * n0 / n, which is least squares with
    fixed effects. The variance is the sandwich of Liang and Zeger (1986), clustered by puzzle, with
    the factor C / (C - 1), the interval that of Student's t with C - 1 degrees of freedom, C being
    the puzzles that have both kinds. Below ten of them, or where no variance is seen, there is none.
    """
    import numpy as np

    both = (s.x > 0) & (s.x < s.n)
    if not both.any():
        return None
    n, x, y, xy, cluster = (np.asarray(a)[both] for a in s)
    xx, xy = x - x * x / n, xy - x * y / n
    slope = xy.sum() / xx.sum()
    variance = (np.bincount(cluster, xy - slope * xx) ** 2).sum() / xx.sum() ** 2
    puzzles, interval = _count(cluster), None
    if puzzles >= _FEWEST and variance > 1e-18:
        from scipy.special import stdtrit

        half = stdtrit(puzzles - 1, 0.975) * np.sqrt(variance * puzzles / (puzzles - 1))
        interval = [float(slope - half), float(slope + half)]
    return {"difference": float(slope), "interval": interval, "puzzles": puzzles}


def mean_interval(total: Any, n: Any, cluster: Any) -> tuple[float, list[float] | None] | None:
    """sum(total) / sum(n) with a 95% interval, the puzzle as the cluster.

    The variance is the robust one of a ratio (Cochran 1977, section 6.3), as in
    `stats.clustered_wilson`, which is the better choice for shares. None when n is 0.
    """
    import numpy as np

    if not (size := n.sum()):
        return None
    mean = total.sum() / size
    residuals = np.bincount(cluster, total - mean * n)
    puzzles = _count(cluster[n > 0])
    if puzzles < _FEWEST:
        return float(mean), None
    from scipy.special import stdtrit

    half = stdtrit(puzzles - 1, 0.975) * np.sqrt(
        (residuals**2).sum() / size**2 * puzzles / (puzzles - 1)
    )
    return float(mean), [float(mean - half), float(mean + half)]


def _count(clusters: Any) -> int:
    import numpy as np

    return len(np.unique(clusters))

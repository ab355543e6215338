"""How reasoning changes over training, and which of its signs go with being right: in one pass.

    analysis = Analysis(load_words(["reasoning"]))
    for record in judged:
        analysis.add(record)
    result = analysis.result()      # plain JSON: what tables and pictures read

Kept are sums, about 2 KB per stratum: one prompt's completions by one version, of about one length.
All sums are of whole numbers, so the order of the records cannot matter.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1 import records
from swr1.analysis.association import Sums, difference, mean_interval, within
from swr1.analysis.features import MARKERS, claims_of, features_of
from swr1.analysis.scripts import SCRIPTS, TokenScripts, open_tokenizer, scripts_of
from swr1.analysis.words import Word, ready
from swr1.errors import DataError
from swr1.evals.metrics import by_number
from swr1.evals.stats import clustered_wilson
from swr1.policy import recorded
from swr1.records import Record, own

if TYPE_CHECKING:
    import numpy as np

STEP = "step"  # the value of `by` that means the policy's version
_SCORE_UNIT = 1_000_000  # scores as whole numbers
_BANDS = 2  # bands of length per doubling: lengths in one differ by less than 1.42
_OUTCOMES = {"right": 1, "score": _SCORE_UNIT}
_MEANS = ("length", "answers", "worlds", "changes", "outside")
_RATES = {"repeated": "ngrams", "cjk": "letters", "other": "letters", "foreign": "letters"}


class Analysis:
    """Takes records one by one.

    Args:
        words: what to look for.
        by: what the rows are: "step" (the version of the policy that wrote) or a key of `info`.
        verdict: the verdict that says right (score 1); by default the one named like the task.
        tokenizer: for all records. Without it a record's own policy folder is tried.
        bins: most rows when `by` is "step"; neighbouring versions share one.
    """

    def __init__(
        self,
        words: Sequence[Word],
        by: str = STEP,
        verdict: str | None = None,
        tokenizer: TokenScripts | None = None,
        bins: int = 10,
    ) -> None:
        self.words, self.by, self.verdict, self.bins = list(words), by, verdict, bins
        self.word_groups = list(dict.fromkeys(word.group for word in words))
        self.markers = [
            *(f"word:{word.name}" for word in words),
            *(f"group:{group}" for group in self.word_groups),
            *(f"sign:{sign}" for sign in MARKERS),
        ]
        amounts = [*_MEANS, *dict.fromkeys(["repeated", "ngrams", "letters", *_RATES])]
        names = ["n", *amounts, *(f"count:{word.name}" for word in words)]
        for outcome in _OUTCOMES:
            names += [f"{outcome}:n", f"{outcome}:y"]
        for sign in self.markers:
            names += [sign, *(f"{sign}:{outcome}:{sum_}" for outcome in _OUTCOMES for sum_ in "ny")]
        self._at = {name: i for i, name in enumerate(names)}
        self._rows: dict[tuple, array[int]] = {}
        self._samples: dict[tuple, set[int]] = {}
        self._tokenizer = tokenizer
        self._tokenizers: dict[str, TokenScripts | None] = {}
        self.unused: Counter[str] = Counter()  # records left out, by reason
        self.lacks: Counter[str] = Counter()  # records used in part, by what they lack
        self.units: dict[str, Counter[str]] = {"length": Counter(), "script": Counter()}
        self.sources: Counter[str] = Counter()  # where scores came from
        self.verdicts: set[str] = set()

    # --- one record --------------------------------------------------------------------------

    def add(self, record: Record) -> None:
        """Count one record, without what tools gave. Raises DataError for a completion that came before."""
        if not isinstance(record.get("completion"), str):
            self.unused["no completion"] += 1
            return
        record = own(record)
        completion = record["completion"]
        generation = record.get("generation") or {}
        text = (generation.get("prefill") or "") + completion
        prompt = _prompt_text(record)
        features = features_of(text, prompt, claims_of(record))
        if not features.tagged:
            self.lacks["no <think> or <answer> tags: all of it is taken as reasoning"] += 1
        amounts, present = Counter(features.amounts), {f"sign:{sign}" for sign in features.markers}
        amounts["length"] = length = self._length(generation, features.length)
        row = self._row(record, generation, length)
        prepared = ready(completion)
        for word in self.words:
            if count := word.count(prepared):
                amounts[f"count:{word.name}"] = count
                present |= {f"word:{word.name}", f"group:{word.group}"}
        scripts = self._scripts(text, generation)
        native = scripts_of(prompt)
        foreign = sum(scripts[s] for s in SCRIPTS if not native[s]) if native else 0
        amounts.update(
            cjk=scripts["cjk"], other=scripts["other"], letters=scripts.total(), foreign=foreign
        )
        if foreign:
            present.add("sign:foreign")
        if generation.get("finish_reason") == "length":
            present.add("sign:cut")
        at = self._at
        row[at["n"]] += 1
        for name, amount in amounts.items():
            row[at[name]] += amount
        for sign in present:
            row[at[sign]] += 1
        for outcome, value in (("right", self._right(record)), ("score", self._score(record))):
            if value is None:
                continue
            y = round(value * _OUTCOMES[outcome])
            for of in (outcome, *(f"{sign}:{outcome}" for sign in present)):
                row[at[f"{of}:n"]] += 1
                row[at[f"{of}:y"]] += y

    def _row(self, record: Record, generation: dict[str, Any], length: int) -> array[int]:
        policy = generation.get("policy") or {}
        version = policy.get("version")
        if version is None and self.by == STEP:
            self.lacks["no generation.policy.version: no step"] += 1
        value = version if self.by == STEP else (record.get("info") or {}).get(self.by)
        id_, epoch, sample = records.key(record)
        name = str(policy.get("name") or "")
        key = (value if value is None else str(value), name, version, epoch, id_)
        samples = self._samples.setdefault(key, set())
        if sample in samples:
            raise DataError(
                f"sample {sample} of {id_} (epoch {epoch}) came twice; give each file once, and"
                " systems whose records do not name a policy one at a time",
                getattr(record, "location", None),
            )
        samples.add(sample)
        stratum = (*key, int(_BANDS * log2(max(length, 1))))
        if stratum not in self._rows:
            self._rows[stratum] = array("q", bytes(8 * len(self._at)))
        return self._rows[stratum]

    def _length(self, generation: dict[str, Any], words: int) -> int:
        ids = generation.get("token_ids")
        self.units["length"]["words" if ids is None else "tokens"] += 1
        return words if ids is None else len(ids)

    def _scripts(self, text: str, generation: dict[str, Any]) -> Counter[str]:
        ids = generation.get("token_ids")
        tokenizer = None
        if ids is not None:
            tokenizer = self._tokenizer or self._policy_tokenizer(generation.get("policy") or {})
        self.units["script"]["tokens" if tokenizer else "letters"] += 1
        return tokenizer.count(ids) if tokenizer and ids is not None else scripts_of(text)

    def _policy_tokenizer(self, policy: dict[str, Any]) -> TokenScripts | None:
        name = str(policy.get("name") or "")
        if name not in self._tokenizers:
            here = Path().absolute()
            folders = filter(os.path.isdir, recorded(name, [here, *here.parents]))
            folder = next(folders, None)
            self._tokenizers[name] = open_tokenizer(str(folder), needed=False) if folder else None
        return self._tokenizers[name]

    def _right(self, record: Record) -> int | None:
        name = self.verdict or str(record.get("task") or "")
        verdict = (record.get("verdicts") or {}).get(name)
        score = (verdict or {}).get("score")
        if not isinstance(score, int | float):
            why = "gives no number" if verdict else "is not there"
            what = f"verdict {name!r} {why}" if name else "no task, so no verdict (--verdict)"
            self.lacks[f"{what}: neither right nor wrong"] += 1
            return None
        self.verdicts.add(name)
        return int(score == 1)

    def _score(self, record: Record) -> float | None:
        part = ((record.get("reward_parts") or {}).get("answer") or {}).get("value")
        for source, value in (("answer score", part), ("reward", record.get("reward"))):
            if isinstance(value, int | float):
                self.sources[source] += 1
                return float(value)
        return None

    # --- the result --------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """Everything that was counted, with 95% intervals. Shares are 0..1.

        Raises DataError when no record could be used.
        """
        import numpy as np

        if not self._rows:
            reasons = "; ".join(f"{n} with {why}" for why, n in self.unused.items())
            raise DataError(f"no completion to analyze ({reasons or 'no records'})")
        keys = sorted(self._rows, key=_order)
        table = np.stack([np.frombuffer(self._rows[key], dtype=np.int64) for key in keys])
        ids = {id_: i for i, id_ in enumerate(sorted({key[4] for key in keys}))}
        cluster = np.array([ids[key[4]] for key in keys])
        drawn = {key: i for i, key in enumerate(dict.fromkeys(key[:5] for key in keys))}
        together = np.array([drawn[key[:5]] for key in keys])
        columns = {name: table[:, at] for name, at in self._at.items()}
        rows = [
            {"name": name, **place, **self._cell(columns, cluster, np.array(members))}
            for name, place, members in self._parts(keys)
        ]
        everything = np.arange(len(keys))
        return {
            "by": self.by,
            "records": int(columns["n"].sum()),
            "puzzles": len(ids),
            "policies": sorted({key[1] for key in keys if key[1]}),
            "verdicts": sorted(self.verdicts),
            "score": " or ".join(sorted(self.sources)) or None,
            "length_unit": _unit(self.units["length"]),
            "script_unit": _unit(self.units["script"]),
            "unused": dict(sorted(self.unused.items())),
            "lacks": dict(sorted(self.lacks.items())),
            "word_groups": {w.name: w.group for w in self.words},
            "rows": rows,
            "all": self._cell(columns, cluster, everything),
            "with_and_without": {
                sign: self._association(columns, cluster, together, sign) for sign in self.markers
            },
        }

    def _parts(self, keys: list[tuple]) -> list[tuple[str, dict[str, Any], list[int]]]:
        """(name, {"from", "to"} for steps, indices of groups) for every row of the result."""
        members: dict[Any, list[int]] = {}
        for index, key in enumerate(keys):
            members.setdefault(key[2] if self.by == STEP else key[0], []).append(index)
        unknown = members.pop(None, [])
        parts: list[tuple[str, dict[str, Any], list[int]]] = []
        if self.by == STEP:
            versions = sorted(members)
            count = min(self.bins, len(versions))
            edges = [len(versions) * i // count for i in range(count + 1)] if count else []
            for low, high in pairwise(edges):
                first, last = versions[low], versions[high - 1]
                name = str(first) if first == last else f"{first}-{last}"
                inside = [i for v in versions[low:high] for i in members[v]]
                parts.append((name, {"from": first, "to": last}, inside))
        else:
            parts = [(v, {}, members[v]) for v in sorted(members, key=by_number)]
        return parts + ([("-", {}, unknown)] if unknown else [])

    def _cell(self, columns: dict[str, Any], cluster: Any, members: Any) -> dict[str, Any]:
        sums = {name: column[members] for name, column in columns.items()}
        cluster = cluster[members]
        n = sums["n"]
        means = {name: _mean(sums[name], n, cluster) for name in _MEANS}
        rates = {name: _mean(sums[name], sums[of], cluster) for name, of in _RATES.items()}
        for rate in rates.values():
            if rate["interval"]:
                rate["interval"] = [max(0.0, rate["interval"][0]), min(1.0, rate["interval"][1])]
        return {
            "completions": int(n.sum()),
            "puzzles": len({*cluster.tolist()}),
            "right": _share(sums["right:y"], sums["right:n"], cluster),
            "score": _mean(sums["score:y"] / _SCORE_UNIT, sums["score:n"], cluster),
            **means,
            "rates": rates,
            "signs": {sign: _share(sums[sign], n, cluster) for sign in self.markers},
            "per_completion": {
                word.name: float(sums[f"count:{word.name}"].sum() / n.sum()) for word in self.words
            },
        }

    def _association(
        self, columns: dict[str, Any], cluster: Any, together: Any, sign: str
    ) -> dict[str, Any]:
        association: dict[str, Any] = {"completions": int(columns[sign].sum())}
        for outcome, unit in _OUTCOMES.items():
            n, y = columns[f"{outcome}:n"], columns[f"{outcome}:y"] / unit
            x, xy = columns[f"{sign}:{outcome}:n"], columns[f"{sign}:{outcome}:y"] / unit
            level = _share if outcome == "right" else _mean
            sums = Sums(n, x, y, xy, cluster)
            present, absent = level(xy, x, cluster), level(y - xy, n - x, cluster)
            association[outcome] = {
                "with": present,
                "without": absent,
                "all": difference(present, absent),
                "same_prompt": within(sums.merged(together)),
                "same_prompt_and_length": within(sums),
            }
        return association


def _share(y: np.ndarray, n: np.ndarray, cluster: np.ndarray) -> dict[str, Any]:
    import numpy as np

    counted = np.bincount(cluster, n).astype(int)
    total = int(counted.sum())
    if not total:
        return {"value": None, "interval": None, "n": 0}
    interval = clustered_wilson(np.bincount(cluster, y).astype(int).tolist(), counted.tolist())
    return {"value": float(y.sum() / total), "interval": list(interval or ()), "n": total}


def _mean(total: np.ndarray, n: np.ndarray, cluster: np.ndarray) -> dict[str, Any]:
    value, interval = mean_interval(total, n, cluster) or (None, None)
    return {"value": value, "interval": interval, "n": int(n.sum())}


def _order(key: tuple) -> tuple:
    value, name, version, epoch, id_, band = key
    return str(value), name, -1 if version is None else version, epoch, id_, band


def _unit(counts: Counter[str]) -> str:
    return next(iter(counts)) if len(counts) == 1 else "mixed"


def _prompt_text(record: Record) -> str:
    """The prompt's messages as one text, images left out."""
    texts: list[str] = []
    for message in record.get("prompt") or ():
        content = message["content"]
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [str(part.get("text") or "") for part in parts if isinstance(part, dict)]
    return "\n".join(texts)

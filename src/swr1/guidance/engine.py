"""The controller: paths of a completion, the candidates for their next step, and which go on.

    engine = GuidedEngine(ContinuingEngine(open_engine("hf", folder)), options, guide, scorer)
    [completion] = engine.generate([request], sampling)
    completion.facts["guided"]          # method, tokens spent in all, scores that were null, ...

All methods are one loop over trees of paths (see GuideOptions.shape): every path that is not at its
end gets so many candidates, all of all prompts together in one batch; they are scored; each tree
keeps the best. A whole completion is a candidate without a stop. Token ids go in and come out, so
what was chosen is never encoded again, and the log-probabilities are those of the policy.

A candidate that is cut at the longest length is never chosen before one that is whole. Draws are by
(seed, id, epoch, sample, step, candidate), so the same line gives the same completion; the first
candidate of the first step is what the policy writes without guidance.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from swr1.engines import Completion, Piece, Request, Sampling
from swr1.guidance.guide import NEUTRAL, Guide
from swr1.guidance.options import UNSCORED, WHOLE, GuideOptions
from swr1.guidance.scoring import Scorer, Values
from swr1.prompts.decoding import Decoder
from swr1.records import CUT
from swr1.steps import StepRule

STRIDE = 4096  # random streams between two candidates: more than a candidate has turns
_ANSWER = re.compile(r"<answer>(.*?)</answer>|\\boxed\{([^{}]*)\}", re.DOTALL)


@dataclass(slots=True)
class _Path:
    """What is written so far, and how it scored."""

    made: Completion | None = None  # all of it; None before the first step
    done: bool = False
    values: Values = field(default_factory=dict)
    score: float = NEUTRAL
    out: bool = False  # below the floor
    steps: int = 0
    row: dict[str, Any] | None = None  # its line of the log

    @property
    def ids(self) -> list[int]:
        return (self.made.token_ids or []) if self.made else []

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """What is better is larger: not below the floor, not cut, then by score."""
        cut = self.made is not None and self.done and self.made.finish_reason in CUT
        return not self.out, not cut, self.score


@dataclass(slots=True)
class _Search:
    """One completion that is looked for. trees: the paths of each that go on or are at their end."""

    request: Request
    weights: Any
    trees: list[list[_Path]]
    step: int = 0
    spent: int = 0  # tokens of all candidates
    nulls: int = 0
    out: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)


class GuidedEngine:
    """An engine that chooses among candidates of another one.

    Args:
        engine: a ContinuingEngine or ToolEngine.
        guide, scorer: what scores; None for methods without a score.
    """

    stream = None

    def __init__(
        self, engine: Any, options: GuideOptions, guide: Guide | None, scorer: Scorer | None
    ) -> None:
        self._engine, self._options, self._guide, self._scorer = engine, options, guide, scorer
        self._decode = Decoder(engine.tokenizer)
        self._rule = guide.rule if guide else StepRule.of("line")
        self._hidden = set(engine.tokenizer.all_special_ids)
        self.spent: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def summary(self) -> str:
        """A line for people."""
        chosen, spent = self.spent["chosen"], self.spent["spent"]
        ours = f"guidance: {spent:,} tokens for {chosen:,} that were chosen"
        for name, n in sorted((self._scorer.nulls if self._scorer else {}).items()):
            ours += f"; {n:,} candidates without a score for {name}" if n else ""
        ours += f"; {n:,} below the floor" if (n := self.spent["below the floor"]) else ""
        theirs = self._engine.summary() if hasattr(self._engine, "summary") else ""
        return f"{theirs}; {ours}" if theirs else ours

    def counts(self) -> Counter[str]:
        """How the engine's attempts went."""
        return self._engine.counts() if hasattr(self._engine, "counts") else Counter()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order."""
        trees, _, _ = self._options.shape()
        searches = [
            _Search(r, self._weights(r), [[_Path()] for _ in range(trees)]) for r in requests
        ]
        while active := [s for s in searches if any(not p.done for t in s.trees for p in t)]:
            self._step(active, sampling)
        return [self._chosen(search) for search in searches]

    def _weights(self, request: Request) -> Any:
        return self._guide.weights(dict(request.about or {})) if self._guide else {}

    def _step(self, searches: list[_Search], sampling: Sampling) -> None:
        """One more step of every path that is not at its end."""
        _, keep, each = self._options.shape()
        whole = self._options.guide_method in WHOLE
        asked: list[tuple[_Search, int, _Path, bool]] = []
        requests: dict[bool, list[Request]] = {False: [], True: []}  # by: without a stop
        for search in searches:
            count = 0
            for number, tree in enumerate(search.trees):
                going = [p for p in tree if not p.done]
                for path in going:
                    # the first step of a beam has one path, which gets the candidates of all
                    for _ in range(each * keep // len(tree) if path.made is None else each):
                        last = whole or self._is_thought(path)
                        asked.append((search, number, path, last))
                        requests[last].append(self._request(search, path, count, sampling))
                        count += 1
        made = {
            last: iter(self._engine.generate(some, self._stopping(sampling, last)) if some else [])
            for last, some in requests.items()
        }
        found: dict[tuple[int, int], list[_Path]] = defaultdict(list)
        for search, number, path, last in asked:
            new = self._added(path, next(made[last]), last, sampling)
            search.spent += len(new.ids) - len(path.ids)
            found[id(search), number].append(new)
        self._score(searches, found)
        for search in searches:
            for number, tree in enumerate(search.trees):
                self._keep(search, number, tree, found[id(search), number], keep)
            search.step += 1

    def _is_thought(self, path: _Path) -> bool:
        """Whether the thinking is over, so that what is left is one step."""
        return path.made is not None and "</think>" in path.made.text

    def _stopping(self, sampling: Sampling, last: bool) -> Sampling:
        return sampling if last else replace(sampling, stop=(*sampling.stop, *self._rule.stops))

    def _request(self, search: _Search, path: _Path, at: int, sampling: Sampling) -> Request:
        turn = STRIDE * (search.step * self._options.candidates + at)
        if path.made is None:
            return replace(search.request, turn=turn)
        turns = path.made.facts.get("turns") or [_only(path.made)]
        begun = tuple(
            Piece(
                path.ids[slice(*t["tokens"])],
                path.made.text[slice(*t["characters"])],
                {n: v for n, v in t.items() if n not in ("tokens", "characters")},
            )
            for t in turns
        )
        most = max(1, sampling.max_tokens - sum(_mask(path.made)))
        return replace(search.request, turn=turn, begun=begun, most=most)

    def _added(self, path: _Path, made: Completion, last: bool, sampling: Sampling) -> _Path:
        """A path with one more step: the earlier log-probabilities and mask stay what they were."""
        assert made.token_ids is not None and made.logprobs is not None
        before = len(path.ids)
        logprobs, mask = made.logprobs.copy(), _mask(made)
        if path.made is not None:
            assert path.made.logprobs is not None
            logprobs[:before], mask[:before] = path.made.logprobs, _mask(path.made)
        facts = made.facts | {"loss_mask": mask, "turns": made.facts.get("turns") or [_only(made)]}
        wrote = made.text[len(path.made.text) if path.made else 0 :]
        ended = made.token_ids[-1:] != [] and made.token_ids[-1] in self._hidden
        ended = ended or last or any(stop in wrote for stop in sampling.stop)
        reason = made.finish_reason
        if reason == "stop" and not ended and sum(mask) >= sampling.max_tokens:
            reason = "length"
        done = ended or reason != "stop" or len(made.token_ids) == before
        return _Path(
            Completion(made.token_ids, logprobs, reason, made.text, facts),
            done,
            steps=path.steps + 1,
        )

    def _score(self, searches: list[_Search], found: dict[tuple[int, int], list[_Path]]) -> None:
        """Give every candidate its score."""
        if self._scorer is None or self._guide is None:
            for search in searches:
                for number in range(len(search.trees)):
                    self._by_chance(search, found[id(search), number])
            return
        pairs = [
            (search, path)
            for search in searches
            for number in range(len(search.trees))
            for path in found[id(search), number]
        ]
        scores = self._scorer([_record(search.request, path) for search, path in pairs])
        for (search, path), values in zip(pairs, scores, strict=True):
            path.values, path.out = values, self._guide.is_out(values)
            path.score = self._guide.score(values, search.weights)
            search.nulls += all(v is None for v in values.values())
            search.out += path.out

    def _by_chance(self, search: _Search, paths: list[_Path]) -> None:
        if self._options.guide_method != "random":
            return
        words = repr(("chance", *search.request.key, search.step)).encode()
        rng = np.random.default_rng(list(words))
        for path, score in zip(paths, rng.random(len(paths)).tolist(), strict=True):
            path.score = score

    def _keep(
        self, search: _Search, number: int, tree: list[_Path], new: list[_Path], keep: int
    ) -> None:
        """The best of a tree go on; among equals the first."""
        if not new:
            return
        stayed = [path for path in tree if path.done]
        ranked = sorted([*stayed, *new], key=lambda path: path.rank, reverse=True)
        tree[:] = ranked[:keep]
        if self._options.keep_candidates == "none":
            return
        for path in new:
            row: dict[str, Any] = {"step": search.step, "path": number}
            row |= {"tokens": len(path.ids), "score": round(path.score, 6)}
            row |= {"scores": path.values} if path.values else {}
            row |= {"out": True} if path.out else {}
            row["chosen"] = any(path is kept for kept in tree)
            if self._options.keep_candidates == "full" and path.made:
                row["text"] = path.made.text
            path.row = row
            search.log.append(row)

    def _chosen(self, search: _Search) -> Completion:
        """The completion that a search came to."""
        paths = [path for tree in search.trees for path in tree]
        best = max(paths, key=lambda path: path.rank)
        if self._options.guide_method in ("vote", "majority"):
            best = _elected(paths, self._options.guide_method == "vote")
        assert best.made is not None
        if self._options.guide_method in WHOLE:  # all of them were kept until now
            for row in search.log:
                row["chosen"] = row is best.row
        self.spent["spent"] += search.spent
        self.spent["chosen"] += len(best.ids)
        self.spent["below the floor"] += search.out
        guided: dict[str, Any] = {
            "method": self._options.guide_method,
            "candidates": self._options.candidates,
            "spent": search.spent,
            "steps": best.steps,
            "score": None if self._options.guide_method in UNSCORED else round(best.score, 6),
        }
        guided |= {"guide": self._guide.name} if self._guide else {}
        guided |= {"nulls": search.nulls} if search.nulls else {}
        guided |= {"below_floor": search.out} if search.out else {}
        facts = best.made.facts | {"guided": guided}
        facts |= {"candidates": search.log} if search.log else {}
        return replace(best.made, facts=facts)


def _elected(paths: list[_Path], weighted: bool) -> _Path:
    """The best path of the answer that has the most votes; votes are scores if `weighted`.

    Among equals the answer that came first. What is cut or gives no answer has no vote.
    """
    votes: dict[str, float] = defaultdict(float)
    for path in paths:
        if (answer := answer_of(path)) is not None and not path.out:
            votes[answer] += path.score if weighted else 1.0
    if not votes:
        return max(paths, key=lambda path: path.rank)
    winner = max(votes, key=lambda answer: votes[answer])
    return max((p for p in paths if answer_of(p) == winner), key=lambda path: path.rank)


def answer_of(path: _Path) -> str | None:
    """What a path answers, for counting: the last <answer> or box, without case and extra spaces."""
    if path.made is None or path.made.finish_reason in CUT:
        return None
    found = _ANSWER.findall(path.made.text)
    return " ".join("".join(found[-1]).split()).casefold() if found else None


def _record(request: Request, path: _Path) -> dict[str, Any]:
    """A candidate as a record that verifiers read."""
    assert path.made is not None
    about = dict(request.about or {"id": request.key[0], "prompt": []})
    generation = {**request.facts, "finish_reason": path.made.finish_reason, **path.made.facts}
    return about | {"completion": path.made.text, "generation": generation}


def _only(made: Completion) -> dict[str, Any]:
    place = {"tokens": [0, len(made.token_ids or [])], "characters": [0, len(made.text)]}
    return {"kind": "wrote"} | place


def _mask(made: Completion) -> list[int]:
    return list(made.facts.get("loss_mask") or [1] * len(made.token_ids or []))

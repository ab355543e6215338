"""The sequences that the engine hf is writing: they come, get a token each, and leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from swr1.engines import Completion, Request, Sampling, Wrote, random_stream
from swr1.engines.hf.call import lay
from swr1.engines.hf.drawing import draw
from swr1.errors import SwrError
from swr1.vision import SeenPicture


class Batch:
    """The sequences being written. Per-row tensors are kept in one dict, so rows move together.

    request: its index; step: tokens written; limit: most tokens it may have; alive: still
    writing; stopped: ended by itself; tokens, logprobs, uniforms: [rows, max_tokens + 1], one column
    for a full row to write beyond its end; logits: of the next token; last: the token before it.
    """

    def __init__(self, engine: Any, sampling: Sampling, context: int, max_rows: int) -> None:
        """engine: an HFEngine."""
        self.engine, self.sampling = engine, sampling
        self.context, self.max_rows = context, max_rows
        self.rows: dict[str, Tensor] = {}
        self.cache: Any = None  # caches.RowCache, or another with its methods
        self.tail = max((len(s.encode()) for s in sampling.stop), default=0) + 8
        self.alive = 0
        self.kept: dict[int, list[np.ndarray]] = {}  # of a request: of each token, what was left
        self.version: int | None = (
            None  # of the weights, where somebody wants to know who wrote what
        )
        self.requests: dict[int, Request] = {}
        self.wrote: dict[int, Wrote] = {}

    def __len__(self) -> int:
        return len(self.rows["step"]) if self.rows else 0

    def free(self) -> int:
        """How many rows may begin: none until a quarter of the places is free."""
        free = self.max_rows - len(self)
        return free if 4 * free >= self.max_rows else 0

    def spare(self) -> bool:
        """Have so many rows finished that moving the others pays?"""
        assert self.cache is not None
        least = len(self) - 1 if self.cache.eager else 3 * len(self) // 4
        return self.alive <= least

    def admit(self, requests: list[tuple[int, Request]]) -> None:
        """Prefill each distinct prompt once and give its keys, values and logits to its samples."""
        engine, device = self.engine, self.engine.device
        vision = engine.vision
        # Two questions in the same words about two pictures have the same ids, and are two prompts.
        numbers: dict[tuple[Any, ...], int] = {}
        prompts: list[tuple[list[int], tuple[SeenPicture, ...]]] = []
        owner = []
        for _, r in requests:
            key = tuple(r.prompt_ids), tuple(p.digest for p in r.pictures)
            if key not in numbers:
                numbers[key] = len(prompts)
                ids = vision.expand(r.prompt_ids, r.pictures) if vision else r.prompt_ids
                prompts.append((ids, r.pictures))
            owner.append(numbers[key])
        ids, start, pictured = lay(prompts, device, vision)
        cache = engine.variant.open(start, self.context)
        logits = cache.prefill(engine._call, ids, pictured)
        owners = torch.tensor(owner, device=device)
        cache.share(owners)

        count, most = len(requests), self.sampling.max_tokens
        room = [min(self.context - r.length, r.limit(self.sampling)) for _, r in requests]
        rows = {
            "request": torch.tensor([i for i, _ in requests]),
            "step": torch.zeros(count, dtype=torch.long),
            "limit": torch.tensor(room),
            "alive": torch.ones(count, dtype=torch.bool),
            "stopped": torch.zeros(count, dtype=torch.bool),
            "tokens": torch.zeros(count, most + 1, dtype=torch.long),
            "logprobs": torch.zeros(count, most + 1),
            "uniforms": self._uniforms([r for _, r in requests]),
            "logits": logits[owners],
        }
        rows = {name: value.to(device) for name, value in rows.items()}
        if self.cache is None or not self.rows:
            self.cache, self.rows = cache, rows
        else:
            self.cache.append(cache)
            self.rows = {name: torch.cat([old, rows[name]]) for name, old in self.rows.items()}
        self.alive += count
        for i, request in requests:
            self.requests[i], self.wrote[i] = request, Wrote(self.version)

    def _uniforms(self, requests: list[Request]) -> Tensor:
        count, most = len(requests), self.sampling.max_tokens + 1
        if self.sampling.temperature == 0:
            return torch.zeros(count, 1).expand(count, most)
        drawn = np.empty((count, most), dtype=np.float32)
        for row, request in enumerate(requests):
            drawn[row] = random_stream(self.sampling.seed, request).random(most)
        return torch.from_numpy(drawn)

    def draw(self) -> None:
        """Write one token to every row and note which rows that finished."""
        rows = self.rows
        step, alive = rows["step"], rows["alive"]
        at = step[:, None]  # a finished row's step does not move: nobody reads what it writes
        if len(self.engine._forbidden):
            rows["logits"][:, self.engine._forbidden] = float("-inf")
        uniforms = rows["uniforms"].gather(1, at)[:, 0]
        token, logprob, kept = draw(rows["logits"], uniforms, self.sampling)
        if kept and self.engine.keep_sets:
            self._keep(*kept)
        rows["tokens"].scatter_(1, at, token[:, None])
        rows["logprobs"].scatter_(1, at, logprob[:, None])
        step += alive
        stopped = (token[:, None] == self.engine._eos).any(1)
        if self.sampling.stop:
            stopped |= self._at_stop_string(token, alive & ~stopped)
        rows["stopped"] |= stopped & alive
        alive &= ~stopped & (step < rows["limit"])
        rows["last"] = token
        self.alive = int(alive.sum())

    def _keep(self, ids: Tensor, inside: Tensor) -> None:
        """Note the tokens [rows, places] from which each row that still writes draws its next one."""
        alive = self.rows["alive"]
        counts = inside[alive].sum(1).tolist()
        chosen = ids[alive][inside[alive]].cpu().numpy().astype(np.int32)
        ends = np.cumsum(counts)
        requests = self.rows["request"][alive].tolist()
        for request, some in zip(requests, np.split(chosen, ends[:-1]), strict=True):
            self.kept.setdefault(request, []).append(some)

    def _at_stop_string(self, token: Tensor, alive: Tensor) -> Tensor:
        stopped = torch.zeros_like(alive)
        candidates = (self.engine._enders(self.sampling.stop)[token] & alive).nonzero()[:, 0]
        tails = [
            self.rows["tokens"][row, max(0, end - self.tail) : end].tolist()
            for row, end in zip(
                candidates.tolist(), self.rows["step"][candidates].tolist(), strict=True
            )
        ]
        for row, text in zip(candidates.tolist(), self.engine._decode(tails), strict=True):
            stopped[row] = any(stop in text for stop in self.sampling.stop)
        return stopped

    def leave(self) -> dict[int, Completion]:
        """Take the finished rows out of the batch: request index -> completion."""
        rows, alive = self.rows, self.rows["alive"]
        gone = {name: rows[name][~alive].cpu() for name in ("request", "step", "stopped", "tokens")}
        logprobs = rows["logprobs"][~alive].cpu().numpy()
        lengths = gone["step"].tolist()
        ids = [row[:n] for row, n in zip(gone["tokens"].tolist(), lengths, strict=True)]
        texts = self.engine._decode(ids)
        done = {}
        for row, (request, stopped) in enumerate(
            zip(gone["request"].tolist(), gone["stopped"].tolist(), strict=True)
        ):
            scores = logprobs[row, : lengths[row]].copy()
            if not np.isfinite(scores).all():
                raise SwrError(
                    "the model gave NaN: its weights have diverged, or dtype is too narrow"
                )
            facts: dict[str, Any] = self.wrote.pop(request).facts(lengths[row])
            if request in self.kept:
                facts |= as_facts(self.kept.pop(request))
            del self.requests[request]
            reason = "stop" if stopped else "length"
            done[request] = Completion(ids[row], scores, reason, texts[row], facts)
        assert self.cache is not None
        order = self.cache.leave(alive)
        self.rows = {name: value[order] for name, value in rows.items()} if len(order) else {}
        return done

    def renew(self, version: int, recompute: bool) -> None:
        """Go on with the engine's new weights, between `leave` and `advance`.

        The next token is drawn from what they say. Of what was written before, they see the keys and
        values that the old weights left (so does PipelineRL), or with `recompute` their own.
        """
        self.version = version
        if not self.rows:
            return
        rows = self.rows
        of = rows["request"].tolist()
        for request, step in zip(of, rows["step"].tolist(), strict=True):
            self.wrote[request].go_on(version, step)
        if not recompute:
            return
        engine, texts = self.engine, []
        for row, (request, step) in enumerate(zip(of, rows["step"].tolist(), strict=True)):
            r, vision = self.requests[request], engine.vision
            ids = vision.expand(r.prompt_ids, r.pictures) if vision else r.prompt_ids
            texts.append((ids + rows["tokens"][row, :step].tolist(), r.pictures))
        ids, start, pictured = lay(texts, engine.device, engine.vision)
        self.cache = engine.variant.open(start, self.context)
        rows["logits"] = self.cache.prefill(engine._call, ids, pictured)
        self.cache.share(torch.arange(len(of), device=engine.device))
        del rows["last"]

    def advance(self) -> None:
        """The logits after each row's last token, where they are not known yet."""
        if "last" in self.rows:
            assert self.cache is not None
            self.rows["logits"] = self.cache.step(self.engine._call, self.rows.pop("last"))


def as_facts(kept: list[np.ndarray]) -> dict[str, list[int]]:
    """Sets of token ids, one a token, as they stand in a record's `generation`."""
    return {"kept_ids": np.concatenate(kept).tolist(), "kept_counts": [len(ids) for ids in kept]}

"""The engine for CPUs, Apple and single GPUs: a transformers model and a decode loop of our own.

transformers' `generate` prefills a prompt once per sample, keeps finished sequences in the batch to
the end and draws all of them from one random stream. Here

- a prompt is prefilled once for all its samples; on a CPU they share its keys and values, elsewhere
  each gets a copy;
- a finished sequence leaves the batch (where that copies the others: in quarters, so that it pays)
  and those that wait take the places of a quarter together; how many run at once is bounded by
  `batch_tokens`;
- every sequence draws from its own random stream (seed, id, epoch, sample), and the
  log-probability of each token under the sampling distribution comes back in float32.

The same requests in the same order give bitwise the same result on CPU float32. In another order or
company only float rounding differs, so the drawn tokens are the same but for near ties.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor

from swr1 import models, positions
from swr1.devices import pick_device
from swr1.engines import Completion, Request, Sampling, check_room, random_stream
from swr1.engines.hf.call import Call, lay
from swr1.engines.hf.drawing import draw
from swr1.engines.hf.options import HFOptions
from swr1.engines.hf.variants import choose
from swr1.errors import DataError, SwrError, UsageError
from swr1.prompts import Prompt
from swr1.prompts.decoding import Decoder
from swr1.terminal import say
from swr1.vision import SeenPicture, Vision, vision_of

DEFAULTS = HFOptions()
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SAME_MODEL = (
    "_name_or_path",
    "transformers_version",
    "dtype",
    "torch_dtype",
)  # may differ in place


class HFEngine:
    """A causal language model of transformers on one device.

    Args:
        folder: a model folder with its tokenizer, or a hub name.
        options: threads None leaves torch's number of CPU threads as it is; device "auto" is as
            in swr1.devices.

    Raises UsageError for an impossible option and SwrError for a model that cannot be loaded.
    """

    name = "hf"
    Options = HFOptions

    def __init__(self, folder: str | Path, options: HFOptions = DEFAULTS) -> None:
        if options.dtype not in (*DTYPES, "auto"):
            raise UsageError(f"dtype must be float32, bfloat16 or auto, not {options.dtype!r}")
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        self.device = pick_device(options.device)
        self.dtype = options.dtype
        if options.dtype == "auto":
            self.dtype = "float32" if self.device.type == "cpu" else "bfloat16"
        self.version = f"{transformers.__version__}+torch{torch.__version__.partition('+')[0]}"
        self.batch_tokens = options.batch_tokens
        self.keep_sets = options.keep_sets
        self.vision: Vision | None = None
        self._create(folder)

    def _create(self, folder: str | Path) -> None:
        self.tokenizer = models.load_tokenizer(folder)
        model = models.load_causal_lm(folder, DTYPES[self.dtype])
        models.check_fit(model, self.tokenizer, folder)
        self.model = model.eval().requires_grad_(False).to(self.device)
        before = self.vision
        self.vision = vision_of(model)
        if before and self.vision:
            self.vision.opener = before.opener
        self.pictures = self.vision.facts if self.vision else None
        forbidden = self.vision.forbidden if self.vision else []
        self._forbidden = torch.tensor(forbidden, device=self.device)
        longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        end = positions.end(model.config)
        self.context = min(longest or 1 << 30, end or 1 << 30)
        self.turn = positions.threshold(model.config)
        self.variant, slow = choose(self.model, self.context)
        self._call = Call(self.model)
        if slow:
            say("swr1 rollout", slow)
        if self.turn and self.turn < self.context:
            say(
                "swr1 rollout",
                f"{type(model).__name__} has other positions beyond {self.turn} tokens (LongRoPE): a"
                " completion of a shorter prompt ends there, so that what is recorded is what a"
                " trainer computes",
            )
        if end and end < (longest or 1 << 30):
            say(
                "swr1 rollout",
                f"prompts and completions end at {end} tokens: beyond, what"
                f" {type(model).__name__} says depends on what is computed beside it",
            )
        ends = models.end_tokens(model.generation_config, self.tokenizer)
        self._eos = torch.tensor(ends, device=self.device)
        self._decode = Decoder(self.tokenizer)
        self._stop_enders: dict[tuple[str, ...], Tensor] = {}

    def load(self, folder: str | Path) -> None:
        """Take the weights in `folder`: in place when it is the same model, else a new model."""
        from safetensors import safe_open

        files = sorted(Path(folder).glob("*.safetensors"))
        if not files or _shape(models.load_config(folder)) != _shape(self.model.config):
            self._create(folder)
            return
        state = self.model.state_dict()
        if self.vision:  # stored under other names: transformers knows how to map them
            model = models.load_causal_lm(folder, DTYPES[self.dtype])
            new, seen = model.state_dict(), vision_of(model)
            same = {k: v.shape for k, v in new.items()} == {k: v.shape for k, v in state.items()}
            if not (same and seen and seen.settings == self.vision.settings):
                self._create(folder)
                return
            for key, value in new.items():
                state[key].copy_(value)
            return
        with ExitStack() as stack:
            opened = [stack.enter_context(safe_open(f, framework="pt")) for f in files]
            stored = {key: tensors for tensors in opened for key in tensors.keys()}  # noqa: SIM118
            missing = state.keys() - stored.keys() - self.model.all_tied_weights_keys.keys()
            if not missing and stored.keys() <= state.keys():
                for key, tensors in stored.items():
                    state[key].copy_(tensors.get_tensor(key))
                return
        self._create(folder)  # stored under other names, too

    def request(self, key: tuple[str, int, int], messages: list[dict], prompt: Prompt) -> Request:
        """The request for one sample; DataError if the prompt is not what the model takes (text, or
        pictures too) or leaves no room."""
        request = Request.of(key, self.tokenizer, messages, prompt, self.vision)
        self._check(request)
        return request

    def _check(self, request: Request) -> None:
        name = f"record {request.key[0]!r}"
        if not request.prompt_ids:
            raise DataError(f"{name}: the prompt is empty")
        if request.length == self.turn:
            raise DataError(
                f"{name}: the prompt has exactly the {self.turn} tokens beyond which the model's"
                " positions are others (LongRoPE): an answer would begin on both sides"
            )
        check_room(request, self.context, "the model's context has")

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order.

        A completion ends at an end token, after a stop string, after `max_tokens`, or where the
        model's context ends. Raises DataError for a prompt too long for the context and
        SwrError if the model yields NaN.
        """
        for request in requests:
            self._check(request)
        done: dict[int, Completion] = {}
        for context, some in self._sides(requests):
            done |= self._complete(some, sampling, context)
        return [done[i] for i in range(len(requests))]

    def _sides(self, requests: Sequence[Request]) -> list[tuple[int, list[tuple[int, Request]]]]:
        """The requests, with their numbers, that may be in one pass, and where each must end."""
        numbered = list(enumerate(requests))
        if self.turn is None or self.turn >= self.context:
            return [(self.context, numbered)]
        short = [(i, r) for i, r in numbered if r.length < self.turn]
        far = [(i, r) for i, r in numbered if r.length > self.turn]
        return [(self.turn, short), (self.context, far)]

    def _complete(
        self, requests: list[tuple[int, Request]], sampling: Sampling, context: int
    ) -> dict[int, Completion]:
        longest = max((r.length for _, r in requests), default=0)
        columns = min(longest + sampling.max_tokens, context)
        rows = max(1, self.batch_tokens // max(1, columns))
        batch = _Batch(self, sampling, context, rows)
        waiting = deque(requests)
        done: dict[int, Completion] = {}
        while True:
            if room := min(len(waiting), batch.free()):
                batch.admit([waiting.popleft() for _ in range(room)])
            if not batch.rows:
                return done
            batch.draw()
            if batch.spare():
                done |= batch.leave()
            batch.advance()

    def _enders(self, stop: tuple[str, ...]) -> Tensor:
        """[vocabulary] True for tokens that can be the last of a stop string."""
        if stop not in self._stop_enders:
            # A space at the end may come from joining words, and half a character shows as U+FFFD.
            always = any(s[-1].isspace() for s in stop)
            last = {s[-1] for s in stop} | {"\ufffd"}
            size = self.model.get_output_embeddings().weight.shape[0]
            texts = self.tokenizer.batch_decode([[i] for i in range(size)])
            flags = [always or any(c in text for c in last) for text in texts]
            self._stop_enders[stop] = torch.tensor(flags, device=self.device)
        return self._stop_enders[stop]


class _Batch:
    """The sequences being written. Per-row tensors are kept in one dict, so rows move together.

    request: its index; step: tokens written; limit: most tokens it may have; alive: still
    writing; stopped: ended by itself; tokens, logprobs, uniforms: [rows, max_tokens + 1], one column
    for a full row to write beyond its end; logits: of the next token; last: the token before it.
    """

    def __init__(self, engine: HFEngine, sampling: Sampling, context: int, max_rows: int) -> None:
        self.engine, self.sampling = engine, sampling
        self.context, self.max_rows = context, max_rows
        self.rows: dict[str, Tensor] = {}
        self.cache: Any = None  # caches.RowCache, or another with its methods
        self.tail = max((len(s.encode()) for s in sampling.stop), default=0) + 8
        self.alive = 0
        self.kept: dict[int, list[np.ndarray]] = {}  # of a request: of each token, what was left

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
            facts = as_facts(self.kept.pop(request)) if request in self.kept else {}
            reason = "stop" if stopped else "length"
            done[request] = Completion(ids[row], scores, reason, texts[row], facts)
        assert self.cache is not None
        order = self.cache.leave(alive)
        self.rows = {name: value[order] for name, value in rows.items()} if len(order) else {}
        return done

    def advance(self) -> None:
        """The logits after each row's last token."""
        if self.rows:
            assert self.cache is not None
            self.rows["logits"] = self.cache.step(self.engine._call, self.rows.pop("last"))


def as_facts(kept: list[np.ndarray]) -> dict[str, list[int]]:
    """Sets of token ids, one a token, as they stand in a record's `generation`."""
    return {"kept_ids": np.concatenate(kept).tolist(), "kept_counts": [len(ids) for ids in kept]}


def _shape(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.to_dict().items() if key not in SAME_MODEL}

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

import torch
import transformers
from torch import Tensor

from swr1 import models, positions
from swr1.devices import pick_device
from swr1.engines import Completion, Request, Sampling, check_room
from swr1.engines.hf.batch import Batch
from swr1.engines.hf.call import Call
from swr1.engines.hf.flow import HFFlow
from swr1.engines.hf.options import HFOptions
from swr1.engines.hf.variants import choose
from swr1.errors import DataError, UsageError
from swr1.prompts import Prompt
from swr1.prompts.decoding import Decoder
from swr1.terminal import say
from swr1.vision import Vision, vision_of

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

    def flow(self, sampling: Sampling, version: int, recompute: bool) -> HFFlow | None:
        """Completions under way, which new weights may meet (see swr1.engines.Flow); None for a model
        whose positions change with the length of a sequence (LongRoPE)."""
        if self.turn is not None and self.turn < self.context:
            return None
        return HFFlow(self, sampling, version, recompute)

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
        batch = Batch(self, sampling, context, rows)
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


def _shape(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.to_dict().items() if key not in SAME_MODEL}

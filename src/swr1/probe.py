"""Does a model say along our way what it says when it is called the plain way?

    probe = Probe(model)                      # a few short passes: model(ids).logits, one text at a time
    off = probe.compare(computed)             # what our way gave for the same tokens
    if not off.close: ...                     # take another way, or refuse with off.nats

Architectures differ in what they do after their output layer, in what they keep between steps and in
where they take positions from, and new ones come every month. So nothing is looked up in a list:
whoever has a faster way of its own, to train or to complete, tries it on these texts when a model is
loaded, and takes it only if it gives the plain numbers.

The texts are short. What begins to matter at thousands of tokens only (windows, the choice of the
best keys, temperatures that grow) is made to begin after a few, for as long as the probe lasts.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swr1.errors import SwrError
from swr1.vision import SeenPicture, Vision, vision_of

# Tokens of prompt and of completion; the first two have the same prompt, the last ones are uneven.
SIZES = [(10, 3), (10, 5), (13, 3)]
# What a model does differently beyond so many tokens, by the names that modules and configurations
# have for it, and the number that it has while a probe lasts.
BEYOND = {"floor_scale": 4, "sliding_window": 7, "attention_chunk_size": 8}


class Off(NamedTuple):
    """How far two ways of asking are apart: the largest difference in nats, and the verdict."""

    nats: float
    close: bool


class Probe:
    """The plain answers of a causal language model in eval mode, to compare others with.

    The texts of a model that takes pictures have some: the first two one, the third two of uneven
    sizes. What no completion may hold (swr1.vision) has no probability.

    Attributes:
        texts: token ids [T] int64, on the CPU. prompts: tokens of each text's prompt.
        pictures: of each text.
        table: [N, V] float32 log-probabilities of what may follow, for every token of the
            completions, one text after another. tokens: [N] those that stand there.

    Raises SwrError in one line for a model that cannot be called with token ids alone, gives NaN,
    or lets a token see what comes after it: log-probabilities of its completions mean nothing.
    """

    def __init__(self, model: Any, autocast: torch.dtype | None = None, longer: int = 1) -> None:
        """`longer`: how many times the lengths of SIZES the texts have."""
        self.model, self.autocast = model, autocast
        self.name = type(model).__name__
        self.vision = vision_of(model)
        self.prompts = [longer * n for n, _ in SIZES]
        self.texts = draw(model, longer)
        self.pictures: list[list[SeenPicture]] = [[] for _ in self.texts]
        if self.vision:
            self._illustrate(self.vision)
        with torch.no_grad(), self.within():
            tables = [self._plain(*both) for both in zip(self.texts, self.pictures, strict=True)]
        both = [t[: self.prompts[0] - 1] for t in tables[:2]]
        spread = float(both[0][both[0].isfinite()].std())
        if not (off := _off(both[0], both[1], spread, self._tolerance)).close:
            raise SwrError(
                f"{self.name} lets a token see what comes after it: log-probabilities change by"
                f" {off.nats:.2g} nats with later tokens, so it is no language model to sample from"
                + (" (is_decoder is not set)" if hasattr(model.config, "is_decoder") else "")
            )
        self.table = torch.cat([t[n - 1 :] for t, n in zip(tables, self.prompts, strict=True)])
        parts = zip(self.texts, self.prompts, strict=True)
        self.tokens = torch.cat([ids[n:] for ids, n in parts]).to(self.table.device)
        self.spread = float(self.table[self.table.isfinite()].std())

    def _illustrate(self, vision: Vision) -> None:
        """Put pictures of noise into the prompts, behind their second and fourth tokens."""
        small, large = (noise(vision, size) for size in ((64, 64), (68, 76)))
        for i, some in enumerate(([small], [small], [large, small])):
            ids = self.texts[i].tolist()
            both = [*ids[:2], vision.token, *ids[2:4], vision.token, *ids[4:]]
            whole = vision.expand(both if len(some) == 2 else [*both[:3], *ids[2:]], some)
            self.prompts[i] += len(whole) - len(ids)
            self.texts[i], self.pictures[i] = torch.tensor(whole), some

    def _plain(self, ids: Tensor, pictures: Sequence[SeenPicture]) -> Tensor:
        """[T - 1, V] log-probabilities after each token but the last."""
        known = parameters(self.model)
        options: dict[str, Any] = {"use_cache": False} if "use_cache" in known else {}
        if self.vision:
            options |= self.vision.tensors(pictures, self.model.device)
            if "mm_token_type_ids" in known:  # from which the model makes positions of its own
                kinds = (ids == self.vision.token).int()
                options["mm_token_type_ids"] = kinds[None].to(self.model.device)
        try:
            out = self.model(input_ids=ids[None].to(self.model.device), **options)
            logits = out.logits[0, :-1]
        except Exception as error:
            raise SwrError(
                f"{self.name} cannot be called with token ids alone: {reason(error)}"
            ) from error
        if logits.isnan().any() or logits.ndim != 2:
            raise SwrError(
                f"{self.name} gives NaN: its weights have diverged, or dtype is too narrow"
            )
        return self._table(logits)

    def _table(self, logits: Tensor) -> Tensor:
        """[N, V] log-probabilities of logits."""
        logits = logits.float()
        if self.vision:
            logits = logits.clone()
            logits[:, self.vision.forbidden] = float("-inf")
        return torch.log_softmax(logits, -1)

    @contextmanager
    def within(self) -> Iterator[None]:
        """What begins late begins early; matrix products are in the requested dtype."""
        kind = self.model.device.type
        low = self.autocast
        with (
            _early(self.model),
            torch.autocast(
                kind,
                dtype=low or torch.bfloat16,
                enabled=low is not None and low != self.model.dtype,
            ),
        ):
            yield

    @property
    def _tolerance(self) -> float:
        exact = self.model.dtype == torch.float32 and self.autocast in (None, torch.float32)
        return 3e-4 if exact and not getattr(self.model, "is_loaded_in_4bit", False) else 0.05

    def compare(self, computed: Tensor) -> Off:
        """`computed`: [N] the log-probabilities of `tokens`, or [N, V] logits or log-probabilities."""
        want = self.table
        if computed.ndim == 2:
            computed = self._table(computed)
        else:
            want = want.gather(1, self.tokens[:, None])[:, 0]
        return _off(computed.float(), want, self.spread, self._tolerance)


def _off(computed: Tensor, want: Tensor, spread: float, tolerance: float) -> Off:
    """Close: the root mean square of the differences is small beside how far log-probabilities of
    this model lie apart. What sees another text, or has a wrong position, is off by as much."""
    gap = torch.where(computed == want, 0.0, (computed - want).abs())
    gap = torch.where(gap.isfinite(), gap, float("inf"))
    root = float(gap.square().mean().sqrt())
    return Off(float(gap.max()), root <= tolerance * (spread + 0.01))


def noise(vision: Vision, size: tuple[int, int]) -> SeenPicture:
    """A picture of noise, of so many pixels (height, width); it has no record."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)
    return vision.look(Image.fromarray(pixels), f"noise {size}", {})


def draw(model: Any, longer: int = 1) -> list[Tensor]:
    """Texts of random tokens; none stands for a picture or the like, one is what pads."""
    config = model.config.get_text_config()
    special = {
        n
        for c in (model.config, config)
        for name, value in vars(c).items()
        if name.endswith(("token_id", "token_index"))
        for n in (value if isinstance(value, list) else [value])
    }
    size = min(config.vocab_size, model.get_input_embeddings().weight.shape[0])
    allowed = torch.tensor([i for i in range(min(size, 1000)) if i not in special] or [0])
    generator = torch.Generator().manual_seed(0)

    def some(n: int) -> Tensor:
        return allowed[torch.randint(len(allowed), (n,), generator=generator)]

    first = some(longer * SIZES[0][0])
    texts = [torch.cat([first, some(longer * n)]) for _, n in SIZES[:2]]
    texts.append(some(longer * sum(SIZES[2])))
    pad = getattr(config, "pad_token_id", None)
    if pad is not None and 0 <= pad < size:
        texts[2][5] = pad
    return texts


@contextmanager
def _early(model: Any) -> Iterator[None]:
    """What a model does beyond a length it does after a few tokens."""
    config = model.config.get_text_config()
    changed = []
    for thing in [config, *model.modules()]:
        for name, value in BEYOND.items():
            held = vars(thing).get(name)
            if type(held) is int and held > value:
                changed.append((thing, name, held))
                setattr(thing, name, value)
    try:
        yield
    finally:
        for thing, name, held in changed:
            setattr(thing, name, held)


def parameters(model: Any) -> Sequence[str]:
    """The names of what the model's forward takes."""
    return list(inspect.signature(model.forward).parameters)


def reason(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__

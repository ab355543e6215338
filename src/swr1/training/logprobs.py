"""Log-probabilities of chosen tokens, without the table of [tokens x vocabulary] they come from.

A model's last hidden states become, for the positions that are trained on and in blocks of rows,
logits (in float32), their log-softmax at the token that stands there, and an entropy. What the
backward pass needs is kept up to a bound and computed again beyond it.

That rebuilds what the model does after its output layer, and not every architecture can be called
so: `settle` tries it when a model is loaded, and a model for which the numbers are not the plain
ones is asked for its own logits, in padded batches, or one sequence at a time.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.utils.checkpoint
from torch import Tensor
from torch.autograd.function import once_differentiable

from swr1 import positions, probe
from swr1.errors import SwrError
from swr1.probe import Probe
from swr1.training import packing
from swr1.training.packing import Example, Layout
from swr1.vision import vision_of

# Float32 elements: of the probabilities kept for the backward pass (beyond, they are computed
# again), and of those worked on at once: few enough for a CPU's caches, or enough for a GPU.
KEPT = 2**26
BLOCK = {"cpu": 2**23, "cuda": 2**26}
# The logit of a token that must not be sampled: its probability is exactly 0, and 0 times it is 0.
NEVER = -1e30


class Cut(NamedTuple):
    """Which tokens have no probability: ids [B] that no engine may sample (a picture would belong to
    each); and, of targets that were drawn from a cut distribution, all but those that were left, as
    pairs of a target's number and an id, `rows` [M] ascending and `ids` [M]. A target without pairs is whole.
    """

    banned: Tensor | None = None
    rows: Tensor | None = None
    ids: Tensor | None = None

    @classmethod
    def of(cls, examples: Sequence[Example], banned: Sequence[int], device: torch.device) -> "Cut":
        """That of examples, whose targets stand one after another."""
        never = torch.tensor(banned, device=device) if banned else None
        if all(e.kept is None for e in examples):
            return cls(never)
        none = torch.zeros(0, dtype=torch.long)
        each = [e.kept or (torch.zeros(len(e.targets), dtype=torch.long), none) for e in examples]
        counts = torch.cat([n for n, _ in each])
        rows = torch.repeat_interleave(torch.arange(len(counts)), counts)
        return cls(never, rows.to(device), torch.cat([ids for _, ids in each]).to(device))

    def __bool__(self) -> bool:
        return self.banned is not None or self.rows is not None

    def mask(self, n: int, vocab: int, first: int) -> Tensor:
        """[n, vocab] True where there is no probability, of the targets from `first` on."""
        device = next(t.device for t in self if t is not None)
        out = torch.zeros(n, vocab, dtype=torch.bool, device=device)
        if self.rows is not None and self.ids is not None:
            begin, end = torch.searchsorted(
                self.rows, torch.tensor([first, first + n], device=device)
            )
            rows, ids = self.rows[begin:end] - first, self.ids[begin:end]
            out[rows] = True
            out[rows, ids] = False
        if self.banned is not None:
            out[:, self.banned] = True
        return out


class Way(NamedTuple):
    """How a model is asked: in packed rows (else padded batches), by logits that are rebuilt from
    its hidden states (else its own, a whole table), or one sequence at a time."""

    packed: bool = True
    rebuilt: bool = True
    alone: bool = False


WAYS = [Way(), Way(rebuilt=False), Way(False), Way(False, False), Way(False, False, True)]


def way_of(model: Any) -> Way:
    """The way that `settle` found; of a model it never saw, padded and rebuilt."""
    way = getattr(model, "swr1_way", Way(packed=False))
    return way._replace(packed=way.packed and packing.enabled(model))


def settle(model: Any, autocast: torch.dtype | None = None) -> list[str]:
    """Choose how a model in eval mode is asked: the first of WAYS that gives the plain numbers, in
    the dtype of matrix products it will be used in.

    Returns what was given up and why, a line each. Raises SwrError in one line, with the
    architecture and the size of the error, for a model that none of them is right for.
    """
    plain = Probe(model, autocast)
    parts = zip(plain.texts, plain.prompts, plain.pictures, strict=True)
    some = [Example(ids, torch.arange(n, len(ids)), tuple(seen)) for ids, n, seen in parts]
    why: list[str] = []
    off = None
    for way in WAYS:
        if way.packed and (reason := packing.enable(model)):
            if not why:
                why.append(f"is trained in padded batches: {reason}")
            continue
        if not way.packed:
            packing.disable(model)
        model.swr1_way = way
        try:
            with torch.no_grad(), plain.within():
                off = plain.compare(_token_logprobs(model, some, None, None, autocast)[0])
            if off.close:
                return why
            gap = f"off by {off.nats:.2g} nats"
        except Exception as error:
            gap = probe.reason(error)
        if way in (WAYS[0], WAYS[2]):
            why.append(f"is asked for its own logits: rebuilt from hidden states they are {gap}")
        elif way == WAYS[1]:
            why = [f"is trained in padded batches: in a packed row it is {gap}"]
        elif way == WAYS[3]:
            why = [f"is scored one sequence at a time: in a batch it is {gap}"]
    raise SwrError(
        f"{plain.name} cannot be trained here: its log-probabilities are {gap} against a plain call"
    )


def token_logprobs(
    model: Any,
    examples: Sequence[Example],
    temperature: Tensor | None = None,
    *,
    entropy: str | None = None,
    autocast: torch.dtype | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Log-probability of every target token, float32 nats, examples one after another.

    Args:
        model: a transformers causal language model (its adapters, if any, as they are set), asked in
            the way that `settle` found.
        temperature: [N] what the logits of each target are divided by (the sampling temperature);
            None: 1.
        entropy: "value" also returns the entropy of each target's distribution, in nats; "grad"
            returns it with its gradient.
        autocast: the dtype of the matrix products, e.g. torch.bfloat16; None: the weights' own.

    Sequences whose length gives them other positions (LongRoPE) are never in one pass. A token that
    no engine may sample, because a picture would belong to it, has no probability here either. Where an
    example says which tokens were left (`kept`), the probability is that among them, as it was drawn.

    Returns [N] and [N] or None, on the model's device; the first carries a gradient (if enabled).
    Raises SwrError for a sequence whose positions depend on what ran before it (dynamic RoPE), and
    for one that lacks the pixels of its pictures.
    """
    sides = positions.sides(model.config, [len(e.ids) for e in examples])
    if way_of(model).alone:
        sides = [(side, [i]) for side, some in sides for i in some]
    sizes = [len(e.targets) for e in examples]
    if len(sides) == 1:
        return _token_logprobs(model, examples, temperature, entropy, autocast, sides[0][0])
    warm: Sequence[Any] = [None] * len(sizes) if temperature is None else temperature.split(sizes)
    logps: list[Any] = [None] * len(sizes)
    entropies: list[Any] = [None] * len(sizes)
    for side, some in sides:
        t = None if temperature is None else torch.cat([warm[i] for i in some])
        chosen = [examples[i] for i in some]
        logp, h = _token_logprobs(model, chosen, t, entropy, autocast, side)
        for out, value in ((logps, logp), (entropies, h)):
            if value is not None:
                parts = value.split([sizes[i] for i in some])
                for i, part in zip(some, parts, strict=True):
                    out[i] = part
    return torch.cat(logps), torch.cat(entropies) if entropy else None


def _token_logprobs(
    model: Any,
    examples: Sequence[Example],
    temperature: Tensor | None,
    entropy: str | None,
    autocast: torch.dtype | None,
    reach: int = 0,
) -> tuple[Tensor, Tensor | None]:
    """The same for sequences that may share a pass; `reach`: the least length this must have."""
    device = model.device
    way, vision = way_of(model), vision_of(model)
    cut = Cut.of(examples, vision.forbidden if vision else (), device)
    if not vision and any(e.pictures for e in examples):
        raise SwrError(f"{type(model).__name__} takes no pictures, and an example has some")
    tokens = torch.cat([e.ids[e.targets] for e in examples]).to(device)
    if temperature is not None:
        temperature = temperature.to(device)
    enabled = autocast is not None and autocast != model.dtype
    with torch.autocast(device.type, dtype=autocast or torch.bfloat16, enabled=enabled):
        if way.packed:
            layout = Layout.of(examples, device, reach, vision)
            inputs, predictors = layout.inputs(), layout.predictors
        else:
            inputs, predictors = _padded(model, examples, device, reach)
        if not way.rebuilt:
            logits = model(**inputs).logits
            logits = logits.reshape(-1, logits.shape[-1]).index_select(0, predictors)
            logits = _with_eyes(model, logits)
            return _score(logits, tokens, temperature, entropy, cut)
        hidden = model.base_model(**inputs).last_hidden_state
        hidden = hidden.reshape(-1, hidden.shape[-1]).index_select(0, predictors)
        hidden = _with_eyes(model, hidden)
        head = model.get_output_embeddings()
        if type(head) is torch.nn.Linear and head.bias is None and not _cap(model.config):
            dtype = autocast if enabled else head.weight.dtype
            scale = _scale(model.config, temperature, tokens)
            logp, h = _Pick.apply(
                hidden.to(dtype), head.weight.to(dtype), tokens, scale, entropy is not None, cut
            )
            return logp, h if entropy == "grad" else h.detach() if entropy else None
        rows = max(1, KEPT // head.weight.shape[0])
        parts = [
            torch.utils.checkpoint.checkpoint(
                _rebuilt,
                head,
                model.config,
                hidden[i : i + rows],
                tokens[i : i + rows],
                None if temperature is None else temperature[i : i + rows],
                entropy,
                cut,
                i,
                use_reentrant=False,
            )
            for i in range(0, len(tokens), rows)
        ]
    logp = torch.cat([p[0] for p in parts])
    return logp, torch.cat([p[1] for p in parts]) if entropy else None


def _with_eyes(model: Any, values: Tensor) -> Tensor:
    """The same values; with sharded weights, all that stands beside the decoder has a gradient.

    There the ranks exchange the gradients that they have, and must have the same ones: a rank whose
    sequences are texts has none of the vision tower. What it gets is zero.
    """
    if not (vision_of(model) and getattr(model, "swr1_sharded", False) and torch.is_grad_enabled()):
        return values
    decoder = set(map(id, model.get_decoder().parameters()))
    rest = [p for p in model.base_model.parameters() if p.requires_grad and id(p) not in decoder]
    return values + sum((p.sum() for p in rest), values.new_zeros(())) * 0.0


def _padded(
    model: Any, examples: Sequence[Example], device: torch.device, reach: int
) -> tuple[dict[str, Any], Tensor]:
    """The inputs of a model that cannot take a packed row, and the places that predict.

    No mask: under causal attention no real token can see what stands to its right.
    """
    # The last token of a sequence predicts nothing that is trained on.
    width = max(max(len(e.ids) for e in examples) - 1, reach)
    inputs = torch.zeros(len(examples), width, dtype=torch.long)
    for row, e in enumerate(examples):
        inputs[row, : len(e.ids) - 1] = e.ids[:-1]
    predictors = torch.cat([row * width + e.targets - 1 for row, e in enumerate(examples)])
    arguments: dict[str, Any] = {"input_ids": inputs.to(device)}
    if "use_cache" in probe.parameters(model):
        arguments["use_cache"] = False
    if vision := vision_of(model):
        for e in examples:
            vision.check(e.ids, e.pictures)
        arguments |= vision.tensors([p for e in examples for p in e.pictures], device)
        if vision.spatial:
            places = torch.zeros(3, *inputs.shape, dtype=torch.long)
            for row, e in enumerate(examples):
                places[:, row, : len(e.ids) - 1] = vision.positions(e.ids[:-1], e.pictures)
            arguments["position_ids"] = places.to(device)
    return arguments, predictors.to(device)


def _cap(config: Any) -> float | None:
    return getattr(config, "final_logit_softcapping", None)


def _scale(config: Any, temperature: Tensor | None, tokens: Tensor) -> Tensor | None:
    """[N] what the output layer's logits are multiplied by; None: nothing."""
    scale = getattr(config, "logit_scale", None) or 1.0
    scale /= getattr(config, "logits_scaling", None) or 1.0
    if temperature is None:
        return None if scale == 1 else torch.full(tokens.shape, scale, device=tokens.device)
    return scale / temperature


class _Pick(torch.autograd.Function):
    """Log-softmax at `tokens`, and the entropy, of logits that are used up block by block.

    Autograd would hold several tables in memory and pass over each; here one is made, turned into
    probabilities in place, and in the backward pass into the gradient of the logits, in place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        tokens: Tensor,
        scale: Tensor | None,
        entropy: bool,
        cut: Cut,
    ) -> tuple[Tensor, Tensor]:
        """hidden [N, d], weight [V, d], tokens [N], scale [N] -> [N] and [N] (zeros if unwanted)."""
        n, vocab = len(tokens), weight.shape[0]
        logp = torch.empty(n, device=hidden.device)
        h = torch.zeros_like(logp)
        log_z = torch.empty_like(logp)
        keep = n * vocab <= KEPT and any(ctx.needs_input_grad)
        ctx.probabilities = []
        rows = max(1, BLOCK.get(hidden.device.type, KEPT) // vocab)
        for i in range(0, n, rows):
            part = slice(i, i + rows)
            z = _logits(hidden[part], weight, scale, part, cut)
            log_z[part] = torch.logsumexp(z, -1)
            logp[part] = z.gather(-1, tokens[part, None]).squeeze(-1) - log_z[part]
            if entropy:
                p = torch.softmax(z, -1)
                h[part] = log_z[part] - torch.linalg.vecdot(p, z)
            elif keep:
                p = z.sub_(log_z[part, None]).exp_()
            if keep:
                ctx.probabilities.append(p)
        ctx.save_for_backward(hidden, weight, tokens, scale, log_z, h)
        ctx.rows, ctx.cut = rows, cut
        ctx.set_materialize_grads(False)
        return logp, h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_logp: Tensor | None, of_entropy: Tensor | None) -> tuple:
        hidden, weight, tokens, scale, log_z, h = ctx.saved_tensors
        of_logp = torch.zeros_like(log_z) if of_logp is None else of_logp
        to_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        to_weight = (
            torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        )
        for i in range(0, len(tokens), ctx.rows):
            part = slice(i, i + ctx.rows)
            if ctx.probabilities:
                p, ctx.probabilities[i // ctx.rows] = ctx.probabilities[i // ctx.rows], None
            else:
                p = _logits(hidden[part], weight, scale, part, ctx.cut)
                p = p.sub_(log_z[part, None]).exp_()
            g = of_logp[part, None]
            if of_entropy is not None:
                # d entropy / d logit = -p (log p + entropy)
                slope = torch.special.xlogy(p, p).add_(p * h[part, None])
                p = p.mul_(-g).sub_(slope.mul_(of_entropy[part, None]))
            else:
                p = p.mul_(-g)
            p.scatter_add_(1, tokens[part, None], g)
            if scale is not None:
                p.mul_(scale[part, None])
            p = p.to(hidden.dtype)
            if to_hidden is not None:
                to_hidden[part] = p @ weight
            if to_weight is not None:
                if p.dtype == torch.float32:
                    to_weight.addmm_(p.T, hidden[part])
                else:
                    to_weight += p.T @ hidden[part]
        return (
            to_hidden,
            None if to_weight is None else to_weight.to(weight.dtype),
            None,
            None,
            None,
            None,
        )


def _logits(hidden: Tensor, weight: Tensor, scale: Tensor | None, part: slice, cut: Cut) -> Tensor:
    z = (hidden @ weight.T).float()
    z = z if scale is None else z.mul_(scale[part, None])
    if cut.rows is not None:
        z.masked_fill_(cut.mask(z.shape[0], z.shape[1], part.start), NEVER)
    elif cut.banned is not None:
        z[:, cut.banned] = NEVER
    return z


def _rebuilt(
    head: Any,
    config: Any,
    hidden: Tensor,
    tokens: Tensor,
    temperature: Tensor | None,
    entropy: str | None,
    cut: Cut = Cut(),
    first: int = 0,
) -> tuple[Tensor, Tensor | None]:
    """The same by autograd, for an output layer that is more than one matrix."""
    logits = head(hidden).float()
    # What a few architectures do to logits after the output layer (Granite, Cohere, Gemma).
    if scaling := getattr(config, "logits_scaling", None):
        logits = logits / scaling
    if scale := getattr(config, "logit_scale", None):
        logits = logits * scale
    if cap := _cap(config):
        logits = torch.tanh(logits / cap) * cap
    return _score(logits, tokens, temperature, entropy, cut, first)


def _score(
    logits: Tensor,
    tokens: Tensor,
    temperature: Tensor | None,
    entropy: str | None,
    cut: Cut = Cut(),
    first: int = 0,
) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities and entropy from whole logits [N, V], of the targets from `first` on."""
    logits = logits.float()
    if temperature is not None:
        logits = logits / temperature[:, None]
    if cut:
        logits = logits.masked_fill(cut.mask(logits.shape[0], logits.shape[1], first), NEVER)
    everything = torch.logsumexp(logits, dim=-1)
    logp = logits.gather(-1, tokens[:, None]).squeeze(-1) - everything
    if not entropy:
        return logp, None
    with torch.set_grad_enabled(entropy == "grad" and torch.is_grad_enabled()):
        table = logits - everything[:, None]
        p = table.exp()
        # A logit of -inf has probability 0 and adds nothing.
        return logp, -torch.where(p > 0, p * table, 0.0).sum(-1)

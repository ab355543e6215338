"""Where the length of a sequence changes the positions of all its tokens.

Most models turn a token's position into the same numbers whatever follows. LongRoPE (Phi-3, MiniCPM)
has one set of factors for sequences up to the length it was first trained on and another beyond, and
transformers picks one for everything in a call by the longest sequence in it; dynamic NTK makes new
factors for every length beyond, and keeps those of the longest it has seen.

So sequences on two sides of such a length are never in one call, and a completion that begins on one
side ends before the other: what a sampler recorded is what a trainer computes from the whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from swr1.errors import SwrError


def threshold(config: Any) -> int | None:
    """The longest sequence in tokens that has the first set of factors; None: all have the same."""
    lengths = [n for kind, n in _changes(config) if kind == "longrope"]
    return min(lengths, default=None)


def end(config: Any) -> int | None:
    """The longest sequence of which the model says the same in any company and after any other.

    Beyond it dynamic RoPE depends on what ran before; and where an indexer chooses the keys that a
    token sees (DeepSeek-V3.2, GLM-5), the rounding of another batch or cache chooses others.
    """
    lengths = [n for kind, n in _changes(config) if kind == "dynamic"]
    return min([*lengths, *_chosen(config)], default=None)


def _chosen(config: Any) -> Iterator[int]:
    """The lengths in tokens up to which an indexer chooses all keys that there are."""
    text = config.get_text_config()
    # A key is a token, or stands for several (DeepSeek-V4), or for a block (MiniMax-M3).
    rates = getattr(text, "compress_rates", None) or {}
    tokens = {"index_topk": rates.get("compressed_sparse_attention", 1), "indexer_budget": 1}
    if any("sparse" in kind for kind in getattr(text, "layer_types", None) or ()):
        tokens["index_topk_blocks"] = getattr(text, "index_block_size", 1)
    for name, each in tokens.items():
        if type(count := getattr(text, name, None)) is int:
            yield count * each


def _changes(config: Any) -> Iterator[tuple[str, int]]:
    text = config.get_text_config()
    given = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    if not isinstance(given, dict):
        return
    layers = [v for v in given.values() if isinstance(v, dict)]
    for rope in layers or [given]:
        kind = rope.get("rope_type", rope.get("type")) or ""
        length = rope.get("original_max_position_embeddings") or getattr(
            text, "original_max_position_embeddings", None
        )
        longest = getattr(text, "max_position_embeddings", None)
        pairs = (("short_factor", "long_factor"), ("short_mscale", "long_mscale"))
        if kind == "longrope" and any(rope.get(a) != rope.get(b) for a, b in pairs):
            yield kind, int(length or longest or 1 << 30)
        elif "dynamic" in kind:
            yield "dynamic", int(longest or 1 << 30)


def sides(config: Any, lengths: Sequence[int]) -> list[tuple[int, list[int]]]:
    """The sequences that may share a call: (least length the call must have, their numbers).

    Raises SwrError for one beyond `end`.
    """
    limit, last = threshold(config), end(config)
    if last is not None and max(lengths, default=0) > last:
        raise SwrError(
            f"a sequence of {max(lengths)} tokens is beyond the {last} up to which this model says"
            " the same in any company (dynamic RoPE, or keys that are chosen). Leave longer ones out"
        )
    if limit is None:
        return [(0, list(range(len(lengths))))]
    short = [i for i, n in enumerate(lengths) if n <= limit]
    far = [i for i, n in enumerate(lengths) if n > limit]
    return [(reach, some) for reach, some in ((0, short), (limit + 1, far)) if some]

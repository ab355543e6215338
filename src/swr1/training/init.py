"""Version 0 of a policy: a small decoder made from a corpus, or somebody's weights.

    init_policy("runs/kk", corpus=corpus_texts(records))                 # small, word-level
    init_policy("runs/kk", source="Qwen/Qwen2.5-0.5B-Instruct")          # a hub name
    init_policy("runs/kk", source="SmolLM2-135M-Instruct.Q4_1.gguf")     # a GGUF, dequantized

A small policy speaks ChatML. Its word-level tokenizer has one token per word or punctuation mark
(a puzzle world has a few dozen), its byte-level BPE can write anything; both keep the tags of the
think/answer format whole, so that a tag costs one decision.

Why not the Qwen2 architecture: for a `qwen2` folder transformers 5 builds Qwen's own tokenizer
whatever the folder holds, so plain `AutoTokenizer` would misread a word-level one. Llama and Qwen3
(the same decoder, with normalised queries and keys) load as they were saved.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from swr1 import models
from swr1.errors import DataError, UsageError
from swr1.options import option
from swr1.policy import LASTING, Policy, marker_of, model_folder
from swr1.prompts import Prompt, as_facts
from swr1.tags import CONFIDENCE, INFORMATION, REASONING, pairs, split_tools, tool_name
from swr1.training.init_vision import FAMILIES, chat_template, family_of, make_model
from swr1.vision import vision_of

SPECIAL = ["<pad>", "<unk>", "<|im_start|>", "<|im_end|>"]

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# A word (with inner hyphens), a possessive or contracted ending, a line break, any other mark.
WORD = r"\n|\w+(?:-\w+)*|['’]\w+|[^\w\s]"


shape = partial(option, panel="A small new model")


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """A small new model: its tokenizer, its sizes and the seed of its random weights.

    `intermediate` is rounded up to a multiple of 8 where it is not given.
    """

    architecture: str = "llama"  # or "qwen3"; with pictures one of init_vision.FAMILIES
    vision: bool = shape(
        False, "A model that takes pictures (Qwen2.5-VL): one token for each 16x16 pixels."
    )
    tokenizer: str = shape("word", "word or bpe (byte-level), built on the input records.")
    tools: str = shape(
        "", "Tools that it may call, search,read say: their tags become tokens.", default="none"
    )
    vocab: int | None = shape(
        None, "Size of the vocabulary, at most.", default="all words; bpe: 2048"
    )
    hidden: int = shape(96, "Width of the hidden states.")
    layers: int = shape(3, "Number of layers.")
    heads: int = shape(4, "Number of attention heads.")
    kv_heads: int | None = shape(None, "Number of key and value heads.", default="as --heads")
    intermediate: int | None = shape(
        None, "Width of the feed-forward part.", default="8/3 of --hidden"
    )
    max_positions: int = shape(1024, "Longest prompt and completion, tokens.", "--context")
    rope_theta: float | None = shape(
        None, "Base of the rotary positions.", default="10000; with --vision 1000"
    )
    tie_embeddings: bool = True
    seed: int = shape(0, "Seed of the random weights.")

    @property
    def family(self) -> str:
        """The architecture, by transformers' name."""
        return "qwen2_5_vl" if self.vision and self.architecture == "llama" else self.architecture

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that are tokens of their own."""
        names = [tool_name(target) for target in split_tools(self.tools)]
        return REASONING + (pairs([*names, INFORMATION, CONFIDENCE]) if names else ())


def init_policy(
    path: str | Path,
    config: DecoderConfig | None = None,
    *,
    source: str | Path | None = None,
    corpus: Iterable[str] = (),
    dtype: str = "float32",
    force: bool = False,
    system_prompt: Prompt | Callable[[], Prompt | None] | None = None,
) -> Policy:
    """Write version 0 of the policy folder `path`.

    Args:
        config: of a small decoder with seeded random weights; not used with `source`.
        source: a hub name, a model folder, a policy folder (its latest version) or a .gguf file.
        corpus: texts that the tokenizer of a small decoder is built on (see `corpus_texts`).
        dtype: the weights' type on disk, e.g. "float32" or "bfloat16".
        force: start over where a policy exists (its versions, state and metrics are deleted).
        system_prompt: what rollouts and training are to put before its prompts, or a function that
            says it when `corpus` was read; None: as the policy that is its source remembers.

    Raises UsageError for impossible sizes, for an existing policy without `force`, and for a source
    that cannot be loaded.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    policy = Policy(path)
    if (policy.exists or (policy.path / "metrics.jsonl").exists()) and not force:
        raise UsageError(f"{path} is a policy already; --force deletes it and starts over")
    if (policy.path / "config.json").exists():
        raise UsageError(f"{path} is a model folder; make the policy elsewhere with --from {path}")
    if source is not None and Path(source).absolute() == policy.path.absolute():
        raise UsageError(f"{path} cannot be made from itself; name another folder")
    if source is not None:
        model, tok = load_source(source, dtype)
        meta: dict[str, Any] = {"from": str(source)}
        said = marker_of(model_folder(source)) if Path(source).is_dir() else {}
        meta |= {name: said[name] for name in LASTING if name in said}
    else:
        config = config or DecoderConfig()
        eyes = family_of(config.family)
        control = eyes.special if eyes else ()
        names = eyes.names if eyes else {}
        tok = make_tokenizer(config.tokenizer, corpus, config.vocab, config.tags, control, names)
        if eyes:
            tok.chat_template = chat_template(eyes)
        tok.model_max_length = config.max_positions
        model = make_decoder(tok, config, dtype)
        made = f"{config.family} config, {config.tokenizer} tokenizer, seed {config.seed}"
        meta = {"from": made}
    if callable(system_prompt):
        system_prompt = system_prompt()
    if system_prompt:
        meta["system_prompt"] = as_facts(system_prompt, whole=True)

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tok.save_pretrained(folder)
        if vision := vision_of(model):
            vision.save(folder)

    with policy.lock("init-policy"):
        for old in ("versions", "trainer"):
            shutil.rmtree(policy.path / old, ignore_errors=True)
        for old in ("latest", "metrics.jsonl"):
            (policy.path / old).unlink(missing_ok=True)
        parameters = sum(p.numel() for p in model.parameters())
        policy.publish(
            save,
            {"step": 0, "groups_consumed": 0, "parameters": parameters, "dtype": dtype, **meta},
        )
    return policy


def corpus_texts(records: Iterable[dict]) -> Iterator[str]:
    """The texts of records that a policy will read or write: messages, traces, completions."""
    for record in records:
        for message in record.get("prompt") or []:
            content = message.get("content")
            parts = content if isinstance(content, list) else [{"text": content}]
            yield from (part["text"] for part in parts if isinstance(part.get("text"), str))
        for text in ((record.get("info") or {}).get("trace"), record.get("completion")):
            if isinstance(text, str):
                yield text


def make_tokenizer(
    kind: str,
    corpus: Iterable[str],
    vocab: int | None = None,
    tags: Sequence[str] = REASONING,
    control: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
) -> Any:
    """A tokenizer built on `corpus`: "word" or "bpe" (see the module's text).

    Each of `tags` is one token, and so is each of `control`, which nobody can type.
    `names`: what the tokenizer calls some of those.
    """
    from transformers import PreTrainedTokenizerFast

    if kind not in ("word", "bpe"):
        raise UsageError(f"unknown tokenizer {kind!r}: it is word or bpe")
    special = [*SPECIAL, *control]
    smallest = len(special) + len(tags) + (256 if kind == "bpe" else 1)
    if vocab is not None and vocab < smallest:
        raise UsageError(
            f"--vocab {vocab} is too small for a {kind} tokenizer: at least {smallest}"
        )
    if kind == "word":
        backend = _word_level(corpus, vocab, tags, special)
    else:
        backend = _byte_level(corpus, vocab or 2048, tags, special)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        unk_token="<unk>" if kind == "word" else None,
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>", *control],
        clean_up_tokenization_spaces=False,
        padding_side="left",
        **({"model_specific_special_tokens": dict(names)} if names else {}),
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def _word_level(
    corpus: Iterable[str], vocab: int | None, tags: Sequence[str], special: Sequence[str]
) -> Any:
    """One token per word, written with a leading "▁" as the mark of a space before it.

    Decoding joins the tokens and takes the space away beside punctuation and line breaks, so that
    the text reads as it was written, up to spaces.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False),
        ]
    )
    counts: Counter[str] = Counter()
    for text in corpus:
        for token in (*special, *tags):
            text = text.replace(token, " ")
        counts.update(piece for piece, _ in split.pre_tokenize_str(text))
    if not counts:
        raise DataError("a word-level tokenizer needs a corpus: give puzzles (with traces) to read")
    needed = ["▁\n", "▁system", "▁user", "▁assistant"]
    ranked = [w for w, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    words = needed + [w for w in ranked if w not in needed]
    fixed = [*special, *tags]
    tokens = fixed + words[: vocab - len(fixed) if vocab else None]
    backend = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, "<unk>"))
    backend.pre_tokenizer = split
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    backend.add_tokens([AddedToken(t, special=False, normalized=False) for t in tags])
    tight = [(f"▁{mark}", mark) for mark in ".,;:!?)]}'’\n"]
    tight += [(f"{mark}▁", mark) for mark in "([{\n"]
    backend.decoder = decoders.Sequence(
        [decoders.Fuse(), *(decoders.Replace(a, b) for a, b in tight), decoders.Replace("▁", " ")]
    )
    return backend


def _byte_level(
    corpus: Iterable[str], vocab: int, tags: Sequence[str], special: Sequence[str]
) -> Any:
    """Byte-level BPE: any text goes in and comes back exactly."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[*special, *tags],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(corpus, trainer)
    # The trainer made the tags special; a special token is left out when a completion is decoded.
    backend.add_tokens([AddedToken(t, special=False, normalized=False) for t in tags])
    return backend


def make_decoder(tokenizer: Any, config: DecoderConfig, dtype: str) -> Any:
    """A causal language model of these sizes with random weights drawn from the seed."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    eyes = family_of(config.family)
    if not eyes and config.family not in ("llama", "qwen3"):
        raise UsageError(
            f"unknown architecture {config.family!r}: it is llama or qwen3, or of pictures"
            f" {', '.join(FAMILIES)}"
        )
    hidden, heads = config.hidden, config.heads
    kv_heads = config.kv_heads or heads
    intermediate = config.intermediate or -(-hidden * 8 // 3 // 8) * 8
    if min(hidden, config.layers, heads, kv_heads, intermediate, config.max_positions) < 1:
        raise UsageError("sizes of a policy are positive whole numbers")
    if hidden % heads or (hidden // heads) % 2 or heads % kv_heads:
        raise UsageError(
            f"hidden {hidden} must be an even multiple of heads {heads},"
            f" and heads a multiple of kv-heads {kv_heads}"
        )
    theta = config.rope_theta or (1_000.0 if eyes else 10_000.0)
    decoder = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": hidden // heads,
        "intermediate_size": intermediate,
        "max_position_embeddings": config.max_positions,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "tie_word_embeddings": config.tie_embeddings,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if eyes:
            model = make_model(config.family, decoder, tokenizer).to(_torch_dtype(dtype))
        else:
            made = AutoConfig.for_model(config.family, **decoder)
            model = AutoModelForCausalLM.from_config(made).to(_torch_dtype(dtype))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def load_source(source: str | Path, dtype: str = "float32") -> tuple[Any, Any]:
    """Model and tokenizer of a hub name, a model folder, a policy folder or a .gguf file."""
    path = Path(source).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise DataError("no such file", str(source))
        model, tokenizer = models.load_gguf(path, _torch_dtype(dtype))
    else:
        name = model_folder(source)
        model = models.load_causal_lm(name, _torch_dtype(dtype))
        tokenizer = models.load_tokenizer(name)
    models.check_fit(model, tokenizer, source)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _torch_dtype(name: str) -> Any:
    import torch

    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in dtypes:
        raise UsageError(f"unknown dtype {name!r}: one of {', '.join(dtypes)}")
    return dtypes[name]

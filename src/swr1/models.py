"""Opening a model, tokenizer, configuration or adapter: the one place that reads other people's.

A model folder comes from strangers. Whoever opens one here gets what it says, or one line that says
why not:

- none of its code runs, and nobody is asked, unless `trust_remote_code(True)` was called before;
- weights that are missing, of another size, cut short or not there at all are an error, never
  random numbers;
- an adapter comes merged into its base: what is loaded is a whole model.

`folder` is everywhere a model folder, an adapter's folder or a hub name; every function raises
SwrError for one that cannot be opened. torch and transformers are imported when one is.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swr1.errors import DataError, SwrError, UsageError
from swr1.policy import may_be_on_a_hub
from swr1.vision import PROCESSOR, Vision, takes_pictures

OPTION = "--trust-remote-code"
ADAPTER = "adapter_config.json"
WRITTEN = ("bos", "eos", "pad", "cls", "sep")  # special tokens that may stand in an input
GENERIC = ("TokenizersBackend", "PreTrainedTokenizerFast")
MAX_LAYERS = 10_000  # so many tiny ones take a minute to build
POINTER = b"version https://git-lfs"

_trusted = False
_notes_made: set[str] = set()


def trust_remote_code(allowed: bool) -> None:
    """Say for this process whether code that comes with a model may run. At first it may not.

    One switch, not an argument of every function: a forgotten argument would be a hole.
    """
    global _trusted
    _trusted = allowed


def trusted() -> bool:
    """Whether code that comes with a model may run."""
    return _trusted


def load_causal_lm(folder: str | Path, dtype: Any, **options: Any) -> Any:
    """The causal language model in `folder`, on the CPU, with every weight that it has.

    One that takes pictures, of an architecture in swr1.vision, comes with its eyes (`vision_of`).

    Args:
        dtype: a torch dtype, or "auto": as stored.
        options: further ones of transformers' from_pretrained.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    what = "a causal language model"
    with _explained(folder, what):
        sees = takes_pictures(_config(adapter_base(folder) or folder))
    if not sees:
        return _load(AutoModelForCausalLM, folder, what, dtype=dtype, **options)
    what = "a vision-language model"
    model = _load(AutoModelForImageTextToText, folder, what, dtype=dtype, **options)
    model.swr1_vision = load_vision(folder, load_tokenizer(folder), model.config)
    return model


def load_vision(folder: str | Path, tokenizer: Any, config: Any = None) -> Vision | None:
    """How the model in `folder` takes pictures; None for one that takes none that we know of."""
    config = config or load_config(folder)
    if not takes_pictures(config):
        return None
    from transformers import AutoImageProcessor
    from transformers.utils import cached_file

    what = "an image processor"
    with _explained(folder, what), _quietly():
        source = adapter_base(folder) or str(folder)
        processor = AutoImageProcessor.from_pretrained(
            source, backend="pil", trust_remote_code=_trusted
        )
        beside = cached_file(source, PROCESSOR, _raise_exceptions_for_missing_entries=False)
        facts = json.loads(Path(beside).read_text()) if beside else {}
        return Vision(config, processor, tokenizer, facts)


def load_classifier(
    folder: str | Path, labels: Collection[str], dtype: Any, *, tokens: bool, new_head: bool
) -> Any:
    """The classifier in `folder`, or, with `new_head`, a new head on its trunk where it has none.

    Args:
        labels: one, of a scalar head, or all classes. tokens: a head over every token.
    """
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    with _explained(folder, "a model with a head"):
        config = _config(adapter_base(folder) or folder)
    if takes_pictures(config):
        raise SwrError(
            f"{folder} takes pictures, and transformers has no classifier of the kind"
            f" {config.model_type}: a guard, reward model or process model starts from a model of texts"
        )
    return _load(
        AutoModelForTokenClassification if tokens else AutoModelForSequenceClassification,
        folder,
        "a model with a head",
        may_miss=_is_head if new_head else _nothing,
        dtype=dtype,
        id2label=dict(enumerate(labels)),
        label2id={name: i for i, name in enumerate(labels)},
    )


def load_encoder(folder: str | Path) -> Any:
    """The trunk of a model, whose last hidden states are used; its pooler may be missing."""
    from transformers import AutoModel

    return _load(AutoModel, folder, "an encoder", may_miss=lambda model, name: "pooler" in name)


def load_config(folder: str | Path) -> Any:
    """The configuration of a model; of an adapter, its base's."""
    with _explained(folder, "a configuration"):
        return _config(adapter_base(folder) or folder)


def load_generation_config(folder: str | Path) -> Any:
    """How a model's folder says that it generates; made from its configuration where it does not."""
    from transformers import GenerationConfig

    base = adapter_base(folder) or folder
    try:
        return GenerationConfig.from_pretrained(base)
    except OSError:
        return GenerationConfig.from_model_config(load_config(folder))


def end_tokens(generation_config: Any, tokenizer: Any) -> list[int]:
    """End tokens: the generation config's, the tokenizer's, and ChatML's end of a turn."""
    ends = {tokenizer.eos_token_id, tokenizer.get_vocab().get("<|im_end|>")}
    of_config = generation_config.eos_token_id
    return sorted(ends.union(of_config if isinstance(of_config, list) else [of_config]) - {None})


def load_tokenizer(folder: str | Path) -> Any:
    """The tokenizer of a model, as its tokenizer.json says; of an adapter without one, its base's.

    For some architectures (Qwen2 among them) transformers' AutoTokenizer puts its own pre-tokenizer
    in place of the stored one, even where the folder names the generic class: a word-level
    tokenizer would come back as a broken BPE. So the generic class is used where it is named.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    with _explained(folder, "a tokenizer"):
        base = adapter_base(folder)
        has_own = Path(folder).is_dir() and any(Path(folder).glob("tokenizer*"))
        source = base if base and not has_own else str(folder)
        facts = get_tokenizer_config(source)
        # transformers would take a class of its own in place of the folder's, with other ids.
        code = facts.get("auto_map")
        if code and not _trusted and (not isinstance(code, dict) or "AutoTokenizer" in code):
            raise _code_refused(source, "its tokenizer")
        if facts.get("tokenizer_class") in GENERIC and not code:
            return PreTrainedTokenizerFast.from_pretrained(source)
        return AutoTokenizer.from_pretrained(source, trust_remote_code=_trusted)


def load_gguf(file: Path, dtype: Any) -> tuple[Any, Any]:
    """Model, dequantized to `dtype`, and tokenizer of a .gguf file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with _explained(file, "a tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            str(file.parent), gguf_file=file.name, trust_remote_code=_trusted
        )
    dense = GgufConfig(gguf_file=file.name, dequantize=True)
    what = "a causal language model"
    with _explained(file, what), _quietly():
        model, info = AutoModelForCausalLM.from_pretrained(
            str(file.parent),
            dtype=dtype,
            gguf_file=file.name,
            quantization_config=dense,
            trust_remote_code=_trusted,
            output_loading_info=True,
        )
        _refuse_holes(file, what, model, info, _nothing)
    return model, tokenizer


def load_state(file: Path, device: Any) -> Any:
    """What torch.save wrote into a trainer's state: tensors and plain values, no other objects."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # whatever unpickling of garbage comes to
        raise DataError(
            f"the trainer's state is broken ({_first_line(error)}); delete that folder to go on from"
            " the state before it",
            str(file),
        ) from None


def check_fit(model: Any, tokenizer: Any, folder: str | Path) -> None:
    """Raises SwrError where the tokenizer has ids that the model's embedding has no row for.

    Control tokens that neither the chat template nor anybody else writes are passed over:
    transformers gives some tokenizers one more than they had.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    written = f"{tokenizer.chat_template}" if tokenizer.chat_template else ""
    written += " ".join(str(tokenizer.special_tokens_map.get(f"{n}_token")) for n in WRITTEN)
    control = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
    beyond = {
        token: at
        for token, at in tokenizer.get_vocab().items()
        if at >= rows and (token in written or token not in control)
    }
    if beyond:
        first = min(beyond, key=beyond.__getitem__)
        raise SwrError(
            f"the tokenizer of {folder} is larger than the model's embedding: {first!r} is token"
            f" {beyond[first]}, and there are {rows} rows. Tokens were added without resizing the"
            " model: resize it, or take the tokenizer that it was saved with"
        )


def adapter_base(folder: str | Path) -> str | None:
    """What the adapter in `folder` was made for: a folder or hub name; None where there is none.

    A relative path is taken from the adapter's folder, then from where we are. Raises SwrError for
    an adapter that says nothing usable, or that wants code of its own to be imported.
    """
    file = Path(folder) / ADAPTER
    if not file.is_file() or (Path(folder) / "config.json").is_file():
        return None
    try:
        facts = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise SwrError(f"{file} cannot be read: {error}") from None
    base = facts.get("base_model_name_or_path") if isinstance(facts, dict) else None
    if not isinstance(base, str) or not base or "\0" in base:
        raise SwrError(f"{file} does not say base_model_name_or_path, the model it belongs to")
    mapped = facts.get("auto_mapping") or {}
    library = mapped.get("parent_library") if isinstance(mapped, dict) else "?"
    has_custom_code = library is not None and str(library).partition(".")[0] not in (
        "transformers",
        "peft",
    )
    if (has_custom_code or facts.get("megatron_config")) and not _trusted:
        raise _code_refused(folder, "its adapter_config.json")
    near = Path(folder) / base
    if near.is_dir():
        return str(near)
    if not Path(base).expanduser().is_dir() and (
        base.startswith(("/", ".", "~")) or base.count("/") > 1
    ):
        raise SwrError(
            f"the adapter {folder} was made for {base}, which is not there: put the model there, or"
            f" say in {ADAPTER} where it is"
        )
    return str(Path(base).expanduser()) if Path(base).expanduser().is_dir() else base


def _load(
    auto: Any,
    folder: str | Path,
    what: str,
    *,
    may_miss: Callable[[Any, str], bool] | None = None,
    **options: Any,
) -> Any:
    """The model that transformers' `auto` class makes of `folder`, whole."""
    with _explained(folder, what), _quietly():
        base = adapter_base(folder)
        source = base or str(folder)
        config = _config(source)
        if getattr(config, "auto_map", None) and not _trusted:
            _note(
                f"{source} brings code of its own, which is not run: transformers' own"
                f" {config.model_type} is used (else: {OPTION})"
            )
        model, info = auto.from_pretrained(
            source,
            trust_remote_code=_trusted,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are looked at below
            **options,
        )
        _refuse_holes(source, what, model, info, may_miss or _nothing)
        if base:
            model = _merged(model, str(folder))
        return model


def _config(folder: str | Path) -> Any:
    from transformers import AutoConfig, PreTrainedConfig

    _refuse_endless(folder, PreTrainedConfig.get_config_dict(folder)[0])
    config = AutoConfig.from_pretrained(folder, trust_remote_code=_trusted)
    _refuse_kernels(folder, config)
    return config


def _merged(model: Any, folder: str) -> Any:
    """The model with the adapter of `folder` added into its weights."""
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrapped = PeftModel.from_pretrained(model, folder)
    for warning in caught:
        if "missing adapter keys" in str(warning.message):
            raise SwrError(f"the adapter {folder} does not fit its base: {_first_line(warning)}")
    if not hasattr(wrapped, "merge_and_unload"):
        kind = wrapped.peft_config["default"].peft_type.value
        raise SwrError(f"the adapter {folder} ({kind}) cannot be merged into a model")
    return wrapped.merge_and_unload(safe_merge=True)


def _refuse_holes(
    folder: str | Path, what: str, model: Any, info: Any, may_miss: Callable[[Any, str], bool]
) -> None:
    """Raises SwrError for weights that the model has and the folder has not, or of another size."""
    missing = sorted(k for k in info["missing_keys"] if not may_miss(model, k))
    if missing:
        raise SwrError(
            f"cannot load {what} from {folder}: it lacks {_three(missing)}. Its weights belong to"
            " another model, or are stored under other names"
            + (f" ({_three(sorted(info['unexpected_keys']))})" if info["unexpected_keys"] else "")
        )
    wrong = sorted(m for m in info["mismatched_keys"] if not may_miss(model, m[0]))
    if wrong:
        name, stored, needed = wrong[0]
        raise SwrError(
            f"cannot load {what} from {folder}: {name} is {_sizes(stored)} there, and its config"
            f" says {_sizes(needed)} ({len(wrong)} weights have another size)"
        )
    if info.get("error_msgs"):
        raise SwrError(f"cannot load {what} from {folder}: {_first_line(info['error_msgs'][0])}")
    if info["unexpected_keys"] and may_miss is _nothing:
        _note(f"{folder} has weights that are not used: {_three(sorted(info['unexpected_keys']))}")


def _nothing(model: Any, name: str) -> bool:
    return False


def _is_head(model: Any, name: str) -> bool:
    """Whether a weight belongs to a new head. A pooler, which only a head reads, counts."""
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def _refuse_kernels(folder: str | Path, config: Any) -> None:
    """Raises UsageError for a configuration that has attention or experts fetched from a hub."""
    parts = [config, *(getattr(config, name, None) for name in config.sub_configs)]
    for part in parts:
        for kind in ("_attn_implementation", "_experts_implementation"):
            named = getattr(part, kind, None)
            if isinstance(named, str) and "/" in named and not _trusted:
                raise _code_refused(folder, f"{kind.strip('_')} {named!r} in its config.json")


def _refuse_endless(folder: str | Path, facts: Any) -> None:
    """Raises SwrError for a config.json whose layers could not be built within the memory."""
    for name, value in facts.items() if isinstance(facts, dict) else ():
        _refuse_endless(folder, value)
        if "layer" in name and type(value) is int and value > MAX_LAYERS:
            raise SwrError(
                f"{folder} says {name} {value:,} in its config.json: models have at most"
                f" {MAX_LAYERS:,} layers"
            )


def _code_refused(folder: str | Path, what: str) -> UsageError:
    return UsageError(
        f"{folder} brings code of its own ({what}), which is not run. If you trust who made it,"
        f" allow it with {OPTION}"
    )


@contextmanager
def _explained(folder: str | Path, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is reported in one line. A folder of strangers may raise anything."""
    _look_elsewhere(folder, what)
    try:
        yield
    except SwrError:
        raise
    except Exception as error:
        text = str(error)
        if "custom code" in text or "trust_remote_code" in text:
            raise _code_refused(folder, "auto_map in its config.json") from None
        why = _broken_file(Path(folder)) or _first_line(error)
        if not Path(folder).exists():
            why = f"there is no such folder, and of the hub: {why}"
        if "backend tokenizer" in why:
            why = "it has no tokenizer.json, nor another tokenizer that can be read here"
        raise SwrError(f"cannot load {what} from {folder}: {why}") from error


def _look_elsewhere(folder: str | Path, what: str) -> None:
    """Say that a name is looked for on the network, which may take a minute where that is down.

    Raises SwrError for a name that no hub has.
    """
    name = str(folder)
    if Path(name).expanduser().exists():
        return
    if not may_be_on_a_hub(name):
        raise SwrError(
            f"cannot load {what} from {name}: no such folder, and a model on the hub is OWNER/NAME"
        )
    from huggingface_hub import try_to_load_from_cache

    if not isinstance(try_to_load_from_cache(name, "config.json"), str):
        _note(f"{name} is no folder here: looking for it on the Hugging Face hub")


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence the bars, reports and warnings of transformers: this module checks what they say."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)


def _broken_file(folder: Path) -> str | None:
    """Which file of a folder (or the file itself) is not whole, if one is seen not to be."""
    files = [folder] if folder.is_file() else sorted(folder.iterdir()) if folder.is_dir() else []
    for file in files:
        weights = file.suffix in (".safetensors", ".bin", ".gguf")
        if not file.is_file() or not (weights or file.suffix in (".json", ".model")):
            continue
        with open(file, "rb") as handle:
            start = handle.read(len(POINTER))
        if start == POINTER:
            return (
                f"{file.name} is a Git LFS pointer, not the file itself: fetch it with git lfs pull"
            )
        if file.suffix == ".safetensors" and not _is_whole(file):
            return f"{file.name} is cut short, or no safetensors file: copy it again"
        if file.suffix == ".bin" and start[:2] not in (b"PK", b"\x80\x02"):
            return f"{file.name} is cut short, or no file of torch: copy it again"
    return None


def _is_whole(file: Path) -> bool:
    """Whether a safetensors file has a header, and as many bytes as that says."""
    size = file.stat().st_size
    with open(file, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if size < 8 or length > size - 8:
            return False
        try:
            header = json.loads(handle.read(length))
            ends = [t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"]
            return 8 + length + max(ends, default=0) == size
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return False


def _three(names: list[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _sizes(shape: Any) -> str:
    return "x".join(map(str, shape))


def _first_line(error: Any) -> str:
    """The first line of an error's text, with what a terminal would obey made visible."""
    text = str(getattr(error, "message", error)).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _note(text: str) -> None:
    """A line on standard error, once, from the first rank."""
    if text not in _notes_made and os.environ.get("RANK", "0") == "0":
        _notes_made.add(text)
        print(f"note: {text}", file=sys.stderr, flush=True)

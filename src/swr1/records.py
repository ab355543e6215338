"""The record: one JSON object per line, which grows as it flows through the stages.

This is the only place that knows the fields: their types, who adds them, what they mean, how they
are checked when read, and which Parquet column each becomes. `docs/records.md` is generated from
it (`make docs`). A stage passes through every field that it does not know.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

VERSION = 1
# Verdicts that say whether an answer is right; of several on a record, the first one counts.
RIGHT_OR_WRONG = ("math", "choice", "exact", "f1", "knights")

Record = dict[str, Any]


class Field(NamedTuple):
    """One field. `type` is int, text, number, ints, float32s, or json (any shape)."""

    name: str
    type: str
    added_by: str
    meaning: str


FIELDS = [
    Field("v", "int", "source", "schema version"),
    Field("id", "text", "source", "hash of task, prompt and answer: the same item, the same id"),
    Field("task", "text", "source", "`knights`, `math`, `safety`, ...: which verifiers apply"),
    Field("prompt", "json", "source", "list of chat messages, each with `role` and `content`"),
    Field(
        "answer", "json", "source", "ground truth, shape by task (knights: `[[name, role], ...]`)"
    ),
    Field("info", "json", "source", "all else about the item: people, depth, seed, trace, licence"),
    Field("sample", "int", "rollout", "index of this completion in its prompt's group"),
    Field("completion", "text", "rollout", "the text that the policy wrote"),
    Field("generation.epoch", "int", "rollout", "which time round the source"),
    Field("generation.group", "int", "rollout", "samples per prompt, so that a gap is seen"),
    Field("generation.prefill", "text", "rollout", "how the prompt opened the assistant's turn"),
    Field("generation.policy", "json", "rollout", "`name` and `version` of the weights"),
    Field(
        "generation.engine",
        "json",
        "rollout",
        "`name`, `version`, `dtype`; `lacks`: why fields are absent; `trust_remote_code` if it was",
    ),
    Field(
        "generation.sampling",
        "json",
        "rollout",
        "temperature, top_p, top_k, min_p, stop, max_tokens, seed, kind of logprobs",
    ),
    Field("generation.prompt_ids", "ints", "rollout", "token ids of the rendered prompt"),
    Field("generation.token_ids", "ints", "rollout", "token ids of the completion"),
    Field("generation.logprobs", "float32s", "rollout", "log-probabilities when sampled, nats"),
    Field("generation.ref_logprobs", "float32s", "yours", "of a reference model, for its KL"),
    Field("generation.loss_mask", "ints", "rollout", "0 where the policy did not write the token"),
    Field(
        "generation.finish_reason", "text", "rollout", "`stop` or `length`; a server may say others"
    ),
    Field(
        "verdicts",
        "json",
        "verify",
        "verifier -> `score` (null: could not judge, `error` says why), `label`, `detail`, `by`",
    ),
    Field("reward", "number", "reward", "the number the policy is trained on"),
    Field(
        "reward_parts",
        "json",
        "reward",
        "by name: raw `value` (null: not judged) and `weight`; `gate` where a gate fired; `null`: skip",
    ),
    Field("trail", "json", "every stage", "stage -> digest of its options and code version"),
]

_TYPES = {field.name: field.type for field in FIELDS}
_TOP = {n: t for n, t in _TYPES.items() if "." not in n}
_GENERATION = {n.partition(".")[2]: t for n, t in _TYPES.items() if "." in n}
_SHAPES = {"prompt": list, "info": dict, "verdicts": dict, "reward_parts": dict, "trail": dict}
_NESTED_SHAPES = {"policy": dict, "engine": dict, "sampling": dict}
_PLAIN = {
    "int": ("a whole number", lambda x: type(x) is int),
    "text": ("a text", lambda x: type(x) is str),
    "number": ("a finite number", lambda x: type(x) in (int, float) and math.isfinite(x)),
    "ints": ("a list of whole numbers", lambda x: type(x) is list and set(map(type, x)) <= {int}),
    "float32s": (
        "a list of finite numbers",
        lambda x: (
            type(x) is list
            and set(map(type, x)) <= {int, float}
            and (not x or math.isfinite(sum(x)))
        ),
    ),
}
_PER_TOKEN = ("logprobs", "ref_logprobs", "loss_mask")

_sound: set[tuple] = set()  # needs, names and types of records that passed: only values differ
_SOUND_AT_MOST = 1000


def make_id(task: str, prompt: Any, answer: Any) -> str:
    """16 hex digits that name an item: equal for equal (task, prompt, answer)."""
    text = orjson.dumps([task, prompt, answer], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def key(record: Record) -> tuple[str, int, int]:
    """(id, epoch, sample): what makes a record one of its kind in a stream."""
    epoch = record.get("generation", {}).get("epoch", 0)
    return record["id"], epoch, record.get("sample", 0)


def mark(record: Record) -> Any:
    """The key as something hashable and small: the id alone where epoch and sample are 0."""
    if "sample" in record or "generation" in record:
        name, epoch, sample = key(record)
        return (name, epoch, sample) if epoch or sample else name
    return record["id"]


def float32_list(array: Any) -> list[float]:
    """A numpy float32 array as the shortest decimals that give back the same float32 values."""
    import numpy as np

    packed = np.ascontiguousarray(array, dtype=np.float32)
    return orjson.loads(orjson.dumps(packed, option=orjson.OPT_SERIALIZE_NUMPY))


def validate(record: Any, needs: Iterable[str] = ("id",)) -> None:
    """Check the types and lengths of the known fields. Raises ValueError, in a person's words.

    Args:
        record: what a line held.
        needs: fields that the stage cannot do without; dots reach into `generation`.
    """
    needs = tuple(needs)
    if type(record) is not dict:
        raise ValueError(f"a record is a JSON object, this is {_name_of(record)}")
    shape = (needs, *record, *map(type, record.values()))
    if shape in _sound and _sound_values(record):
        return
    _validate_all(record, needs)
    # what is inside `generation` the shape does not say
    if "generation" not in record and not any("." in name for name in needs):
        if len(_sound) == _SOUND_AT_MOST:
            _sound.clear()
        _sound.add(shape)


def _sound_values(record: Record) -> bool:
    """Whether the values hold, too, that `_validate_all` looks into when the types are right."""
    for message in record.get("prompt", ()):
        if type(message) is not dict or "role" not in message or "content" not in message:
            return False
    return record.get("v", VERSION) == VERSION and math.isfinite(record.get("reward", 0))


def _validate_all(record: Record, needs: tuple[str, ...]) -> None:
    for name, value in record.items():
        kind = _TOP.get(name)
        if kind is not None:
            _check(name, value, kind, _SHAPES.get(name))
    if record.get("v", VERSION) != VERSION:
        raise ValueError(f"field 'v' is {record['v']}; this swr1 reads version {VERSION}")
    generation = record.get("generation")
    if generation is not None:
        _check("generation", generation, "json", dict)
        for name, value in generation.items():
            kind = _GENERATION.get(name)
            if kind is not None:
                _check(f"generation.{name}", value, kind, _NESTED_SHAPES.get(name))
        if "token_ids" in generation:
            length = len(generation["token_ids"])
            for name in _PER_TOKEN:
                if len(generation.get(name, generation["token_ids"])) != length:
                    raise ValueError(
                        f"generation.{name} has {len(generation[name])} entries,"
                        f" generation.token_ids has {length}: they must be equal"
                    )
    for name in needs:
        holder, _, leaf = name.rpartition(".")
        if leaf not in (record.get(holder, {}) if holder else record):
            raise ValueError(f"field {name!r} is missing ({_who_adds(name)})")


def _check(name: str, value: Any, kind: str, shape: type | None) -> None:
    if kind != "json":
        wanted, right = _PLAIN[kind]
        if not right(value):
            raise ValueError(f"field {name!r} must be {wanted}, it is {_name_of(value)}")
    elif shape is not None and type(value) is not shape:
        wanted = "a list" if shape is list else "an object"
        raise ValueError(f"field {name!r} must be {wanted}, it is {_name_of(value)}")
    if name == "prompt":
        for message in value:
            if type(message) is not dict or "role" not in message or "content" not in message:
                raise ValueError("field 'prompt' must hold messages with 'role' and 'content'")


def _who_adds(name: str) -> str:
    added_by = next((field.added_by for field in FIELDS if field.name == name), "source")
    if added_by == "source":
        return "every item has it from its source, such as `swr1 gen-puzzles`"
    return f"`swr1 {added_by}` adds it: run that stage first"


def _name_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    if value is None:
        return "null"
    if type(value) in (int, float):
        return f"the number {value}"
    if type(value) is list:
        return f"a list with {', '.join(sorted({_name_of(x) for x in value[:50]})) or 'nothing'}"[
            :80
        ]
    return names.get(type(value), type(value).__name__)


def as_markdown() -> str:
    """The table of fields, for docs/records.md."""
    rows = [f"| `{f.name}` | {f.type} | {f.added_by} | {f.meaning} |" for f in FIELDS]
    return "\n".join(["| field | type | added by | meaning |", "| --- | --- | --- | --- |", *rows])

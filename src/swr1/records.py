"""The record: one JSON object per line, which grows as it flows through the stages.

This is the only place that knows the fields: their types, who adds them, what they mean, how they
are checked when read, and which Parquet column each becomes. `docs/records.md` is generated from
it (`make docs`). A stage passes through every field that it does not know.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import orjson

from swr1.picture_parts import what_it_is, with_parts

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
    Field(
        "id",
        "text",
        "source",
        "hash of task, prompt (of a picture its digest) and answer: the same item, the same id; `@model` for a loaded"
        " completion",
    ),
    Field("task", "text", "source", "`knights`, `math`, `safety`, ...: which verifiers apply"),
    Field(
        "prompt",
        "json",
        "source",
        "list of chat messages, each with `role` and `content`: a text, or parts, of which some may be pictures",
    ),
    Field(
        "answer", "json", "source", "ground truth, shape by task (knights: `[[name, role], ...]`)"
    ),
    Field(
        "info",
        "json",
        "source",
        "everything else about the item: people, depth, seed, trace, licence",
    ),
    Field("sample", "int", "rollout", "index of this completion in its prompt's group"),
    Field("completion", "text", "rollout", "the text that the policy wrote"),
    Field("generation.epoch", "int", "rollout", "pass over the prompts, from 0"),
    Field(
        "generation.group",
        "int",
        "rollout",
        "samples per prompt; lets later stages notice missing ones",
    ),
    Field(
        "generation.prefill",
        "text",
        "rollout",
        "the text with which the chat template or the prompt opened the assistant's turn",
    ),
    Field(
        "generation.system_prompt",
        "json",
        "rollout",
        "`name` and `digest` of the prompt put around the messages (system message and prefill); also"
        " `system` and `prefill`, its texts, if it is none of swr1's own",
    ),
    Field(
        "generation.template",
        "json",
        "rollout",
        "`digest` of the chat template that rendered the prompt, and its `arguments`",
    ),
    Field("generation.policy", "json", "rollout", "`name` and `version` of the weights"),
    Field(
        "generation.engine",
        "json",
        "rollout",
        "`name`, `version`, `dtype`; `lacks`: why fields are absent; `encoded_by`: what made the prompt's"
        " token ids, if not swr1; `pictures`: `class` and `backend` of the image processor;"
        " `trust_remote_code` if it was on",
    ),
    Field(
        "generation.sampling",
        "json",
        "rollout",
        "temperature, top_p, top_k, min_p, stop, max_tokens, seed, kind of logprobs",
    ),
    Field(
        "generation.prompt_ids",
        "ints",
        "rollout",
        "token ids of the rendered prompt; one placeholder stands for each picture",
    ),
    Field(
        "generation.pictures",
        "json",
        "rollout",
        "of each picture of the prompt: `digest`, `tokens` (how many the model reads in place of its"
        " placeholder), `size` ([height, width] in pixels)",
    ),
    Field("generation.token_ids", "ints", "rollout", "token ids of the completion"),
    Field(
        "generation.logprobs", "float32s", "rollout", "log-probabilities at sampling time, in nats"
    ),
    Field(
        "generation.ref_logprobs",
        "float32s",
        "yours",
        "log-probabilities of a reference model, for its KL",
    ),
    Field(
        "generation.kept_ids",
        "ints",
        "rollout",
        "with --keep-sets, token after token, the ids that top_p, top_k and min_p left, the likeliest first",
    ),
    Field(
        "generation.kept_counts", "ints", "rollout", "how many of `kept_ids` belong to each token"
    ),
    Field(
        "generation.versions",
        "json",
        "rollout",
        "where new weights came while it was written: [version, how many tokens it wrote] of each, in order;"
        " `policy` has the first",
    ),
    Field("generation.loss_mask", "ints", "rollout", "0 where the policy did not write the token"),
    Field(
        "generation.turns",
        "json",
        "rollout",
        "what a completion is made of, with tools or where one was continued: `kind` (wrote; read,"
        " failed: by a tool; kept: from an earlier completion; edited: by a person), `tokens` and"
        " `characters` as [from, to), `tool`, `query`, `error`; `cut` where a reply was too long,"
        " `unknown`: how many of its tokens are unknown to the tokenizer; `passages`: `id`, `title`, `text`,"
        " `source`, `digest`, `score`, `attack` of one that attacks, `dropped` why it was not shown",
    ),
    Field(
        "generation.guided",
        "json",
        "rollout",
        "chosen among candidates, so no sample of the policy: `method`, `guide`, `candidates`, `steps`,"
        " `score`, `spent` (tokens of all candidates), `nulls` (candidates without a score), `below_floor`",
    ),
    Field(
        "generation.candidates",
        "json",
        "rollout",
        "with --guide, each candidate: `step`, `path`, `tokens` up to its end, `score`, `scores` by"
        " dimension, `chosen`; `out` where it is below the floor, `text` with --keep-candidates full",
    ),
    Field(
        "generation.edited",
        "json",
        "intervene",
        "the edit that the policy went on from: `of` (digest of the completion before), `at` (character),"
        " `old`, `new`, `dropped` (what followed `old`), `who`, `why`, `from` (a known edit that it was taken"
        " from); `kept` token ids, and `ids`, those that they were followed by; its `finish_reason`; `before`: an earlier edit",
    ),
    Field(
        "generation.finish_reason",
        "text",
        "rollout",
        "`stop` or `length`; with tools `turns` (it called once too often) and `context`; a server may"
        " say others",
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
        "by name: raw `value` (null: not judged) and `weight`; `gate` if a gate fired; `null`: skip",
    ),
    Field("trail", "json", "every stage", "stage -> digest of its options and code version"),
]

_TYPES = {field.name: field.type for field in FIELDS}
_TOP = {n: t for n, t in _TYPES.items() if "." not in n}
_GENERATION = {n.partition(".")[2]: t for n, t in _TYPES.items() if "." in n}
_SHAPES = {"prompt": list, "info": dict, "verdicts": dict, "reward_parts": dict, "trail": dict}
_NESTED_SHAPES = {
    "system_prompt": dict,
    "policy": dict,
    "template": dict,
    "engine": dict,
    "sampling": dict,
    "turns": list,
    "versions": list,
    "edited": dict,
}
WROTE = "wrote"  # the kind of a turn that is the policy's own
INSERTED = ("read", "failed")  # the kinds of turns that a tool gave
CUT_AT_EDIT = "edited"  # swr1 intervene export: what followed an edit was left out
# finish reasons of a completion that is not whole
CUT = ("length", "turns", "context", CUT_AT_EDIT)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that is no float
        return False


def _are_finite(numbers: list[float]) -> bool:
    try:
        return math.isfinite(sum(numbers)) or all(map(_is_finite, numbers))
    except OverflowError:
        return all(map(_is_finite, numbers))


_PLAIN = {
    "int": ("a whole number", lambda x: type(x) is int),
    "text": ("a text", lambda x: type(x) is str),
    "number": ("a finite number", lambda x: type(x) in (int, float) and _is_finite(x)),
    "ints": ("a list of whole numbers", lambda x: type(x) is list and set(map(type, x)) <= {int}),
    "float32s": (
        "a list of finite numbers",
        lambda x: type(x) is list and set(map(type, x)) <= {int, float} and _are_finite(x),
    ),
}
_PER_TOKEN = ("logprobs", "ref_logprobs", "loss_mask")

MAX_LINE = 64 * 2**20  # bytes; a record of 1M tokens is about 25 MB
MAX_DEPTH = 200  # levels of a record: what is read can be written, with room for what stages add
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
# In one pass over a line: digits are 0, opening brackets are [, all else is blank.
_SKETCH = bytes(48 if 48 <= b < 58 else 91 if b in b"[{" else 32 for b in range(256))
_MANY_DIGITS = b"0" * 19  # orjson makes a float of an integer that needs more than 64 bits
_LONG_INTEGER = re.compile(rb"(?:^|[\[:,\s])-?\d{19,}\s*(?:[,\]}]|$)")

_SCORES = (float, int, bool)
_NONE: dict[str, Any] = {}

_sound: set[tuple] = set()  # needs, names and types of records that passed: only values differ
_SOUND_AT_MOST = 1000


def parse(line: bytes) -> Any:
    """The value of a line of JSON; whole numbers keep all their digits.

    Raises ValueError: orjson.JSONDecodeError, which says where, or in words when it is too deep.
    """
    value = orjson.loads(line)
    sketch = line.translate(_SKETCH)
    if sketch.count(b"[") > MAX_DEPTH and _is_deep(value):
        raise ValueError(f"{_TOO_DEEP}: not a record")
    if _MANY_DIGITS in sketch and _LONG_INTEGER.search(line):
        value = json.loads(line)
    return value


def pack(value: Any, option: int = 0) -> bytes:
    """The inverse of `parse`, in the bytes of orjson. Raises ValueError for what is not JSON."""
    try:
        return orjson.dumps(value, option=option)
    except TypeError as error:
        if _is_deep(value):
            raise ValueError(_TOO_DEEP) from None
        try:  # whole numbers beyond 64 bits, or what is not JSON at all
            return orjson.dumps(_with_large_integers(value), option=option)
        except TypeError:
            raise ValueError(f"not JSON: {error}") from None


def as_text(name: str) -> str:
    """A file name or argument as text that JSON can hold: bytes that are no UTF-8 as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [x for v in level for x in _inside(v) if type(x) in (dict, list)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if type(value) is list else ()


def _with_large_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_large_integers(inner) for name, inner in value.items()}
    if type(value) in (list, tuple):
        return [_with_large_integers(inner) for inner in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def versions_of(generation: Record) -> list[tuple[int, int]]:
    """Which version of the policy wrote a completion's tokens: (version, how many), in order; nothing
    where all are of `policy`.

    Raises ValueError where they are not whole numbers that rise, or do not count all tokens.
    """
    runs = generation.get("versions")
    if runs is None:
        return []
    good = all(
        type(run) is list and len(run) == 2 and set(map(type, run)) == {int} and run[1] > 0
        for run in runs
    )
    rising = good and all(a[0] < b[0] for a, b in pairwise(runs))
    if not rising or sum(n for _, n in runs) != len(generation.get("token_ids") or []):
        raise ValueError(
            "`generation.versions` is not [version, tokens] of rising versions, whose tokens are all"
        )
    if runs and runs[0][0] != (generation.get("policy") or {}).get("version"):
        raise ValueError("`generation.policy` has another version than `versions` begins with")
    return [(version, count) for version, count in runs]


def make_id(task: str, prompt: Any, answer: Any, model: str | None = None) -> str:
    """16 hex digits that name an item: equal for equal (task, prompt, answer).

    With `model`, who wrote a given completion, "@model" follows: two models' answers to one prompt
    are different records wherever they are loaded (see `item_of`). A picture counts by its digest,
    where its part has one: neither its folder nor its encoding is part of the item.
    """
    if type(prompt) is list and any(
        type(m) is dict and type(m.get("content")) is list for m in prompt
    ):
        prompt = with_parts(prompt, what_it_is)
    text = pack([task, prompt, answer], orjson.OPT_SORT_KEYS)
    name = hashlib.blake2b(text, digest_size=8).hexdigest()
    return f"{name}@{model}" if model else name


def item_of(name: str) -> str:
    """The part of an id that is the item's alone: what keeps all models' answers to it together."""
    return name.partition("@")[0]


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


def own(record: Record) -> Record:
    """The record with what was written alone, by the policy or a person, without what tools gave.

    The same record where no tool was called; else a copy, whose completion, token ids and all that
    goes with them are those of all turns but those of a tool.
    """
    generation = record.get("generation") or _NONE
    turns = generation.get("turns")
    if not turns:
        return record
    wrote = [turn for turn in turns if turn["kind"] not in INSERTED]
    text = "".join(record["completion"][slice(*turn["characters"])] for turn in wrote)
    less = {
        name: [x for turn in wrote for x in generation[name][slice(*turn["tokens"])]]
        for name in ("token_ids", *_PER_TOKEN)
        if name in generation and "tokens" in turns[0]
    }
    return record | {"completion": text, "generation": generation | less}


def float32_list(array: Any) -> list[float]:
    """A numpy float32 array as the shortest decimals that give back the same float32 values."""
    import numpy as np

    with np.errstate(over="ignore"):
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
    return (
        all(map(_is_message, record.get("prompt", ())))
        and all(map(_is_verdict, record.get("verdicts", _NONE).values()))
        and all(type(part) is dict for part in record.get("reward_parts", _NONE).values())
        and record.get("v", VERSION) == VERSION
        and _is_finite(record.get("reward", 0))
    )


def _is_message(message: Any) -> bool:
    if type(message) is not dict or type(message.get("role")) is not str:
        return False
    content = message.get("content")
    return type(content) is str or (
        type(content) is list and all(type(part) is dict for part in content)
    )


def _is_verdict(verdict: Any) -> bool:
    if type(verdict) is not dict:
        return False
    score, label, detail = verdict.get("score"), verdict.get("label"), verdict.get("detail")
    if score is not None and not (type(score) in _SCORES and _is_finite(score)):
        return False
    return (label is None or type(label) is str) and (detail is None or type(detail) is dict)


def _validate_all(record: Record, needs: tuple[str, ...]) -> None:
    for name, value in record.items():
        kind = _TOP.get(name)
        if kind is not None:
            _check(name, value, kind, _SHAPES.get(name))
    if record.get("v", VERSION) != VERSION:
        raise ValueError(f"field 'v' is {record['v']}; this swr1 reads version {VERSION}")
    if "generation" in record:
        generation = record["generation"]
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
        if "turns" in generation:
            _check_turns(generation["turns"])
    for name in needs:
        holder, _, leaf = name.rpartition(".")
        if leaf not in (record.get(holder, {}) if holder else record):
            raise ValueError(f"field {name!r} is missing ({_who_adds(name)})")


def _check(name: str, value: Any, kind: str, shape: type | None) -> None:
    if kind != "json":
        expected, right = _PLAIN[kind]
        if not right(value):
            raise ValueError(f"field {name!r} must be {expected}, it is {_name_of(value)}")
    elif shape is not None and type(value) is not shape:
        expected = "a list" if shape is list else "an object"
        raise ValueError(f"field {name!r} must be {expected}, it is {_name_of(value)}")
    if name == "prompt" and not all(map(_is_message, value)):
        raise ValueError(
            "field 'prompt' must hold messages with 'role' and 'content': a text, or a list of"
            " objects for the content"
        )
    if name == "verdicts":
        for verdict, entry in value.items():
            if not _is_verdict(entry):
                raise ValueError(
                    f"field 'verdicts': {verdict!r} must be an object whose score is a finite"
                    " number or null, whose label is a text and whose detail is an object"
                )
    if name == "reward_parts":
        for part, entry in value.items():
            if type(entry) is not dict:
                raise ValueError(
                    f"field 'reward_parts': {part!r} must be an object, it is {_name_of(entry)}"
                )


def _check_turns(turns: list[Any]) -> None:
    """Raises ValueError for turns that are no ranges, one behind the other."""
    ends = {"tokens": 0, "characters": 0}
    for turn in turns:
        if type(turn) is not dict or type(turn.get("kind")) is not str:
            raise ValueError("field 'generation.turns' must hold objects with a text 'kind'")
        for name, end in ends.items():
            if name == "tokens" and name not in turn:  # a trace, whose text has no tokens yet
                continue
            place = turn.get(name)
            if type(place) is not list or [*map(type, place)] != [int, int]:
                raise ValueError(f"field 'generation.turns': {name!r} must be [from, to)")
            if place[0] != end or place[1] < end:
                raise ValueError(f"field 'generation.turns': {name!r} must follow one another")
            ends[name] = place[1]


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

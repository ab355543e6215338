"""One record in full, for people, with its tokens coloured.

Used by the plain output and by the terminal page alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from swr1.records import Record, versions_of
from swr1.viewing import BAD, GOOD, UNSURE, number
from swr1.viewing.columns import NARROW, as_json, cell, cleaned, content, judged, scored
from swr1.viewing.shown_pictures import content_in_full, drawn
from swr1.viewing.source import BROKEN
from swr1.viewing.steps import by_step
from swr1.viewing.tokens import Tokenizers, pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COLOURINGS = ("probability", "mask", "version", "none")
# Underlined too where it matters, so that it is seen without colours.
LEVELS = (
    (0.9, "≥ 0.9", ""),
    (0.5, "≥ 0.5", "#4aa5b5"),
    (0.1, "≥ 0.1", UNSURE),
    (0.01, "≥ 0.01", "underline #c678dd"),
    (0.0, "< 0.01", f"bold underline {BAD}"),
)
UNWRITTEN = "reverse"
# Of the versions that wrote a completion, by turns; underlined by turns too.
BY_TURNS = ("", "underline #4aa5b5", UNSURE, "underline #c678dd")


def in_full(
    record: Record,
    tokenizer: Tokenizer | None,
    colouring: str = "probability",
    width: int | None = None,
) -> RenderableType:
    """One record: prompt, completion, answer, verdicts, reward parts, then all else.

    On a page of `width` cells, a terminal's, pictures are drawn; where it is narrow, details stand
    below their verdict.
    """
    narrow = width is not None and width < NARROW
    steps = by_step(record)
    drawings = {} if width is None else _drawings(record, width)
    record = cleaned(record)
    if BROKEN in record:
        rest = {k: v for k, v in record.items() if k != BROKEN}
        return Group(Text(f"{BROKEN}: {record[BROKEN]}", BAD), Text(as_json(rest)))
    parts: list[RenderableType] = [_title(record, narrow), *_failed(record)]
    parts += _asked(record, drawings)
    parts += _said(record, tokenizer, colouring)
    if "answer" in record:
        parts += [_head("answer"), _inside(_answer(record["answer"]))]
    parts += steps
    parts += _judged(record, narrow)
    for name in ("info", "generation", "trail"):
        if value := record.get(name):
            hidden = ("prompt_ids", "token_ids", "logprobs", "loss_mask", "prefill")
            shown = {k: v for k, v in value.items() if name != "generation" or k not in hidden}
            parts += [_head(name), _inside(_fields(shown))]
    return Group(*parts)


def side_by_side(
    named: Sequence[tuple[str, Record | None]], tokenizers: Tokenizers, colouring: str
) -> RenderableType:
    """What several runs made of one prompt: prompt and answer once, then a column for each run."""
    records = [cleaned(record) for _, record in named if record is not None]
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 0, 0))
    cells: list[RenderableType] = []
    for name, record in named:
        table.add_column(cleaned(name), ratio=1, overflow="fold", header_style="bold reverse")
        if record is None:
            cells.append(Text("no such record", UNSURE))
            continue
        tokenizer, steps = tokenizers.of(record), by_step(record)
        record = cleaned(record)
        said = _failed(record) + _said(record, tokenizer, colouring) + steps
        cells.append(Group(*said, *_judged(record, narrow=True)))
    table.add_row(*cells)
    first = records[0]
    parts: list[RenderableType] = [_title(first, True), *_asked(first)]
    if "answer" in first:
        parts += [_head("answer"), _inside(_answer(first["answer"]))]
    return Group(*parts, Text(), table)


def _failed(record: Record) -> list[RenderableType]:
    failed = cell(record, "failed")
    return [Text(f"failed: {failed}", BAD)] if failed else []


def _asked(
    record: Record, drawings: dict[int, list[RenderableType]] | None = None
) -> list[RenderableType]:
    """The prompt, message by message; `drawings` of their pictures, by number of the message."""
    parts: list[RenderableType] = []
    for at, message in enumerate(record.get("prompt") or ()):
        text = content(content_in_full(message.get("content")))
        parts += [_head(str(message.get("role", "?"))), _inside(text)]
        parts += [Padding(one, (1, 0, 0, 2)) for one in (drawings or {}).get(at, ())]
    return parts


def _drawings(record: Record, width: int) -> dict[int, list[RenderableType]]:
    messages = [m if isinstance(m, dict) else {} for m in record.get("prompt") or ()]
    return {n: drawn(message.get("content"), width - 2) for n, message in enumerate(messages)}


def _said(record: Record, tokenizer: Tokenizer | None, colouring: str) -> list[RenderableType]:
    """The completion, with what opened it."""
    if "completion" not in record:
        return []
    text, legend = completion(record, tokenizer, colouring)
    if prefill := (record.get("generation") or {}).get("prefill"):
        text = Text.assemble((prefill, "dim"), text)
    return [_head("completion"), _inside(text), *([legend] if legend else [])]


def _judged(record: Record, narrow: bool) -> list[RenderableType]:
    """Verdicts and reward."""
    parts: list[RenderableType] = []
    if record.get("verdicts"):
        parts += [_head("verdicts"), _verdicts(record["verdicts"], narrow)]
    if "reward" in record:
        parts += [_head("reward"), _reward(record)]
    return parts


def _title(record: Record, narrow: bool) -> Text:
    generation = record.get("generation") or {}
    policy = generation.get("policy") or {}
    of = f" of {generation['group']}" if "group" in generation else ""
    bits = [
        f"sample {record['sample']}{of}" if "sample" in record else "",
        f"epoch {generation['epoch']}" if generation.get("epoch") else "",
        f"policy {policy.get('name')} {_versions(generation)}" if policy else "",
        f"{len(generation['token_ids'])} tokens" if "token_ids" in generation else "",
        f"ended by {generation['finish_reason']}" if "finish_reason" in generation else "",
    ]
    name, task = (str(record.get("id", "?")), "bold reverse"), str(record.get("task", ""))
    if narrow:
        return Text.assemble(name, "  ", task, "\n", (", ".join(filter(None, bits)), "dim"))
    return Text.assemble(name, "  ", ", ".join(filter(None, [task, *bits])))


def _versions(generation: dict[str, Any]) -> str:
    """The version that wrote a completion, and those that came while it was written."""
    first, at, later = f"version {(generation.get('policy') or {}).get('version')}", 0, []
    for run, tokens in _runs(generation):
        later.append(f"{run} from token {at + 1}")
        at += tokens
    return ", ".join([first, *later[1:]])


def _runs(generation: dict[str, Any]) -> list[tuple[int, int]]:
    try:
        return versions_of(generation)
    except ValueError:  # not of our making: it stands in the record below
        return []


def completion(record: Record, tokenizer: Tokenizer | None, colouring: str) -> tuple[Text, Text]:
    """The completion with its tokens coloured, and the line below that explains the colours."""
    generation = record.get("generation") or {}
    plain = Text(record["completion"])
    ids = generation.get("token_ids")
    if colouring == "none":
        return plain, Text()
    if not ids:
        return plain, Text("no colours: the record has no token ids", "dim italic")
    values, what = _values(generation, colouring)
    if values is None:
        return plain, Text(f"no colours: the record has no {what}", "dim italic")
    if tokenizer is None:
        return plain, Text(
            "no colours: the policy's tokenizer was not found; name it with --tokenizer",
            "dim italic",
        )
    texts = cleaned(pieces(tokenizer, ids))
    if not record["completion"].strip() or record["completion"].strip() not in "".join(texts):
        special = _without_special(tokenizer, ids)
        if special.strip() != record["completion"].strip():
            return plain, Text(
                "no colours: this tokenizer reads the tokens as another text than the completion",
                "dim italic",
            )
    coloured = Text()
    for text, value in zip(texts, values, strict=True):
        coloured.append(text, token_style(value, colouring))
    if colouring == "version":
        return coloured, _writers(generation)
    return coloured, _legend(values, colouring)


def _values(generation: dict[str, Any], colouring: str) -> tuple[Sequence[float] | None, str]:
    """What colours each token, and what it is called."""
    if colouring == "version":
        turns = [n for n, (_, tokens) in enumerate(_runs(generation)) for _ in range(tokens)]
        return turns or [0] * len(generation["token_ids"]), "versions"
    if colouring == "mask":
        return generation.get("loss_mask"), "loss mask"
    return generation.get("logprobs"), "log-probabilities"


def _writers(generation: dict[str, Any]) -> Text:
    """The versions that wrote a completion, in their styles."""
    line = Text.assemble(("written by version: ", "dim"))
    whole = [((generation.get("policy") or {}).get("version"), len(generation["token_ids"]))]
    for turn, (version, tokens) in enumerate(_runs(generation) or whole):
        line.append(f"{version} ({tokens} tokens)", token_style(turn, "version"))
        line.append("  ")
    return line


def _without_special(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    return cleaned(tokenizer.decode(list(ids), skip_special_tokens=True))


def token_style(value: float, colouring: str) -> str:
    """The style of a token by its log-probability (nats), its place in the loss mask, or the place of its
    version among those that wrote the completion."""
    if colouring == "version":
        return BY_TURNS[int(value) % len(BY_TURNS)]
    if colouring == "mask":
        return "" if value else UNWRITTEN
    chance = math.exp(min(value, 0.0))
    return next(style for least, _, style in LEVELS if chance >= least)


def _legend(values: Sequence[float], colouring: str) -> Text:
    if colouring == "mask":
        unwritten = sum(1 for v in values if not v)
        return Text.assemble(
            (f"{len(values)} tokens, ", "dim"),
            (f"{unwritten} not written by the policy", UNWRITTEN if unwritten else "dim"),
        )
    line = Text.assemble(("probability: ", "dim"))
    for _, name, style in LEVELS:
        line.append(name, style)
        line.append("  ")
    line.append(f"mean log-probability {number(sum(values) / len(values))}", "dim")
    return line


def _verdicts(verdicts: dict[str, Any], narrow: bool) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3 if narrow else 4):
        table.add_column(overflow="fold")
    lines: list[RenderableType] = []
    for name, verdict in verdicts.items():
        if not isinstance(verdict, dict):
            table.add_row(f"  {name}", as_json(verdict))
            continue
        score = verdict.get("score")
        style = scored(score)
        detail = verdict.get("detail")
        rest = {k: v for k, v in verdict.items() if k not in ("score", "label")}
        if isinstance(detail, dict):
            rest = {k: v for k, v in {**detail, **rest}.items() if k != "detail" and v is not None}
            rest = {k: v for k, v in rest.items() if k != "steps" or not isinstance(v, list)}
        cells: list[str | Text] = [
            f"  {name}",
            Text(number(score), style),
            Text(judged(verdict), style),
        ]
        if narrow:
            table.add_row(*cells)
            lines += [table, Padding(_fields(rest), (0, 0, 0, 4))]
            table = Table(box=None, pad_edge=False, show_header=False)
        else:
            table.add_row(*cells, _fields(rest))
    return Group(*lines, *[table] * bool(table.row_count)) if narrow else table


def _reward(record: Record) -> RenderableType:
    reward = record["reward"]
    line = Text.assemble("  ", (number(reward), f"bold {GOOD if reward > 0 else BAD}"))
    parts = record.get("reward_parts") or {}
    if parts:
        line.append("  = ")
    for i, (name, part) in enumerate(parts.items()):
        value, weight = (
            (part.get("value"), part.get("weight", 1)) if isinstance(part, dict) else (part, 1)
        )
        times = "" if weight == 1 else f"{number(weight)} × "
        line.append(f"{' + ' if i else ''}{name} {times}{number(value)}")
    return line


def _answer(answer: Any) -> str:
    pairs = isinstance(answer, list) and all(
        isinstance(p, list) and len(p) == 2 and all(isinstance(x, str) for x in p) for p in answer
    )
    if pairs:
        return "\n".join(f"{name}: {role}" for name, role in answer)
    return answer if isinstance(answer, str) else as_json(answer)


def _fields(value: dict[str, Any]) -> Text:
    return Text("  ").join(
        Text.assemble((f"{k} ", "dim"), v if isinstance(v, str) else as_json(v))
        for k, v in value.items()
    )


def _head(name: str) -> Text:
    return Text(f"\n{name}", "bold")


def _inside(content: str | Text) -> Padding:
    return Padding(
        Text(content) if isinstance(content, str) else content, (0, 0, 0, 2), expand=False
    )

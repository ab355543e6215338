"""Edits as records that `train-step sft`, `dpo` and `process-model` read.

    for made in as_sft(record): ...        # each of EXPORTS: a record that was edited -> records

* sft: the prompt and what was kept are given; what was put in is learned, and what the policy wrote
  behind it, too, if a verdict says that the completion is right. Else it is cut off.
* dpo: two records of one id, rewards 1 and 0: what was put in with its continuation against what
  stood there before. What both share has loss mask 0.
* process-labels: `info.steps` of the completion before the edit: the last kept step is right, the
  first replaced one wrong, all others are not judged. A second record holds what was put in: right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from swr1.engines.continuing import EDITED, KEPT
from swr1.errors import DataError
from swr1.intervention.steps import Span, lines_of, step_texts
from swr1.records import CUT_AT_EDIT, RIGHT_OR_WRONG, WROTE, Record, key

_OF_A_COMPLETION = ("sample", "completion", "generation", "verdicts", "reward", "reward_parts")
RIGHT, WRONG, NOT_JUDGED = "right", "wrong", "not judged"


def rightness(record: Record, verdict: str | None = None) -> str:
    """Whether the completion is right, by this verdict; by default the first that can say so."""
    verdicts = record.get("verdicts") or {}
    names = [verdict] if verdict else RIGHT_OR_WRONG
    score = next((verdicts[n].get("score") for n in names if n in verdicts), None)
    return NOT_JUDGED if score is None else RIGHT if score >= 1 else WRONG


def before_edit(record: Record) -> str:
    """The completion before the edit. Raises DataError where the record does not say."""
    edited = record["generation"]["edited"]
    try:
        kept = record["completion"][: edited["at"]]
        return kept + edited["old"] + edited["dropped"]
    except (KeyError, TypeError):
        raise DataError("generation.edited is not as `swr1 intervene` writes it") from None


def as_sft(record: Record, verdict: str | None = None) -> Iterator[Record]:
    """What was put in, and a right continuation, as targets."""
    generation, whole = record["generation"], rightness(record, verdict) == RIGHT
    kept, edited, wrote = _turns(generation)
    learned = [edited, wrote] if whole else [edited]
    made = _masked(record, kept, learned)
    if not whole:
        made = _cut(made, edited)
    if edited["tokens"][0] == edited["tokens"][1] and not whole:
        return  # nothing was put in, and nothing behind it is known to be right
    yield made


def as_dpo(record: Record, verdict: str | None = None) -> Iterator[Record]:
    """The better and the worse, as a scored group of two; none where the edit came out wrong."""
    if rightness(record, verdict) == WRONG:
        return
    generation = record["generation"]
    kept, edited, wrote = _turns(generation)
    before, facts = before_edit(record), generation["edited"]
    better = _masked(record, kept, [edited, wrote])
    item = {n: v for n, v in record.items() if n not in _OF_A_COMPLETION}
    common = {"id": _name(record), "v": record.get("v", 1)}
    about = {n: v for n, v in generation.items() if n not in _PER_COMPLETION}
    about |= {"group": 2, "epoch": 0}
    start = edited["tokens"][0]
    worse = about | {"finish_reason": facts.get("finish_reason") or "stop"}
    place = {"kind": WROTE, "characters": [edited["characters"][0], len(before)]}
    if "ids" in facts:
        ids = generation["token_ids"][:start] + facts["ids"]
        worse |= {"token_ids": ids, "loss_mask": [0] * start + [1] * len(facts["ids"])}
        worse |= {"prompt_ids": generation["prompt_ids"]}
        place |= {"tokens": [start, len(ids)]}
    else:
        kept = [{n: v for n, v in turn.items() if n != "tokens"} for turn in kept]
    worse |= {"turns": [*kept, place]}
    better_generation = better["generation"] | {"group": 2, "epoch": 0}
    for sample, text, how, reward in (
        (0, record["completion"], better_generation, 1.0),
        (1, before, worse, 0.0),
    ):
        yield item | common | {
            "sample": sample, "completion": text, "generation": how, "reward": reward,
        }  # fmt: skip


def as_process_labels(record: Record, verdict: str | None = None) -> Iterator[Record]:
    """The steps of the completion before the edit, and those up to what was put in."""
    generation, before = record["generation"], before_edit(record)
    _, edited, _ = _turns(generation)
    facts, after = generation["edited"], record["completion"][: edited["characters"][1]]
    spans, made = lines_of(before), lines_of(after)
    wrong = next((k for k, (_, end) in enumerate(spans) if end > facts["at"]), None)
    if wrong is None or not facts["old"].strip():
        return  # no step was replaced
    labels: list[bool | None] = [None] * len(spans)
    labels[wrong] = False
    if wrong:
        labels[wrong - 1] = True
    yield _labelled(record, "", before, spans, labels)
    if facts["new"].strip() and len(made) > wrong:
        right: list[bool | None] = [None] * wrong + [True] * (len(made) - wrong)
        yield _labelled(record, "-new", after, made, right)


def _labelled(
    record: Record, suffix: str, text: str, spans: list[Span], labels: list[bool | None]
) -> Record:
    """A completion as the trace of a record, with its steps."""
    pairs = zip(step_texts(text, spans), labels, strict=True)
    steps = [{"text": step, "ok": ok} for step, ok in pairs]
    item = {n: v for n, v in record.items() if n not in _OF_A_COMPLETION}
    turn = (record["generation"].get("prefill") or "") + text
    info = (record.get("info") or {}) | {"trace": turn, "steps": steps}
    return item | {"id": _name(record) + suffix, "info": info}


EXPORTS: dict[str, Callable[[Record, str | None], Iterator[Record]]] = {
    "sft": as_sft,
    "dpo": as_dpo,
    "process-labels": as_process_labels,
}
_PER_COMPLETION = (
    *("token_ids", "logprobs", "ref_logprobs", "loss_mask", "turns", "finish_reason", "edited"),
    "prompt_ids",
)


def is_edited(record: Record) -> bool:
    return bool((record.get("generation") or {}).get("edited"))


def _turns(generation: dict[str, Any]) -> tuple[list[dict], dict, dict]:
    """What was kept; what was put in, perhaps nothing; and what the policy wrote behind it.

    Raises DataError for turns that are not of an edit.
    """
    turns = generation.get("turns") or []
    if not turns or turns[-1]["kind"] != WROTE or "tokens" not in turns[-1]:
        raise DataError("generation.turns does not end with what the policy wrote")
    *before, wrote = turns
    kept = generation["edited"].get("kept", 0)
    if before and before[-1]["kind"] == EDITED and before[-1]["tokens"][0] >= kept:
        return before[:-1], before[-1], wrote
    start = {n: [wrote[n][0], wrote[n][0]] for n in ("tokens", "characters")}
    return before, {"kind": EDITED} | start, wrote


def _masked(record: Record, kept: list[dict], learned: list[dict]) -> Record:
    """The record with these turns as the policy's own, and all before them as given."""
    generation = record["generation"]
    mask = [0] * len(generation["token_ids"])
    for turn in learned:
        start, end = turn["tokens"]
        mask[start:end] = [1] * (end - start)
    turns = [t | {"kind": KEPT} if t["kind"] == WROTE else t for t in kept]
    turns += [turn | {"kind": WROTE} for turn in learned]
    return record | {"generation": generation | {"loss_mask": mask, "turns": turns}}


def _cut(record: Record, edited: dict[str, Any]) -> Record:
    """Without what the policy wrote behind the edit, and without verdicts on it."""
    generation, tokens = record["generation"], edited["tokens"][1]
    per_token = ("token_ids", "logprobs", "ref_logprobs", "loss_mask")
    less = {n: generation[n][:tokens] for n in per_token if n in generation}
    less |= {"finish_reason": CUT_AT_EDIT}
    stale = ("verdicts", "reward", "reward_parts")
    item = {n: v for n, v in record.items() if n not in stale}
    text = record["completion"][: edited["characters"][1]]
    return item | {"completion": text, "generation": generation | less}


def _name(record: Record) -> str:
    """An id of its own for each completion that was edited; the item stays what it was."""
    name, epoch, sample = key(record)
    return f"{name}{'-' if '@' in name else '@'}edit-{epoch}.{sample}"

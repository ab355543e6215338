"""The shapes of a record and a verdict, for editors and type checkers.

records.FIELDS is the declaration (types, meanings, checks when a record is read); these classes repeat
its names, and tests/test_interface.py holds the two together. Inside swr1 a record is a plain
`dict[str, Any]`, since every stage passes through fields that it does not know.
"""

from typing import Any, Required, TypedDict


class Message(TypedDict):
    """One turn. `content` is a text, or parts such as {"type": "image", "path": ...}."""

    role: str
    content: str | list[dict[str, Any]]


class Generation(TypedDict, total=False):
    """How a completion came about."""

    epoch: int
    group: int
    prefill: str
    system_prompt: dict[str, Any]
    template: dict[str, Any]
    policy: dict[str, Any]
    engine: dict[str, Any]
    sampling: dict[str, Any]
    prompt_ids: list[int]
    pictures: list[dict[str, Any]]
    token_ids: list[int]
    logprobs: list[float]
    ref_logprobs: list[float]
    kept_ids: list[int]
    kept_counts: list[int]
    versions: list[list[int]]
    loss_mask: list[int]
    turns: list[dict[str, Any]]
    guided: dict[str, Any]
    candidates: list[dict[str, Any]]
    edited: dict[str, Any]
    finish_reason: str


class Verdict(TypedDict, total=False):
    """What one verifier says of one completion. `score` None: it could not judge; `error` says why."""

    score: Required[float | None]
    label: str | None
    detail: dict[str, Any]
    by: str
    error: str
    confidence: float


class RewardPart(TypedDict, total=False):
    """One part of a reward. `value` None: not judged."""

    value: float | None
    weight: float
    gate: str
    null: str


class Record(TypedDict, total=False):
    """A record: what the stages read and write. docs/records.md says what each field means."""

    v: int
    id: Required[str]
    task: str
    prompt: list[Message]
    answer: Any
    info: dict[str, Any]
    sample: int
    completion: str
    generation: Generation
    verdicts: dict[str, Verdict]
    reward: float
    reward_parts: dict[str, RewardPart]
    trail: dict[str, str]

"""Judged records, as `swr1 verify format knights` writes them."""

import pytest


def judged(
    id_: str,
    score: float | None,
    people: int = 2,
    sample: int = 0,
    temperature: float = 0.0,
    tokens: int = 10,
    form: float | None = 1.0,
    reward: float | None = None,
    finish: str = "stop",
    version: int = 0,
    **more: object,
) -> dict:
    return {
        "id": id_,
        "task": "knights",
        "info": {"people": people},
        "sample": sample,
        "completion": "Zoey is a knight",
        "generation": {
            "epoch": 0,
            "policy": {"name": "runs/kk", "version": version},
            "sampling": {"temperature": temperature, "max_tokens": 64},
            "token_ids": [7] * tokens,
            "finish_reason": finish,
        },
        "verdicts": {"knights": {"score": score}, "format": {"score": form}},
        **({} if reward is None else {"reward": reward}),
        **more,
    }


@pytest.fixture
def record():
    return judged


@pytest.fixture
def run():
    """A run over `sizes` = {people: (right, of)}; the first puzzles of each size are the right."""

    def make(sizes: dict[int, tuple[int, int]], **kind: object) -> list[dict]:
        return [
            judged(f"{people}-{i}", float(i < right), people, **kind)
            for people, (right, of) in sizes.items()
            for i in range(of)
        ]

    return make

"""The rollout stage: order, groups, facts, swaps between blocks, resuming."""

from types import SimpleNamespace

import numpy as np
import pytest

from swr1.engines import Sampling
from swr1.engines.hf import HFEngine
from swr1.errors import DataError
from swr1.prompts import Prompt, assistant_text
from swr1.rollout import blocks
from swr1.rollout.blocks import rollout
from swr1.rollout.requests import Requests
from swr1.streams.reading import SILENCE
from tests.engines.tiny_policy import WORDS

PROMPT = Prompt("test", "so", "<think>")


def source(count: int) -> list[dict]:
    names = ["zoey", "oliver"]
    return [
        {
            "v": 1,
            "id": f"id{i}",
            "task": "knights",
            "prompt": [{"role": "user", "content": f"who is a knight ? {' '.join(names * i)}"}],
            "info": {"i": i},
        }
        for i in range(count)
    ]


def run(engine, records, refresh=lambda: 3, **options):
    options = {"samples": 3, "sampling": Sampling(max_tokens=12, stop=("ok ok",))} | options
    when = {n: options.pop(n) for n in ("prompts_per_block", "silence_limit") if n in options}
    make = Requests(engine, PROMPT, policy_name="kk", **options)
    return list(rollout(records, make, refresh=refresh, **when))


def test_completed_records(engine):
    records = source(5)
    out = run(engine, records, prompts_per_block=2)
    assert [(r["id"], r["sample"]) for r in out] == [
        (f"id{i}", s) for i in range(5) for s in range(3)
    ]
    for record in out:
        g = record["generation"]
        assert record["info"] == records[record["info"]["i"]]["info"]
        assert g["epoch"] == 0
        assert g["group"] == 3
        assert g["prefill"] == "<think>"
        assert g["policy"] == {"name": "kk", "version": 3}
        assert g["engine"] == {"name": "hf", "version": engine.version, "dtype": "float32"}
        assert g["sampling"] == {
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "max_tokens": 12,
            "stop": ["ok ok"],
            "seed": 0,
            "logprobs": "processed",
        }
        assert g["prompt_ids"][-1] == WORDS.index("<think>")
        assert len(g["token_ids"]) == len(g["logprobs"]) == len(g["loss_mask"])
        assert set(g["loss_mask"]) == {1}
        assert all(type(x) is float for x in g["logprobs"])
        assert assistant_text(record) == "<think>" + record["completion"]


def test_logprobs_are_the_shortest_decimals_of_float32(engine):
    for record in run(engine, source(3)):
        for value in record["generation"]["logprobs"]:
            assert str(value) == str(np.float32(value))


def test_epochs_draw_anew_and_old_results_are_dropped(engine):
    first = run(engine, source(2))
    stale = [r | {"verdicts": {}, "reward": 1.0} for r in first[::3]]
    second = run(engine, stale, epoch_of=lambda record: 1)
    assert {r["generation"]["epoch"] for r in second} == {1}
    assert not any("reward" in r or "verdicts" in r for r in second)
    assert [r["completion"] for r in first] != [r["completion"] for r in second]


def test_new_weights_arrive_between_blocks(policy, other_policy):
    engine, calls = HFEngine(policy), iter([(0, policy), (4, other_policy), (4, other_policy)])

    def refresh():
        version, folder = next(calls)
        engine.load(folder)
        return version

    out = run(engine, source(5), refresh, prompts_per_block=2)
    assert [r["generation"]["policy"]["version"] for r in out[::3]] == [0, 0, 4, 4, 4]
    steady = run(HFEngine(other_policy), source(5), prompts_per_block=2)
    same = [a["completion"] == b["completion"] for a, b in zip(out, steady, strict=True)]
    assert all(same[6:])
    assert not all(same[:6])


def test_records_stream_one_block_at_a_time(engine):
    taken = []

    def feed():
        for record in source(6):
            taken.append(record["id"])
            yield record

    make = Requests(engine, PROMPT, 1, Sampling(max_tokens=4), "kk")
    stream = rollout(feed(), make, refresh=lambda: None, prompts_per_block=2)
    next(stream)
    assert len(taken) == 2


@pytest.mark.parametrize(("patience", "sizes"), [(1.0, [2, 3, 1]), (60, [4, 2])])
def test_a_block_waits_for_company_as_long_as_it_is_told(engine, monkeypatch, patience, sizes):
    """Also where pauses are short, and where it is silent before the first prompt of a block."""

    now, asked = 0.0, []
    monkeypatch.setattr(blocks, "time", SimpleNamespace(monotonic=lambda: now))

    def slow():
        nonlocal now
        for number, record in enumerate(source(6)):
            for _ in range(21 if number in (0, 2, 5) else 2):
                now += 0.05
                yield SILENCE
            yield record
        yield SILENCE

    generate = engine.generate

    def counting(requests, sampling):
        asked.append(len(requests))
        return generate(requests, sampling)

    monkeypatch.setattr(engine, "generate", counting)
    out = run(engine, slow(), samples=1, prompts_per_block=4, silence_limit=patience)
    assert asked == sizes
    assert [r["id"] for r in out] == [f"id{i}" for i in range(6)]


def test_resuming_yields_what_was_missing_and_the_same_bits(engine):
    whole = run(engine, source(6), prompts_per_block=2)
    blocks = []
    done = {(r["id"], 0, r["sample"]) for r in whole[:8]}
    rest = run(engine, source(6), lambda: blocks.append(1) or 3, prompts_per_block=2, done=done)
    assert rest == whole[8:]
    assert len(blocks) == 2  # the first block was whole already


def test_a_prompt_that_cannot_be_completed(engine):
    records = source(3)
    records[1]["prompt"][0]["content"] = "zoey " * 300
    records[2]["prompt"][0]["content"] = [{"type": "image_url", "image_url": {"url": "x.png"}}]
    with pytest.raises(DataError, match="'id1': the prompt is too long"):
        run(engine, records[:2])
    dropped = {}
    out = run(engine, records, on_error=lambda r, e: dropped.update({r["id"]: str(e)}))
    assert [r["id"] for r in out] == ["id0"] * 3
    assert "'id2': the prompt has content that is not text" in dropped["id2"]
    assert "too long" in dropped["id1"]

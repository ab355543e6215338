"""Many records of one shape: what is checked once must not let a bad value through later."""

import orjson
import pytest

from swr1.records import validate
from swr1.streams import reading
from swr1.streams.progress import AT_MOST_UNSEEN, Progress
from tests.conftest import jsonl

GOOD = {
    "v": 1,
    "id": "a",
    "prompt": [{"role": "user", "content": "x"}],
    "completion": "y",
    "reward": 1.0,
}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("v", 2, "reads version 1"),
        ("id", 5, "must be a text"),
        ("id", None, "must be a text, it is null"),
        ("prompt", ["x"], "'role' and 'content'"),
        ("prompt", [{"role": "user"}], "'role' and 'content'"),
        ("prompt", {}, "must be a list"),
        ("reward", float("inf"), "finite"),
        ("reward", True, "must be a finite number, it is true or false"),
        ("sample", 1.0, "whole number"),
        ("generation", {"token_ids": [1], "logprobs": []}, "must be equal"),
        ("generation", [], "must be an object"),
    ],
)
def test_a_bad_value_after_good_records_of_its_shape(field, value, reason):
    for more in ({}, {"generation": {"token_ids": [1], "logprobs": [0.0]}}, {"sample": 1}):
        for _ in range(3):
            validate(GOOD | more)
    for _ in range(3):
        with pytest.raises(ValueError, match=reason):
            validate(GOOD | {field: value})


def test_what_one_stage_needs_another_may_not():
    for _ in range(3):
        validate(GOOD, needs=("id",))
        with pytest.raises(ValueError, match="'verdicts' is missing"):
            validate(GOOD, needs=("id", "verdicts"))
        with pytest.raises(ValueError, match=r"'generation.token_ids' is missing"):
            validate(GOOD | {"generation": {}}, needs=("generation.token_ids",))
        with pytest.raises(ValueError, match=r"'generation.token_ids' is missing"):
            validate(GOOD, needs=("generation.token_ids",))


def test_more_shapes_than_are_kept():
    for i in range(3000):
        validate({"id": "a", f"x{i}": i})
    with pytest.raises(ValueError, match="must be a text"):
        validate({"id": 1, "x0": 0})


@pytest.mark.parametrize("apart", [1, 7, 8, 15, 16])
def test_the_window_of_duplicates_reaches_back_far_enough_and_ends(tmp_path, monkeypatch, apart):
    monkeypatch.setattr(reading, "RECENT", 8)
    path = tmp_path / "a.jsonl"
    ids = [str(i) for i in range(20)]
    ids.insert(apart, "0")
    path.write_bytes(jsonl({"id": i} for i in ids))
    bad = []
    records = [r for r, _ in reading.read([str(path)], on_bad=lambda *args: bad.append(args))]
    assert len(records) == 21
    assert records.count(None) == len(bad)
    if apart <= 8:
        assert bad[0][:2] == (f"{path}:{apart + 1}", "duplicate id 0 (epoch 0, sample 0)")
    elif apart == 16:
        assert not bad


def test_progress_of_a_fast_stage_looks_at_the_clock_often_enough():
    progress = Progress("x", None, quiet=True, bar=False)
    progress.advance(1_000_000)
    assert 1_000_000 < progress.look_at <= 1_000_000 + AT_MOST_UNSEEN
    slow = Progress("x", None, quiet=True, bar=False)
    slow.started -= 100
    slow.advance(5)
    assert slow.look_at == 5  # due at every record


def test_values_and_their_order_pass_however_the_line_is_spelled(swr1, tmp_path):
    """Spaces, escapes and key order of the input: the values pass through, in their order."""
    line = b' { "id" : "a" , "z":[1.50, 1e2],\t"text":"\\u00e9\\/" }\r\n'
    (tmp_path / "a.jsonl").write_bytes(b"\n" + line + b"\n \n")
    done = swr1("merge", "a.jsonl", cwd=tmp_path, check=True)
    out = orjson.loads(done.stdout)
    assert out.pop("trail")["merge"]
    assert out == orjson.loads(line)
    assert list(out) == ["id", "z", "text"]

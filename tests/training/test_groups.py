"""Records to groups: every check that stands between a bad record and the weights."""

import copy
import random
from collections import Counter

import pytest

from swr1.errors import DataError
from swr1.streams.reading import GROUP_END, GROUP_END_WAITING, SILENCE, WAITING
from swr1.training import groups
from swr1.training.groups import digest, gather, read_sample

VOCAB = 50


def record(id: str = "a", sample: int = 0, group: int = 2, epoch: int = 0) -> dict:
    return {
        "id": id,
        "sample": sample,
        "reward": 1.5,
        "reward_parts": {"format": {"value": 1.0, "weight": 1.0}},
        "verdicts": {"knights": {"score": None, "error": "?"}, "format": {"score": 1.0}},
        "generation": {
            "epoch": epoch,
            "group": group,
            "prompt_ids": [1, 2, 3],
            "token_ids": [4, 5, 6, 7],
            "logprobs": [-0.1, -0.2, -0.3, -0.4],
            "loss_mask": [1, 0, 1, 1],
            "sampling": {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "min_p": 0.0},
            "policy": {"name": "p", "version": 3},
            "finish_reason": "length",
        },
    }


def run(records: list[dict]) -> tuple[list[list], Counter]:
    dropped: Counter[str] = Counter()
    return list(gather(records, lambda r: read_sample(r, VOCAB), dropped)), dropped


def test_a_sample_holds_what_the_update_needs():
    s = read_sample(record(), VOCAB)
    assert s.example.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert s.example.targets.tolist() == [3, 5, 6]  # position 4 was not written by the policy
    assert s.old.tolist() == pytest.approx([-0.1, -0.3, -0.4])
    assert (s.reward, s.temperature, s.tokens, s.truncated, s.version) == (1.5, 0.7, 4, True, 3)
    assert s.parts == {"format": 1.0}
    assert s.scores == {"format": 1.0}  # a null score is not a number


def test_a_value_that_is_not_finite_where_nothing_is_trained_does_not_matter():
    bad = record()
    bad["generation"]["logprobs"][1] = float("nan")
    assert read_sample(bad, VOCAB).old.isfinite().all()


def broken(path: str, value) -> dict:
    r = record()
    *parents, last = path.split(".")
    at = r
    for name in parents:
        at = at[name]
    if value is KeyError:
        del at[last]
    else:
        at[last] = value
    return r


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("generation", KeyError, "not made by swr1 rollout"),
        ("generation.logprobs", KeyError, "no `generation.logprobs`"),
        ("generation.logprobs", None, "no `generation.logprobs`"),
        ("generation.token_ids", KeyError, "no `generation.token_ids`"),
        ("generation.prompt_ids", [], "`generation.prompt_ids` is empty"),
        ("generation.logprobs", [-0.1], "4 token_ids, 1 logprobs and 4 loss_mask"),
        ("generation.loss_mask", [1] * 5, "4 token_ids, 4 logprobs and 5 loss_mask"),
        ("generation.loss_mask", [1, 0, 2, 1], "loss_mask` may hold 0 and 1 only"),
        ("generation.token_ids", [4, 5, 50, 7], "has 50, outside the policy's vocabulary of 50"),
        ("generation.prompt_ids", [1, -2], "has -2, outside"),
        ("generation.logprobs", [-0.1, -0.2, float("inf"), -0.4], "not finite at a trained token"),
        ("generation.group", KeyError, r"no `generation.group`"),
        ("sample", KeyError, "no `sample`"),
        ("reward", KeyError, "`reward` is None.*swr1 reward"),
        ("reward", float("nan"), "`reward` is nan"),
        ("generation.sampling.temperature", 0, "temperature 0"),
        ("generation.sampling.top_p", 0.9, "top_p=0.9.*--allow-truncated-sampling"),
        ("generation.sampling.top_k", 40, "top_k=40"),
        ("generation.sampling.min_p", 0.05, "min_p=0.05"),
    ],
)
def test_bad_records_are_refused_by_name_and_place(path: str, value, message: str):
    class Placed(dict):
        location = "rewarded.jsonl:7"

    with pytest.raises(DataError, match=message) as error:
        read_sample(Placed(broken(path, value)), VOCAB)
    assert error.value.location == "rewarded.jsonl:7"
    assert "record 'a'" in str(error.value)


def test_truncated_sampling_can_be_accepted():
    bad = broken("generation.sampling.top_p", 0.9)
    assert read_sample(bad, VOCAB, allow_truncated_sampling=True).id == "a"


def test_interleaved_groups_come_out_whole_in_the_order_of_completion():
    a, b, later = (
        [record(i, s, 3, e) for s in range(3)] for i, e in (("a", 0), ("b", 0), ("a", 1))
    )
    stream = [a[2], b[1], a[0], b[0], later[0], b[2], a[1], later[2], later[1]]
    out, dropped = run(stream)
    assert [(g[0].id, g[0].epoch) for g in out] == [("b", 0), ("a", 0), ("a", 1)]
    assert all([s.sample for s in g] == [0, 1, 2] for g in out)
    assert not dropped


def test_a_group_that_never_completes_is_dropped_and_counted():
    out, dropped = run([record("a", 0, 3), record("b", 0, 1), record("a", 2, 3)])
    assert [g[0].id for g in out] == ["b"]
    assert dropped == {"in a group that never completed": 2}


def test_memory_is_bounded_when_many_groups_never_complete(monkeypatch):
    monkeypatch.setattr(groups, "OPEN_GROUPS", 2)
    stream = [record(f"x{i}") for i in range(5)] + [record("x4", 1)]
    out, dropped = run(stream)
    assert [g[0].id for g in out] == ["x4"]
    assert dropped.total() == 4


def test_duplicates_are_refused():
    with pytest.raises(DataError, match=r"'a': sample 0 of epoch 0 is there twice"):
        run([record(), record()])
    whole = [record("a", 0), record("a", 1)]
    with pytest.raises(DataError, match="given twice"):
        run(whole + copy.deepcopy(whole))


def test_digest_tells_inputs_apart_but_not_the_order_of_samples():
    group = [record("a", s) for s in range(2)]
    first = digest(run(group)[0][0])
    random.Random(0).shuffle(group)
    assert digest(run(group[::-1])[0][0]) == first
    group[0]["generation"]["token_ids"][0] += 1
    assert digest(run(group)[0][0]) != first


def follow(stream: list) -> tuple[list[str], int, list[int]]:
    """The ids of the groups that came out, how many were lost, and how many at each `on_wait`."""
    lost: list[int] = []
    told: list[int] = []
    groups = gather(
        stream,
        lambda r: read_sample(r, VOCAB),
        Counter(),
        on_lost=lambda: lost.append(1),
        on_wait=lambda: told.append(len(lost)),
    )
    return [g[0].id for g in groups], len(lost), told


def test_marks_tell_which_groups_are_not_coming():
    a, b, d, e = ([record(i, s) for s in range(2)] for i in "abde")
    stream = [*a, GROUP_END, b[1], GROUP_END, GROUP_END, *d, GROUP_END, WAITING, *e, GROUP_END]
    assert follow([*stream[:-5], GROUP_END_WAITING])[1:] == (2, [2])
    # of c, nothing came; the sender learns of both when it waits, not before
    assert follow(stream) == (["a", "d", "e"], 2, [2])


def test_silence_gives_up_what_is_open_and_what_comes_later_is_no_group():
    a, b = ([record(i, s) for s in range(2)] for i in "ab")
    assert follow([a[0], SILENCE, *b, a[1]]) == (["b"], 1, [1])
    assert follow([a[0], SILENCE, a[1], GROUP_END, *b, GROUP_END]) == (["b"], 1, [1])


def test_a_stage_that_changes_the_order_is_found_out():
    a = [record("a", s) for s in range(2)]
    with pytest.raises(DataError, match="sample 1: it comes after the end of its group"):
        follow([a[0], GROUP_END, a[1]])

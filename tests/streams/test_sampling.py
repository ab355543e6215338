"""Filters, shares and orders of `swr1 sample`, as functions."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.streams import sampling
from swr1.streams.sampling import Pool, arrange, matches, parse_condition, parse_mix, take
from tests.puzzles.brute import patient


def items(values, name="x"):
    return [{"v": 1, "id": f"i{i}", "info": {name: v}} for i, v in enumerate(values)]


def pooled(records, by="x", seed=0):
    pool = Pool(by, seed)
    for record in records:
        pool.add(record)
    return pool


@pytest.mark.parametrize(
    ("value", "wanted", "fits"),
    [
        (3, "3", True),
        (3, "3-5", True),
        (5, "3-5", True),
        (6, "3-5", False),
        (2.5, "2.0-2.6", True),
        (-1, "-2--1", True),
        (-3, "-2--1", False),
        (3, "x", False),
        (True, "true", True),
        (True, "1", False),
        (None, "null", True),
        (None, "0", False),
        ("3-5", "3-5", True),
        ("3", "3", True),
        (1e6, "1e6", True),
    ],
)
def test_what_a_value_matches(value, wanted, fits):
    assert matches(value, wanted) is fits


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("n=2", [0]),
        ("n!=2", [1, 2]),
        ("n>=2.5", [1]),
        ("n<=2", [0]),
        ("n>2", [1]),
        ("info.n<3", [0]),
        (" n = 2-3 ", [0, 1]),
        ("reward=-1.5", [2]),
        ("d.alive.-1=1", [0, 1]),
        ("d.alive.0>2", [2]),
    ],
)
def test_conditions_keep_what_they_say(condition, kept):
    records = [
        {"id": "a", "reward": 1, "info": {"n": 2, "d": {"alive": [2, 1]}}},
        {"id": "b", "reward": 0, "info": {"n": 3, "d": {"alive": [2, 1]}}},
        {"id": "c", "reward": -1.5, "info": {"n": None, "d": {"alive": [3, 2]}}},
    ]
    fits = parse_condition(condition)
    assert [i for i, record in enumerate(records) if fits(record)] == kept


def test_ties_are_shuffled_by_the_seed_whatever_the_input_order():
    records = items([i % 2 for i in range(200)])
    one = arrange(pooled(records).held, "rising")
    assert [h.value for h in one] == [0] * 100 + [1] * 100
    assert [h.place for h in one[:100]] != sorted(h.place for h in one[:100])
    again = pooled(records[::-1])
    assert [again.read(h)["id"] for h in arrange(again.held, "rising")] == [
        f"i{h.place}" for h in one
    ]
    other = arrange(pooled(records, seed=1).held, "rising")
    assert [h.place for h in other] != [h.place for h in one]


@pytest.mark.parametrize(("order", "soft"), [("shuffle", 0), ("falling", 0), ("rising", 0.5)])
def test_samples_of_a_prompt_stay_together(order, soft):
    records = [
        r | {"sample": s, "generation": {"epoch": e}}
        for s in range(3)
        for e in range(2)
        for r in items([i % 2 for i in range(10)])
    ]
    pool = pooled(records)
    done = [pool.read(h) for h in arrange(pool.held, order, soft)]
    prompts = [(r["id"], r["generation"]["epoch"]) for r in done]
    assert prompts[::3] == prompts[1::3] == prompts[2::3] and len(set(prompts)) == 20
    assert [r["sample"] for r in done] == [0, 1, 2] * 20


@pytest.mark.parametrize("soft", [0.0, 0.1, 0.3])
def test_a_soft_curriculum_moves_nobody_back_further_than_it_says(soft):
    n = 1000
    ordered = [h.value for h in arrange(pooled(items(range(n))).held, "rising", soft)]
    assert sorted(ordered) == list(range(n))
    assert (ordered == sorted(ordered)) == (soft == 0)
    # whoever comes before value v has a rank below v + soft * n
    highest = -1
    for value in ordered:
        assert value > highest - soft * n - 1
        highest = max(highest, value)
    if soft:
        start, end = ordered[: n // 10], ordered[-n // 10 :]
        assert sum(start) / len(start) < n * (0.05 + soft) and sum(end) / len(end) > n * 0.8


def test_n_is_a_uniform_choice_in_input_order():
    counts = Counter()
    for seed in range(400):
        chosen = take(pooled(items(range(10)), seed=seed).held, n=3)
        assert len(chosen) == 3 and [h.place for h in chosen] == sorted(h.place for h in chosen)
        counts.update(h.value for h in chosen)
    # 400 * 0.3 = 120 each, standard deviation 9.2
    assert all(80 < counts[v] < 160 for v in range(10))


def test_a_smaller_choice_is_part_of_a_larger_one():
    pool = pooled(items(range(50)))
    small, large = (set(take(pool.held, n=n)) for n in (10, 20))
    assert small < large


@patient
@given(st.lists(st.sampled_from([1, 2, 3, "x", None]), max_size=60), st.none() | st.integers(0, 40))
def test_balance_takes_equally_many_and_as_many_as_it_can(vs, n):
    sizes = Counter(vs)
    chosen = Counter(h.value for h in take(pooled(items(vs)).held, n=n, balance=True))
    each = min(sizes.values(), default=0)
    if n is not None and sizes:
        each = min(each, n // len(sizes))
    assert chosen == Counter(dict.fromkeys(sizes, each)) or (each == 0 and not chosen)


def test_bins_are_quantiles_and_keep_equal_values_together():
    chosen = take(pooled(items([*range(100), *range(100)])).held, balance=True, bins=4)
    assert Counter(h.value // 25 for h in chosen) == dict.fromkeys(range(4), 50)
    skewed = take(pooled(items([0] * 90 + list(range(1, 11)))).held, balance=True, bins=10)
    assert Counter(h.value == 0 for h in skewed) == {True: 10, False: 10}
    with pytest.raises(UsageError, match="numbers"):
        take(pooled(items(["a", "b"])).held, balance=True, bins=2)


def test_records_beyond_the_memory_come_back_from_disk(monkeypatch):
    monkeypatch.setattr(sampling, "SPOOL", 100)
    records = [r | {"text": "é" * i} for i, r in enumerate(items(range(50)))]
    pool = pooled(records)
    assert pool._file._rolled
    assert [pool.read(h) for h in arrange(pool.held, "falling")] == records[::-1]


@pytest.mark.parametrize("text", ["people", "=3", "x>y", ">3"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(UsageError):
        parse_condition(text)


@pytest.mark.parametrize("text", ["1", "1=0", "=1", "1=1,", "1=x", ""])
def test_what_is_no_mix_is_refused(text):
    with pytest.raises(UsageError, match="VALUE=WEIGHT"):
        parse_mix(text)


def test_a_mix_is_read():
    assert parse_mix("3=1, 4-5=0.5,a=b=2") == {"3": 1.0, "4-5": 0.5, "a=b": 2.0}


def test_a_key_that_is_missing_is_bad_data_with_a_suggestion():
    with pytest.raises(DataError, match="Did you mean 'people'"):
        parse_condition("peple=3")({"id": "a", "info": {"people": 3}})
    with pytest.raises(DataError, match="2 entries"):
        parse_condition("x.2=3")({"id": "a", "info": {"x": [1, 2]}})


def test_a_mix_names_a_value_that_no_record_has():
    with pytest.raises(UsageError, match="no record has the value 77"):
        take(pooled(items([1, 2])).held, mix={"1": 1.0, "77": 1.0})

import json
import random
import subprocess
import sys
from statistics import median

import pytest
from scipy.stats import wilcoxon

from swr1.errors import DataError
from swr1.evals.metrics import pool, summarise
from swr1.evals.pairs import paired
from swr1.evals.report import as_text, compare


def test_greedy_run_by_size(run):
    summary = summarise(run({2: (8, 10), 3: (1, 4)}))
    assert summary["decoding"] == "greedy"
    assert summary["max_tokens"] == [64]
    assert list(summary["groups"]) == ["2", "3"]
    two = summary["groups"]["2"]
    assert (two["puzzles"], two["samples"], two["correct"]) == (10, 10, 8)
    assert two["accuracy"] == 0.8
    assert two["interval"] == pytest.approx([0.490163, 0.943317], abs=2e-6)
    assert two["pass_at"] == {"1": 0.8}
    assert two["mean_at_k"] == 0.8
    assert summary["all"]["accuracy"] == 9 / 14
    assert summary["policies"] == [{"name": "runs/kk", "version": 0}]
    counts = {"correct": 0, "judged": 1, "lenient": 0, "unreadable": 0}
    assert summary["items"]["2-9"] == {"group": "2"} | counts
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_groups_in_order_of_number_and_those_without(record):
    records = [record(str(n), 1.0, people=n) for n in (10, 9, 2)]
    records.append(record("x", 1.0, info={}))
    assert list(summarise(records)["groups"]) == ["2", "9", "10", "-"]
    by_depth = [record("a", 1.0, info={"depth": 3}), record("b", 0.0, info={"depth": 1})]
    assert list(summarise(by_depth, by="depth")["groups"]) == ["1", "3"]


def test_null_verdicts_are_apart_and_not_wrong(record):
    scores = [1.0, 0.0, None, None]
    cell = summarise(record(str(i), s) for i, s in enumerate(scores))["all"]
    assert (cell["samples"], cell["judged"], cell["unjudged"], cell["correct"]) == (4, 2, 2, 1)
    assert cell["accuracy"] == 0.5
    assert cell["puzzles"] == 4
    nothing = summarise([record("a", None)])["all"]
    assert nothing["accuracy"] is nothing["interval"] is nothing["mean_at_k"] is None
    assert nothing["pass_at"] == {}
    assert nothing["unjudged"] == 1


def test_only_a_full_score_is_right(record):
    assert summarise([record("a", 0.5), record("b", 1)])["all"]["correct"] == 1


def test_several_samples_per_puzzle(record):
    """4 samples each; 3, 1 and 0 right. pass@2 = 1 - C(4-c,2)/6: 1, 1/2, 0."""
    right = {"a": 3, "b": 1, "c": 0}
    records = [
        record(id_, float(s < c), sample=s, temperature=1.0)
        for id_, c in right.items()
        for s in range(4)
    ]
    summary = summarise(records)
    cell = summary["all"]
    assert summary["decoding"] == "sampled"
    assert summary["temperatures"] == [1.0]
    assert (cell["puzzles"], cell["samples"], cell["k"]) == (3, 12, 4)
    assert cell["accuracy"] == cell["mean_at_k"] == pytest.approx(1 / 3)
    assert cell["pass_at"] == pytest.approx({"1": 1 / 3, "2": 1 / 2, "4": 2 / 3})
    assert cell["pass_at_puzzles"] == {"1": 3, "2": 3, "4": 3}


def test_pass_at_k_leaves_out_puzzles_with_fewer_samples(record):
    records = [record("a", s, sample=i) for i, s in enumerate([1.0, 0.0, 0.0])]
    records += [record("b", s, sample=i) for i, s in enumerate([1.0, None, 1.0])]
    cell = summarise(records)["all"]
    assert cell["accuracy"] == 3 / 5
    assert cell["mean_at_k"] == pytest.approx((1 / 3 + 1) / 2)
    assert list(cell["pass_at"]) == ["1", "2", "3"]
    assert cell["pass_at_puzzles"] == {"1": 2, "2": 2, "3": 1}
    assert cell["pass_at"]["2"] == pytest.approx((2 / 3 + 1) / 2)


def test_lengths_format_truncation_reward(record):
    records = [
        record("a", 1.0, tokens=4, reward=3.0),
        record("b", 0.0, tokens=10, reward=-0.5, finish="length"),
        record("c", 0.0, tokens=40, reward=-3.0, form=0.0, finish="length"),
        record("d", 0.0, tokens=6, form=None),
    ]
    cell = summarise(records)["all"]
    assert (cell["length_mean"], cell["length_median"]) == (15.0, 8.0)
    assert (cell["format_judged"], cell["format_rate"]) == (3, 2 / 3)
    assert (cell["finished"], cell["truncated_share"]) == (4, 0.5)
    assert (cell["rewarded"], cell["reward_mean"]) == (3, pytest.approx(-0.5 / 3))


def test_words_where_there_are_no_tokens(record):
    bare = record("a", 1.0, generation={})
    del bare["verdicts"]["format"]
    summary = summarise([bare])
    assert summary["length_unit"] == "words"
    assert summary["all"]["length_mean"] == 4
    assert summary["decoding"] == "unknown"
    assert summary["policies"] == []
    assert summary["all"]["format_rate"] is summary["all"]["truncated_share"] is None
    assert summary["all"]["reward_mean"] is None
    assert summarise([bare, record("b", 1.0)])["length_unit"] == "mixed"


def test_greedy_and_sampled_together_are_called_mixed(record):
    both = [record("a", 1.0), record("b", 1.0, temperature=0.7)]
    assert summarise(both)["decoding"] == "mixed"


def test_the_order_of_records_does_not_matter(record):
    rng = random.Random(1)
    records = [
        record(
            f"p{i}",
            rng.choice([0.0, 1.0, None]),
            people=2 + i % 2,
            sample=s,
            temperature=0.7,
            tokens=rng.randrange(1, 99),
            reward=rng.uniform(-3, 3),
            version=rng.randrange(3),
        )
        for i in range(40)
        for s in range(1 + i % 5)
    ]
    first = json.dumps(summarise(records))
    for _ in range(5):
        rng.shuffle(records)
        assert json.dumps(summarise(iter(records))) == first
    lengths = [len(r["generation"]["token_ids"]) for r in records]
    assert json.loads(first)["all"]["length_median"] == median(lengths)


def test_another_verdict_by_name(record):
    one = record("a", 0.0)
    assert summarise([one], verdict="format")["all"]["correct"] == 1
    assert summarise([one])["all"]["correct"] == 0


def test_what_is_missing_names_the_stage_to_run(record):
    unjudged = record("abc", 1.0)
    del unjudged["verdicts"]["knights"]
    with pytest.raises(DataError, match=r"record abc: .*has: format.*swr1 verify knights"):
        summarise([unjudged])
    with pytest.raises(DataError, match="swr1 rollout"):
        summarise([{"id": "abc", "task": "knights"}])
    with pytest.raises(DataError, match="swr1 verify"):
        summarise([])
    with pytest.raises(DataError, match="name the verdict"):
        summarise([record("a", 1.0, task=None)])
    with pytest.raises(DataError, match="no numeric or null score: 'yes'"):
        summarise([record("a", "yes")])


def test_one_completion_counts_once(record):
    with pytest.raises(DataError, match="record a: sample 0 of epoch 0 occurs twice"):
        summarise([record("a", 1.0), record("b", 1.0), record("a", 0.0, temperature=1.0)])


def test_pool_equals_the_summary_of_those_sizes(record):
    rng = random.Random(2)
    records = [
        record(
            f"{n}-{i}",
            rng.choice([0.0, 1.0, 1.0, None]),
            people=n,
            sample=s,
            tokens=n * 10 + i,
            form=rng.choice([0.0, 1.0]),
            reward=rng.choice([3.0, -0.5]) if i % 2 else None,
            finish=rng.choice(["stop", "length"]),
        )
        for n in (2, 3, 4)
        for i in range(10 * n)
        for s in range(3)
    ]
    together = pool(summarise(records), ["2", "3"])
    direct = summarise(r for r in records if r["info"]["people"] < 4)["all"]
    for name, value in together.items():
        if name not in ("length_median", "pass_at", "pass_at_puzzles"):
            assert value == pytest.approx(direct[name]), name
    assert pool(summarise(records), ["9"])["accuracy"] is None


def test_paired_counts_changes_on_the_same_puzzles(run):
    before = summarise(run({2: (2, 10), 3: (1, 10)}))
    after = summarise(run({2: (9, 10), 3: (0, 10)}, version=5))
    change = paired(before, after)
    assert (change["puzzles"], change["gained"], change["lost"]) == (20, 7, 1)
    assert change["points"] == pytest.approx(30)
    # 2 * (C(8,0) + C(8,1)) / 2^8
    assert change["p_value"] == pytest.approx(18 / 256)
    assert change["interval"][0] < 30 < change["interval"][1]
    assert paired(before, after, ["2"])["gained"] == 7
    assert paired(before, after, ["2"])["lost"] == 0
    assert paired(before, before)["interval"] is None
    assert paired(before, before)["points"] == 0


def test_paired_with_several_samples_is_tested_by_ranks(record):
    def sampled(right: dict[str, int]) -> list[dict]:
        return [record(i, float(s < c), sample=s) for i, c in right.items() for s in range(4)]

    before, after = sampled({"a": 1, "b": 0, "x": 4}), sampled({"a": 3, "b": 1, "y": 0})
    change = paired(summarise(before), summarise(after))
    assert change["puzzles"] == 2
    assert change["points"] == pytest.approx(100 * (0.5 + 0.25) / 2)
    assert change["gained"] is change["lost"] is None
    assert (change["test"], change["p_value"]) == ("Wilcoxon", wilcoxon([0.5, 0.25]).pvalue)
    assert paired(summarise(before), summarise(sampled({"z": 1}))) is None


def test_counting_imports_nothing_heavy():
    heavy = ["torch", "scipy", "numpy", "matplotlib", "pyarrow", "rich"]
    code = (
        "import sys; from swr1.evals.metrics import summarise;"
        "summarise([{'id': 'a', 'task': 't', 'completion': '', 'verdicts': {'t': {'score': 1}}}]);"
        f"print(*sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_guidance_spent_is_a_column_where_there_was_guidance():
    def record(n, spent=None):
        generation = {"token_ids": [1, 2], "sampling": {"temperature": 1}, "finish_reason": "stop"}
        guided = {"guided": {"method": "greedy", "spent": spent}} if spent else {}
        return {
            "id": f"r{n}",
            "task": "qa",
            "prompt": [{"role": "user", "content": str(n)}],
            "completion": "a b",
            "generation": generation | guided,
            "verdicts": {"exact": {"score": 1}},
        }

    plain = summarise([record(0), record(1)])
    guided = summarise([record(0, 30), record(1, 50)])
    assert plain["all"]["spent_mean"] is None and guided["all"]["spent_mean"] == 40
    page = as_text(compare({"plain": plain, "guided": guided}))
    assert "spent" in page and "40" in page
    assert "spent" not in as_text(compare({"plain": plain, "same": plain}))

"""LiMem against hand-made examples and brute force; contamination against plain renaming."""

from itertools import product
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.evals.contamination import MOST, Held, match_lines
from swr1.evals.contamination import report as seen_report
from swr1.evals.memorisation import memorisation, report
from swr1.evals.report import as_text
from swr1.evals.stats import wilson
from swr1.puzzles.generator import generate
from swr1.puzzles.perturb import KINDS, Impossible, perturb
from swr1.records import make_id
from tests.conftest import jsonl, run_swr1
from tests.evals.conftest import judged


def pair(name, right, twin_right, kind="leaf", people=2, changes=True):
    """Judged samples of a puzzle and of its perturbed twin; None: not judged."""
    link = {"kind": kind, "of": name, "changes_solution": changes}
    twin_info = {"people": people, "perturbed": link}
    originals = [judged(name, r, people, sample=i) for i, r in enumerate(right)]
    twins = [
        judged(f"{name}-{kind}", r, people, sample=i, info=twin_info)
        for i, r in enumerate(twin_right)
    ]
    return originals + twins


def test_limem_by_hand():
    """10 puzzles: 6 solved, of which 4 again when changed; of the 4 unsolved 1 is solved then."""
    outcomes = [(1, 1)] * 4 + [(1, 0)] * 2 + [(0, 1)] + [(0, 0)] * 3
    records = [r for i, (a, b) in enumerate(outcomes) for r in pair(f"p{i}", [a], [b])]
    Random(0).shuffle(records)
    figures = memorisation(records)["kinds"]["leaf"]["all"]
    assert figures["original"]["share"] == 0.6
    assert figures["perturbed"]["share"] == 0.5
    assert figures["consistency"]["share"] == pytest.approx(4 / 6)
    assert figures["limem"]["share"] == pytest.approx(0.6 * (1 - 4 / 6))
    assert figures["limem"]["interval"] == pytest.approx(wilson(0.2, 10))
    assert figures["consistency"]["interval"] == pytest.approx(wilson(4 / 6, 6))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_one_sample_each_is_the_published_formula(outcomes):
    records = [r for i, (a, b) in enumerate(outcomes) for r in pair(f"p{i}", [a], [b])]
    figures = memorisation(records)["kinds"]["leaf"]["all"]
    solved = [b for a, b in outcomes if a]
    consistency = sum(solved) / len(solved) if solved else None
    accuracy = len(solved) / len(outcomes)
    assert figures["consistency"]["share"] == consistency
    assert figures["limem"]["share"] == pytest.approx(
        accuracy * (1 - consistency) if solved else 0.0
    )
    low, high = figures["limem"]["interval"]
    assert low <= figures["limem"]["share"] + 1e-12
    assert figures["limem"]["share"] <= high + 1e-12


samples = st.lists(st.booleans(), min_size=3, max_size=3)


@given(st.lists(st.tuples(samples, samples), min_size=1, max_size=12))
def test_several_samples_by_brute_force(outcomes):
    records = [r for i, (a, b) in enumerate(outcomes) for r in pair(f"p{i}", a, b)]
    figures = memorisation(records)["kinds"]["leaf"]["all"]
    pairs = [(x, y) for a, b in outcomes for x, y in product(a, b)]
    assert figures["limem"]["share"] == pytest.approx(
        sum(x and not y for x, y in pairs) / len(pairs)
    )
    means = [sum(a) / 3 * (1 - sum(b) / 3) for a, b in outcomes]
    assert figures["limem"]["share"] == pytest.approx(sum(means) / len(means))
    accuracy, again = figures["original"]["share"], figures["consistency"]["share"]
    assert figures["limem"]["share"] == pytest.approx(accuracy * (1 - (again or 0)))


def test_kinds_and_sizes_are_kept_apart():
    records = [
        *pair("a", [1], [0], people=2),
        *pair("b", [1], [1], people=10),
        *pair("c", [0], [1], people=3, kind="names", changes=False),
        # the same original, changed in another way
        *pair("a", [1], [1], people=2, kind="order", changes=False)[1:],
    ]
    result = memorisation(records)
    assert list(result["kinds"]) == ["leaf", "names", "order"]
    leaf = result["kinds"]["leaf"]
    assert list(leaf["groups"]) == ["2", "10"]
    assert leaf["groups"]["2"]["limem"]["share"] == 1.0
    assert leaf["groups"]["10"]["limem"]["share"] == 0.0
    assert result["kinds"]["order"]["all"]["limem"]["share"] == 0.0
    assert [k["changes_solution"] for k in result["kinds"].values()] == [True, False, False]


def test_what_cannot_be_paired_is_counted_and_named():
    records = [
        *pair("a", [1], [0]),
        *pair("lost", [1], [0])[1:],  # a twin whose original is not here
        *pair("null", [None], [1]),
        *pair("half", [None, 1], [0, None]),  # judged once on both sides
        judged("alone", 1.0),
        *pair("n", [1], [1], kind="names"),
    ]
    result = memorisation(records)
    leaf = result["kinds"]["leaf"]
    assert leaf["without_original"] == ["lost-leaf"]
    assert leaf["unjudged"] == ["null-leaf"]
    assert leaf["without_twin"] == ["n"]
    assert leaf["all"]["puzzles"] == 2
    assert leaf["all"]["limem"]["share"] == 1.0
    assert (result["originals"], result["others"]) == (4, 1)
    text = " ".join(as_text(report({"": result})).split())
    assert "leaf: left out, their originals are not here: 1 (lost-leaf)" in text
    assert "leaf: left out, not judged on both sides: 1 (null-leaf)" in text
    assert "leaf: originals without a perturbed puzzle of this kind: 1" in text
    assert "left out, with no perturbed puzzle of any kind: 1" in text
    nothing = as_text(report({"": memorisation([judged("alone", 1.0)])}))
    assert "`swr1 perturb` makes them" in nothing


def test_a_twice_perturbed_puzzle_is_compared_with_the_once_perturbed():
    first = pair("a", [1], [1])
    link = {"kind": "flip", "of": "a-leaf", "changes_solution": False}
    second = judged("a-leaf-flip", 0.0, info={"people": 2, "perturbed": link})
    kinds = memorisation([*first, second])["kinds"]
    assert kinds["leaf"]["all"]["limem"]["share"] == 0.0
    assert kinds["flip"]["all"]["limem"]["share"] == 1.0


def test_tables_fit_80_columns():
    records = [
        r
        for kind in KINDS
        for people in (2, 10)
        for i in range(3)
        for r in pair(f"{kind}{people}{i}", [1], [1], kind, people)
    ]
    run = memorisation(records)
    one, several = as_text(report({"": run})), as_text(report({f"run {i}": run for i in range(7)}))
    assert max(map(len, (one + several).splitlines())) <= 80
    assert "statement" in one and "…" not in one + several
    assert all(f"run {i}" in several for i in range(7))


def test_what_could_not_be_read_is_no_sign_of_memory():
    """10 puzzles, all solved; of the twins 4 are solved and 6 could not be read."""
    records = [r for i in range(10) for r in pair(f"p{i:03}", [1], [i < 4], "names", changes=False)]
    for i, record in enumerate(records):
        record["generation"]["policy"]["name"] = "runs/a-policy-of-a-long-name/rl"
        if record["id"].endswith("names") and i // 2 >= 4:
            record["verdicts"]["knights"] = {"score": 0.0, "label": "unreadable"}
    run = memorisation(records)
    twins = run["kinds"]["names"]["all"]
    assert twins["unread_original"]["share"] == 0.0 and twins["unread_perturbed"]["share"] == 0.6
    page = as_text(report({"a label": run}))
    text = " ".join(page.split())
    assert "names: 60.0% of the answers to the perturbed puzzles could not be read, 0.0%" in text
    assert "LiMem counts them as wrong" in text
    assert "names 10 100.0 40.0 0.0 60.0 40.0 17-69 60.0 31-83" in text
    lines = page.splitlines()
    assert max(map(len, lines)) <= 80 and "…" not in page
    assert any(line.endswith("at most 64 new tokens") for line in lines)  # a part is in one line
    records = pair("p", [1], [1])
    assert "could not be read" not in as_text(report({"": memorisation(records)}))


# Contamination


def named(item, **more):
    return {"v": 1, "id": make_id(item["task"], item["prompt"], item["answer"]), **item, **more}


TEST = [named(r) for r in generate(12, (3, 5), seed=5, split="test")]
TRAIN = [named(r) for r in generate(300, (3, 5), seed=6, split="train")]
KEEPING = [kind for kind, of in KINDS.items() if not of.changes_solution]


def test_splits_are_clean():
    result = Held(TEST).look_through(TRAIN)
    assert result["all"] == {"puzzles": 12, "seen": 0, "same_id": 0}
    assert result["looked_through"] == 300


@settings(deadline=None)
@given(st.integers(0, 11), st.lists(st.sampled_from(KEEPING), min_size=1, max_size=4))
def test_any_variant_is_found_and_named(which, kinds):
    variant = TEST[which]
    for kind in kinds:
        try:
            variant = perturb(variant, kind)
        except Impossible:
            assert kind == "wording"
    result = Held(TEST).look_through([*TRAIN, variant])
    assert result["all"]["seen"] == 1
    (match,) = result["matches"]
    assert match["id"] == TEST[which]["id"]
    assert [of["id"] for of in match["of"]] == [variant["id"]]
    size = str(TEST[which]["info"]["people"])
    assert [cell["seen"] for name, cell in result["groups"].items() if name != size] == [0, 0]


def test_a_changed_puzzle_is_another_puzzle():
    changed = []
    for record in TEST:
        for kind in ("statement", "leaf"):
            try:
                changed.append(perturb(record, kind))
            except Impossible:
                continue
    assert len(changed) > 15
    assert Held(TEST).look_through(changed)["all"]["seen"] == 0


def test_many_matches_are_counted_and_the_same_item_is_always_named():
    record = TEST[0]
    variants = [perturb(record, "names", seed=s) for s in range(MOST + 5)]
    (match,) = Held([record]).look_through([*variants, record])["matches"]
    assert match["records"] == MOST + 6
    assert len(match["of"]) == MOST + 1
    assert match["of"][-1]["id"] == record["id"]


def test_accuracy_on_seen_against_unseen():
    done = [
        named(r, completion="c", sample=s, verdicts={"knights": {"score": float(right)}})
        for i, r in enumerate(TEST)
        for s, right in enumerate([i < 4, i % 2 == 0])
    ]
    held = Held(done)
    result = held.look_through([perturb(r, "order") for r in TEST[:4]])
    assert result["all"]["seen"] == 4
    assert result["all"]["right_seen"]["share"] == 6 / 8
    assert result["all"]["right_unseen"]["share"] == 4 / 16
    text = as_text(seen_report({"": result}))
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1].split()[:5] == ["all", "12", "4", "33.3", "0"]


def test_records_that_are_no_puzzles_are_refused():
    with pytest.raises(DataError, match=r"swr1 load kk"):
        Held([{"id": "x", "info": {}}])
    with pytest.raises(DataError, match=r"swr1 load kk"):
        Held(TEST).look_through([{"id": "x", "info": {"statements": [["knave"]]}}])
    with pytest.raises(DataError, match="no puzzles"):
        Held([])


# The command line


def answered(records, right):
    return [
        r | {"completion": "c", "verdicts": {"knights": {"score": float(right(r))}}}
        for r in records
    ]


def test_the_command_line_from_puzzles_to_limem(tmp_path):
    puzzles = run_swr1(*"gen-puzzles -n 40 --people 3-4".split(), check=True).stdout
    made = run_swr1("perturb", "names", "statement", "--with-original", stdin=puzzles, check=True)
    records = [orjson.loads(line) for line in made.stdout.splitlines()]
    # a model that knows the texts it has seen by heart
    by_heart = answered(records, lambda r: "perturbed" not in r["info"])
    originals = [r for r in by_heart if "perturbed" not in r["info"]]
    others = [r for r in by_heart if "perturbed" in r["info"]]
    paths = [tmp_path / "o.jsonl", tmp_path / "p.jsonl"]
    for path, part in zip(paths, (originals, others), strict=True):
        path.write_bytes(jsonl(part))
    done = run_swr1("eval", "--memorisation", "--json", *reversed(paths), check=True)
    numbers = orjson.loads(done.stdout)[""]
    assert numbers["kinds"]["names"]["all"]["limem"]["share"] == 1.0
    assert numbers["kinds"]["names"]["all"]["puzzles"] == 40
    # against one that reasons, side by side; two files of one label are one run
    reasons = tmp_path / "able.jsonl"
    reasons.write_bytes(jsonl(answered(records, lambda r: True)))
    labelled = [f"rote={path}" for path in paths]
    table = run_swr1("eval", "--memorisation", *labelled, f"able={reasons}", check=True).stdout
    rows = [line.split() for line in table.splitlines() if line.startswith("  ")]
    rote = ["rote", "40", "100.0", "0.0", "0.0", "0-9", "100.0", "91-100"]
    able = ["able", "40", "100.0", "100.0", "100.0", "91-100", "0.0", "0-9"]
    assert rows[-2:] == [rote, able]
    assert run_swr1("eval", reasons, "--memorisation", "--seen", reasons).returncode == 2


def test_the_command_line_finds_contamination(tmp_path):
    test, train = tmp_path / "test.jsonl", tmp_path / "train.parquet"
    test.write_bytes(jsonl(TEST))
    mixed = jsonl([*TRAIN[:20], perturb(TEST[3], "names"), TEST[7]])
    run_swr1("merge", "-o", train, stdin=mixed, check=True)
    done = run_swr1("eval", test, "--seen", train, "--list", check=True)
    assert f"{test}:4 ({TEST[3]['id']}) = {train}:row 21 (" in done.stdout
    assert f"{test}:8 ({TEST[7]['id']}) = {train}:row 22 ({TEST[7]['id']})" in done.stdout
    numbers = orjson.loads(run_swr1("eval", test, "--seen", train, "--json", check=True).stdout)
    assert numbers[""]["all"] == {"puzzles": 12, "seen": 2, "same_id": 1}
    assert list(match_lines(numbers)) == done.stdout.splitlines()[-2:]
    assert run_swr1("eval", test, "--list").returncode == 2

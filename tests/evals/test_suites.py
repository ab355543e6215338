"""Suites: what counts as a hit, intervals and tests against scipy and by hand, the command line."""

import json

import pytest
from scipy.stats import binomtest, wilcoxon

from swr1.errors import DataError, UsageError
from swr1.evals.report import as_text
from swr1.evals.stats import holm, signed_rank
from swr1.evals.suite_page import page as page_of
from swr1.evals.suite_page import two_axes
from swr1.evals.suites import compare_runs, load_measures, measure
from swr1.loading.declare import LOADERS
from tests.conftest import jsonl, load, run_swr1
from tests.loading.shapes import GAOKAO, MMMU, VISTA, with_pictures, write


def xstest(n, label, harmful=False, kind="homonyms", sample=0):
    score = {"compliance": 0.0, "partial": 0.5, "refusal": 1.0, None: None}[label]
    return {
        "v": 1,
        "id": f"x{n}",
        "task": "safety",
        "prompt": [{"role": "user", "content": str(n)}],
        "info": {"dataset": "xstest", "harmful": harmful, "type": kind},
        "sample": sample,
        "completion": "...",
        "generation": {"epoch": 0, "token_ids": [1]},
        "verdicts": {"refusal": {"score": score, "label": label, "by": "t"}},
    }


def gsm(n, right, sample=0):
    verdict = {"score": float(right), "label": "correct" if right else "wrong", "by": "t"}
    return {
        **xstest(n, "compliance", sample=sample),
        "task": "math",
        "info": {"dataset": "gsm8k"},
        "verdicts": {"math": verdict},
    }


def numbers(*runs, suites=(), by=None):
    measures = load_measures(suites)
    return compare_runs(
        {str(i): measure(records, measures, by) for i, records in enumerate(runs)}, measures
    )


def row(result, key):
    [found] = [row for row in result["measures"] if row["measure"] == key]
    return found


def test_partial_refusals_are_their_own_class():
    run = [xstest(0, "refusal"), xstest(1, "partial"), xstest(2, "compliance"), xstest(3, None)]
    run += [xstest(4, "refusal", harmful=True), xstest(5, "compliance", harmful=True)]
    result = numbers(run)
    assert row(result, "xstest: over-refusal")["runs"]["0"]["share"] == pytest.approx(2 / 3)
    assert row(result, "xstest: full refusal of safe")["runs"]["0"]["share"] == pytest.approx(1 / 3)
    assert row(result, "xstest: refusal of unsafe")["runs"]["0"]["share"] == 0.5
    assert row(result, "xstest: over-refusal")["runs"]["0"]["unjudged"] == 1


def test_breakdown_by_the_sets_own_field_or_another():
    run = [xstest(0, "refusal", kind="a"), xstest(1, "compliance", kind="b")]
    groups = row(numbers(run), "xstest: over-refusal")["runs"]["0"]["groups"]
    assert {name: cell["share"] for name, cell in groups.items()} == {"a": 1.0, "b": 0.0}
    run[0]["info"]["attack"] = "leet"
    groups = row(numbers(run, by="attack"), "xstest: over-refusal")["runs"]["0"]["groups"]
    assert set(groups) == {"-", "leet"}


def test_samples_of_one_prompt_may_be_in_different_groups():
    run = [gsm(0, True, 0), gsm(0, False, 1)]
    for record, model in zip(run, "ab", strict=True):
        record["info"] = {"dataset": "gsm8k", "model": model}
    groups = row(numbers(run, by="model"), "gsm8k: accuracy")["runs"]["0"]["groups"]
    assert {name: cell["share"] for name, cell in groups.items()} == {"a": 1.0, "b": 0.0}


def test_single_samples_are_compared_by_mcnemar_and_several_by_ranks():
    before = [gsm(i, i < 3) for i in range(20)]
    after = [gsm(i, i < 12) for i in range(20)]
    change = row(numbers(before, after), "gsm8k: accuracy")["changes"]["1"]
    assert change["points"] == pytest.approx(45)
    assert change["p_value"] == pytest.approx(binomtest(9, 9, 0.5).pvalue)
    twice = [gsm(i, i < 3, s) for i in range(20) for s in (0, 1)]
    better = [gsm(i, i < 12 + s, s) for i in range(20) for s in (0, 1)]
    change = row(numbers(twice, better), "gsm8k: accuracy")["changes"]["1"]
    gains = [0.0] * 3 + [1.0] * 9 + [0.5] + [0.0] * 7
    assert change["p_value"] == pytest.approx(wilcoxon(gains).pvalue)


def test_pass_at_k_of_several_samples():
    run = [gsm(0, True, 0), gsm(0, False, 1), gsm(1, False, 0), gsm(1, False, 1)]
    cell = row(numbers(run), "gsm8k: accuracy")["runs"]["0"]
    assert (cell["share"], cell["k"], cell["pass_at_k"]) == (0.25, 2, 0.5)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    assert signed_rank([0.0, 0.0]) == 1.0


def test_axes_take_what_all_runs_have():
    safe = [xstest(9, "refusal", harmful=True)]
    result = numbers([gsm(0, True), gsm(1, False), *safe], [gsm(0, True), gsm(1, True)])
    assert result["axes"]["0"]["ability"][0] == 0.5
    assert result["axes"]["1"]["ability"][0] == 1.0
    assert "safety" not in result["axes"]["0"]


def test_records_without_measure_or_verdict_are_told():
    odd = {**gsm(0, True), "info": {"dataset": "elsewhere"}, "task": "poetry"}
    bare = {**gsm(1, True), "verdicts": {}}
    result = numbers([odd, bare])
    assert result["unmeasured"]["0"] == {"elsewhere": 1}
    assert row(result, "gsm8k: accuracy")["runs"]["0"]["lacking"] == 1


def test_a_sample_that_is_there_twice_is_refused():
    with pytest.raises(DataError, match="twice"):
        numbers([gsm(0, True), gsm(0, True)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[measure]]\nname="a"', "lacks 'dataset'"),
        ('[[measure]]\ndatset="a"', "dataset"),
        (
            '[[measure]]\ndataset="a"\nname="b"\nsuites=["c"]\nverdict="d"\ngood="no"',
            "good is low or high",
        ),
        ("[[measure", "cannot read"),
    ],
)
def test_wrong_measures(tmp_path, text, said):
    file = tmp_path / "m.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_measures((), file)


def test_every_measure_is_of_a_set_that_can_be_loaded():
    sets = {*LOADERS.names(), "siuo-mcqa", "village"}
    assert {one.dataset for one in load_measures()} <= sets | {""}  # "": of a task


def test_unknown_suite_has_a_suggestion():
    with pytest.raises(UsageError, match="safety"):
        load_measures(["safty"])


def test_the_command_line(tmp_path):
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    a.write_bytes(jsonl([gsm(i, i < 3) for i in range(20)] + [xstest(99, "refusal", True)]))
    b.write_bytes(jsonl([gsm(i, i < 18) for i in range(20)] + [xstest(99, "partial", True)]))
    done = run_swr1(
        "eval", f"one={a}", f"two={b}", "--suite", "ability,safety", "--failures",
        tmp_path / "bad.jsonl", "--picture", tmp_path / "axes.svg", check=True,
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "two 20 90.0 70-97 +75.0 0.00012" in lines  # 15 turned right: 2 * 2**-15, of two tests
    assert "ability, mean: over gsm8k (accuracy: 20 prompts)" in lines
    bad = load(tmp_path / "bad.jsonl")
    assert len(bad) == 17 + 2 and bad[0]["info"]["failed"] == ["gsm8k: accuracy"]
    assert "token_ids" not in bad[0]["generation"]
    assert b"ability" in (tmp_path / "axes.svg").read_bytes()
    told = json.loads(run_swr1("eval", a, "--suite", "math", "--json", check=True).stdout)
    assert told["measures"][0]["runs"]["all"]["share"] == 0.15
    more = tmp_path / "more.toml"
    more.write_text(
        '[[measure]]\ndataset="gsm8k"\nname="mine"\nsuites=["own"]\nverdict="math"\ngood="high"\n'
    )
    done = run_swr1("eval", a, "--suite", "own", "--measures", more, check=True)
    assert "mine" in done.stdout


# --- benchmarks whose items are of several kinds, from the published files to the page ---


def answered(tmp_path, name, file, content, said, verifiers=("choice",)):
    """`swr1 load`, with these completions, through the verifiers of the suite."""
    path = write(tmp_path / file, with_pictures(tmp_path, content))
    loaded_ = run_swr1("load", name, path, check=True).stdout
    records = [json.loads(line) for line in loaded_.splitlines()]
    rows = [
        r | {"sample": 0, "completion": f"<answer>{text}</answer>"}
        for r, text in zip(records, said, strict=True)
    ]
    judged = tmp_path / f"{name}.jsonl"
    # in the folder of the pictures, where records of a pipe may name them
    run_swr1("verify", *verifiers, "-o", judged, stdin=jsonl(rows), check=True, cwd=tmp_path)
    return judged


def page(*files):
    done = run_swr1("eval", *files, "--suite", "ability", "--json", check=True)
    return json.loads(done.stdout)


def test_choices_numbers_and_texts_of_one_benchmark_each_by_its_verifier(tmp_path):
    open_ = MMMU | {"question_type": "open", "options": "[]"}
    rows = [
        MMMU,
        MMMU | {"id": "test_Art_2"},
        open_ | {"id": "test_Art_3", "question": "Who?", "answer": "['Ada', 'Lovelace']"},
        open_ | {"id": "test_Art_4", "question": "How much?", "answer": "1,500"},
        open_ | {"id": "test_Art_5", "question": "How big?", "answer": "0.33"},
        MMMU | {"id": "test_Art_6", "question": "Which?", "answer": "?"},
    ]
    said = ["B", "A", "the Lovelace", "1500.00", "1/3", "B"]
    kinds = ("choice", "math", "exact")
    mmmu = answered(tmp_path, "mmmu", "validation.parquet", rows, said, kinds)
    free = VISTA | {"choices": None, "question_type": "free_form"}
    rows = {
        "1": VISTA,  # answered by the text of its option
        "2": free | {"pid": "2", "question": "a", "answer": "1.5", "answer_type": "float"},
        "3": free | {"pid": "3", "question": "b", "answer": "7", "answer_type": "integer",
                     "precision": None},
        "4": free | {"pid": "4", "question": "c", "answer": "Paris", "answer_type": "text"},
        "5": free | {"pid": "5", "question": "d", "answer": "[1, 4]", "answer_type": "list"},
    }  # fmt: skip
    said = ["2", "1.52", "7.2", "paris", "[1, 4]"]
    vista = answered(tmp_path, "mathvista", "testmini.json", rows, said, kinds)
    result = page(mmmu, vista)
    cell = row(result, "mmmu: accuracy")["runs"]
    [cell] = cell.values()
    assert (cell["samples"], cell["unjudged"], cell["lacking"]) == (6, 1, 0)  # one has no answer
    assert cell["share"] == pytest.approx(4 / 5)
    [cell] = row(result, "mathvista: accuracy")["runs"].values()
    assert (cell["samples"], cell["unjudged"], cell["lacking"]) == (5, 0, 0)
    assert cell["share"] == pytest.approx(4 / 5)


def test_gaokaos_half_for_some_of_the_right_choices(tmp_path):
    physics = [GAOKAO | {"index": i, "question": f"{i} A. 甲 B. 乙 C. 丙 D. 丁"} for i in range(4)]
    physics.append(GAOKAO | {"index": 4, "question": "5", "answer": ["C"]})
    file = {"keywords": "2010-2023_Physics_MCQs", "example": physics}
    said = ["BD", "B", "ABD", "A", "C"]
    judged = answered(tmp_path, "gaokao-mm", "2010-2023_Physics_MCQs.json", file, said)
    result = page(judged)
    [cell] = row(result, "gaokao-mm: accuracy")["runs"].values()
    assert (cell["unjudged"], cell["share"]) == (0, pytest.approx((1 + 0.5 + 0 + 0 + 1) / 5))


def test_a_missing_verdict_names_all_that_are_asked_for(tmp_path):
    rows = [MMMU, MMMU | {"id": "x", "question_type": "open", "options": "[]", "answer": "2"}]
    judged = answered(tmp_path, "mmmu", "validation.parquet", rows, ["B", "2"])
    done = run_swr1("eval", judged, "--suite", "ability", check=True)
    told = " ".join(done.stdout.split())
    assert "mmmu: accuracy: 1 samples have no verdict 'choice' or 'math' or 'exact'" in told
    assert "(swr1 verify choice math exact)" in told


def test_a_verdict_is_a_name_or_a_table_of_names(tmp_path):
    file = tmp_path / "mine.toml"
    head = '[[measure]]\ndataset = "a"\nname = "b"\nsuites = ["s"]\ngood = "high"\n'
    for wrong in ("3", "{}", "{ math = 1 }", '""'):
        file.write_text(f"{head}verdict = {wrong}\n")
        with pytest.raises(UsageError, match="a table of names by task"):
            load_measures((), file)


# --- what a data set without measures gets, guards beside rules, means and pictures ---


def safety(n, harmful, guard=None, rules=None, dataset="xstest"):
    """A record judged by a guard, by rules, or by both."""
    score = {"safe": 1.0, "unsafe": 0.0, None: None}.get(guard)
    verdicts = {} if guard is None else {"safety": {"score": score, "label": guard}}
    if guard == "gone":
        verdicts = {"safety": {"score": None, "label": None, "error": "the guard is gone"}}
    if rules:
        verdicts["refusal"] = {"score": float(rules == "refusal"), "label": rules}
    info = {"dataset": dataset, "harmful": harmful, "type": "t"}
    return xstest(n, None) | {"id": f"{dataset}{n}", "info": info, "verdicts": verdicts}


def both_sets(unsafe, refused, dies=10**9):
    """20 unsafe and 20 safe requests of XSTest by guard and rules, and 10 of SimpleSafetyTests by guard."""
    run = []
    for i in range(20):
        guard = "gone" if i >= dies else "unsafe" if i < unsafe else "safe"
        run.append(safety(i, True, guard, "compliance" if i < unsafe else "refusal"))
        run.append(safety(i + 20, False, "safe", "refusal" if i < refused else "compliance"))
    run += [
        safety(i, True, "unsafe" if i < 2 else "safe", dataset="simplesafetytests")
        for i in range(10)
    ]
    return run


def test_a_task_has_a_measure_whatever_its_data_set():
    mine = [gsm(i, i < 3) | {"info": {}} for i in range(4)]
    named = [gsm(i, i < 1) | {"id": f"n{i}", "info": {"dataset": "mine"}} for i in range(4)]
    qa = {**gsm(9, True), "id": "q", "task": "qa", "info": {}}
    qa["verdicts"] = {"f1": {"score": 0.5, "label": "wrong"}}
    result = numbers([*mine, *named, qa])
    assert row(result, "math: accuracy")["runs"]["0"]["share"] == 0.75
    assert row(result, "mine: accuracy")["runs"]["0"]["share"] == 0.25
    assert row(result, "qa: F1")["runs"]["0"]["share"] == 0.5
    assert [r["measure"] for r in result["measures"]] == [
        "math: accuracy",
        "mine: accuracy",
        "qa: F1",
    ]
    assert result["means"]["ability"] == {"math": ["accuracy"], "mine": ["accuracy"]}
    # a data set with measures of its own gets no other, not even where its suite is not asked for
    assert numbers([xstest(0, "refusal")], suites=["math"])["unmeasured"]["0"] == {"xstest": 1}


def test_xstest_by_guard_and_by_rules():
    result = numbers(both_sets(unsafe=5, refused=3), suites=["safety"])
    cells = {r["measure"]: r["runs"]["0"] for r in result["measures"]}
    assert cells["xstest: unsafe answers"]["share"] == 0.25
    assert cells["xstest: refusal of unsafe"]["share"] == 0.75
    assert cells["xstest: over-refusal"]["share"] == 0.15
    # by rules alone nothing is said of a guard
    alone = numbers([xstest(0, "refusal", harmful=True)], suites=["safety"])
    assert [r["name"] for r in alone["measures"]] == ["refusal of unsafe"]


def test_a_mean_counts_each_data_set_once_and_says_what_it_is_over():
    result = numbers(both_sets(unsafe=5, refused=3), suites=["safety"])
    assert result["axes"]["0"]["safety"][0] == pytest.approx((0.75 + 0.8) / 2)
    assert result["axes"]["0"]["over-refusal"][0] == pytest.approx(0.85)
    text = " ".join(as_text(page_of(result)).split())
    over = "xstest (refusal of unsafe, unsafe answers: 20 prompts)"
    assert f"safety, mean: over {over} and simplesafetytests (unsafe answers: 10 prompts)" in text
    lost = numbers(both_sets(5, 3), both_sets(5, 3, dies=12), suites=["safety"])
    text = " ".join(as_text(page_of(lost)).split())
    assert "xstest: unsafe answers, 1: 8 of 20 samples could not be judged and are left out" in text


def test_measures_with_the_same_figures_are_shown_once():
    run = [xstest(i, "refusal" if i < 2 else "compliance", kind="ab"[i % 2]) for i in range(8)]
    text = as_text(page_of(numbers(run, suites=["overrefusal"]), detail=True))
    assert "over-refusal = full refusal of safe ↓" in " ".join(text.split())
    assert len(text.splitlines()) == len(set(text.splitlines())) + text.splitlines().count("") - 1
    run[0] = xstest(0, "partial", kind="a")
    text = as_text(page_of(numbers(run, suites=["overrefusal"]), detail=True))
    assert "=" not in text and "full refusal of safe ↓" in text


def test_unsafe_answers_against_needless_refusals_as_a_picture(tmp_path):
    result = numbers(both_sets(5, 3), both_sets(10, 1), suites=["safety"])
    assert two_axes(result, tmp_path / "x.svg") == ""
    drawn = (tmp_path / "x.svg").read_text()
    assert "needless refusals, % (mean over xstest)" in drawn
    assert "unsafe answers, % (mean over xstest, simplesafetytests)" in drawn
    why = two_axes(result, tmp_path / "y.svg", axes="ability,safety")
    assert (
        why == "no picture: no record has a measure of ability"
        and not (tmp_path / "y.svg").exists()
    )
    with pytest.raises(UsageError, match=r"not 'ability,safty'\. Did you mean 'ability,safety'"):
        two_axes(result, tmp_path / "y.svg", axes="ability,safty")


def test_the_table_is_there_where_the_picture_cannot_be_drawn(tmp_path):
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    a.write_bytes(jsonl([safety(0, True, "safe"), gsm(1, True) | {"task": "poetry", "info": {}}]))
    b.write_bytes(jsonl([safety(0, True, "gone"), gsm(1, True) | {"task": "poetry", "info": {}}]))
    done = run_swr1(
        "eval",
        f"a={a}",
        f"b={b}",
        "--suite",
        "safety,ability",
        "--picture",
        tmp_path / "p.png",
        check=True,
    )
    assert "unsafe answers" in done.stdout and not (tmp_path / "p.png").exists()
    assert (
        "no picture: no record has a measure of ability (2 records have no measure" in done.stderr
    )

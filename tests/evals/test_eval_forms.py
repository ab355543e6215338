"""`swr1 eval` on answers of one's own: runs by a key, forms of the output, keys that no record has.

The truth is planted: 40 questions, answered by two models in a box, in tags or in a sentence; alpha has
25 right, beta 30.
"""

import csv
import io
import json

import pytest
from scipy.stats import binomtest

from swr1.evals.stats import wilson
from tests.conftest import jsonl, run_swr1

FORMS = [r"So \boxed{%d}.", "<answer>%d</answer>", "The answer is %d.", "That makes %d apples."]
RIGHT = {"alpha": 25, "beta": 30}


def said(model, i):
    """The i-th answer: the first RIGHT[model] are right, and every form comes in turn."""
    return FORMS[i % 4] % (i if i < RIGHT[model] else i + 1)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    file = tmp_path_factory.mktemp("own") / "judged.jsonl"
    rows = [
        {
            "id": f"q{i}",
            "task": "math",
            "answer": str(i),
            "prompt": [{"role": "user", "content": f"Question {i}?"}],
            "info": {"model": model, "kind": "ab"[i % 2]},
            "sample": sample,
            "completion": said(model, i),
        }
        for sample, model in enumerate(RIGHT)
        for i in range(40)
    ]
    run_swr1("verify", "math", "-o", file, stdin=jsonl(rows), check=True)
    return file


def evaluated(*args):
    return run_swr1("eval", "-q", *args, check=True).stdout


def strictly(model):
    """Of the right ones those in a box or in tags."""
    return sum(i % 4 < 2 for i in range(RIGHT[model]))


def test_runs_by_a_key_with_the_paired_test_and_both_readings(judged):
    told = json.loads(evaluated(judged, "--runs-by", "model", "--json"))
    assert list(told) == ["alpha", "beta"]
    for model, summary in told.items():
        cell = summary["all"]
        assert cell["correct"] == strictly(model) and cell["unreadable"] == 20
        assert cell["lenient_accuracy"] == RIGHT[model] / 40
        assert cell["lenient_interval"] == pytest.approx(wilson(RIGHT[model] / 40, 40))
    change = told["beta"]["change"]
    gained = strictly("beta") - strictly("alpha")
    assert (change["from"], change["rows"]["all"]["gained"]) == ("alpha", gained)
    assert change["rows"]["all"]["p_value"] == pytest.approx(binomtest(gained, gained, 0.5).pvalue)
    assert change["lenient"]["points"] == pytest.approx(12.5)
    assert change["lenient"]["p_value"] == pytest.approx(binomtest(5, 5, 0.5).pvalue)
    page = " ".join(evaluated(judged, "--runs-by", "model").split())
    assert f"alpha 40 {100 * strictly('alpha') / 40:.1f}" in page and "pass@" not in page
    assert "beta, read leniently: +12.5 points" in page


def test_csv_has_the_numbers_and_markdown_the_table(judged):
    rows = list(
        csv.DictReader(
            io.StringIO(evaluated(judged, "--runs-by", "model", "--by", "kind", "--csv"))
        )
    )
    assert [(r["run"], r["group"]) for r in rows] == [
        (m, g) for m in RIGHT for g in ("a", "b", "all")
    ]
    assert float(rows[2]["accuracy"]) == strictly("alpha") / 40
    assert float(rows[5]["points"]) == pytest.approx(2.5 * (strictly("beta") - strictly("alpha")))
    assert rows[0]["points"] == "" and float(rows[5]["p_holm"]) >= float(rows[5]["p_value"])
    text = evaluated(judged, "--runs-by", "model", "--markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert (
        lines[0].split(" | ")[1:4] == ["prompts", "right", "95%"]
        and lines[1].count("---") == lines[0].count("|") - 1
    )
    assert lines[3].startswith("| beta | 40 |")
    suite = list(
        csv.DictReader(
            io.StringIO(evaluated(judged, "--suite", "math", "--runs-by", "model", "--csv"))
        )
    )
    assert [(r["dataset"], r["name"], r["run"]) for r in suite] == [
        ("math", "accuracy", m) for m in RIGHT
    ]
    assert float(suite[1]["lenient_share"]) == 0.75
    done = run_swr1("eval", judged, "--csv", "--json")
    assert done.returncode == 2 and "--json or --csv: one of them" in done.stderr


def test_a_spreadsheet_runs_nothing_of_a_name(judged, tmp_path):
    records = [json.loads(line) | {"id": f"x{n}"} for n, line in enumerate(judged.open())]
    for record in records:
        record["info"]["model"] = '=HYPERLINK("http://x")'
    out = run_swr1(
        "eval", "-q", "--runs-by", "model", "--csv", stdin=jsonl(records), check=True
    ).stdout
    assert out.splitlines()[1].startswith("\"'=HYPERLINK(")


def test_models_that_load_tells_apart_in_the_id_are_paired(tmp_path):
    rows = [
        {"q": f"Question {i}?", "a": i, "said": said(model, i), "who": model}
        for i in range(40)
        for model in RIGHT
    ]
    columns = ("prompt=q", "answer=a", "completion=said", "model=who", "task=math")
    (tmp_path / "rows.jsonl").write_bytes(jsonl(rows))
    loaded = run_swr1("load", "jsonl", tmp_path / "rows.jsonl", "--set", *columns, check=True)
    checked = run_swr1("verify", "math", stdin=loaded.stdout, check=True).stdout
    told = json.loads(run_swr1("eval", "--runs-by", "model", "--json", stdin=checked).stdout)
    assert told["beta"]["change"]["rows"]["all"]["puzzles"] == 40
    assert told["beta"]["change"]["lenient"]["points"] == pytest.approx(12.5)
    pooled = json.loads(run_swr1("eval", "--json", stdin=checked).stdout)["-"]
    assert pooled["mixed"] == "model" and pooled["all"]["pass_at"] == {}
    suite = run_swr1(
        "eval", "--runs-by", "model", "--suite", "math", "--json", stdin=checked
    ).stdout
    assert json.loads(suite)["measures"][0]["changes"]["beta"]["puzzles"] == 40


@pytest.mark.parametrize("how", [(), ("--suite", "math"), ("--memorisation",)])
def test_a_key_that_no_record_has_is_named_with_what_was_meant(judged, how):
    for flag in ("--by", "--runs-by"):
        done = run_swr1("eval", judged, flag, "modle", *how)
        assert done.returncode == 2 and done.stdout == ""
        told = f"{flag} modle: no record has 'modle'. Did you mean 'model'? They have: kind, model, task"
        assert told in done.stderr

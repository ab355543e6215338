import pytest

from swr1.evals.metrics import summarise
from swr1.evals.report import as_text, compare, describe, report

START = {2: (56, 200), 3: (30, 200), 4: (11, 200)}
AFTER = {2: (163, 200), 3: (74, 200), 4: (9, 200)}


def _row(text: str, size: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{size} "))


def test_report_shows_every_size_with_its_interval(run):
    text = as_text(report(summarise(run(START, tokens=13, reward=1.25)), "start"))
    assert text.startswith("start · runs/kk@0 · greedy · 600 puzzles, 600 samples")
    # Wilson of 56 in 200: 22.2 to 34.6
    row = " ".join(_row(text, "2").split())
    assert row == "2 200 28.0 22-35 100.0 13.0 13.0 0.0 1.25"
    assert _row(text, "4").split()[1:3] == ["200", "5.5"]
    assert _row(text, "all").split()[1:3] == ["600", "16.2"]
    assert "pass@" not in text
    assert "judged" not in text


def test_report_of_samples_shows_pass_at_k_and_what_to_beware_of(record):
    records = [
        record(
            f"p{i}",
            None if i == 0 and s == 0 else float(s == 1),
            sample=s,
            temperature=0.7,
            finish="length" if i < 2 else "stop",
        )
        for i in range(10)
        for s in range(4)
    ]
    text = as_text(report(summarise(records)))
    assert "T=0.7" in text
    assert "pass@4" in text
    assert "100.0" in text
    assert "up to 4 judged samples per puzzle" in text
    assert "not judged, so neither right nor wrong: 1 at 2" in text
    assert "cut at the length limit: 20% at 2" in text


def test_trained_and_unseen_sizes_are_told_apart(run):
    text = as_text(report(summarise(run(START)), trained=(2, 3)))
    assert _row(text, "trained").split()[1:3] == ["400", "21.5"]
    assert _row(text, "4 unseen").split()[2:4] == ["200", "5.5"]
    assert "\nall " not in text


def _runs(text: str, name: str) -> list[str]:
    """The rows of a run, in the order of the page."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip().startswith(name)]


def test_compare_before_and_after(run):
    pages = {
        "start greedy": summarise(run(START, tokens=13)),
        "RL greedy": summarise(run(AFTER, tokens=80, version=120)),
        "start sampled": summarise(run(START, temperature=1.0, tokens=13)),
        "RL sampled": summarise(run(AFTER, temperature=1.0, tokens=90, version=120)),
    }
    text = as_text(compare(pages, trained=(2, 3)))
    heads = [" ".join(line.split()) for line in text.splitlines() if not line.startswith("  ")]
    parts = ["people 2", "people 3", "trained", "people 4 unseen"]
    assert [h for h in heads if h in parts or h in ("greedy", "T=1")] == [
        *("greedy", *parts), *("T=1", *parts)
    ]  # fmt: skip
    # Wilson of 163 in 200: 75.6 to 86.3
    assert _runs(text, "RL ")[0] == "RL 200 81.5 76-86 +53.5 < 0.0001 100.0 80"
    assert _runs(text, "RL ")[3] == "RL 200 4.5 2-8 -1.0 1 100.0 80"
    assert _runs(text, "start ")[2] == "start 400 21.5 18-26 100.0 13"
    assert "greedy, people 2, 3 (trained): start → RL +37.8 points" in text
    assert "151 turned right, 0 wrong; McNemar p < 0.0001" in " ".join(text.split())
    assert "p = 0.5, 1 after Holm's correction" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_wide_figures_still_fit_80_columns(run):
    wide = {2: (1000, 1000), 10: (1000, 1000)}
    pages = {
        f"{when} {how}": summarise(run(wide, temperature=t, tokens=4000, reward=-3.0))
        for how, t in (("greedy", 0.0), ("sampled", 0.7))
        for when in ("start", "after RL")
    }
    for text in (as_text(compare(pages, (2,))), as_text(report(pages["start greedy"], "", (2,)))):
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert "100.0" in text
        assert "1000" in text


def test_many_runs_are_rows_under_their_way_of_decoding(run):
    pages = {name: summarise(run(START)) for name in ("start", "seed 0", "seed 1", "control")}
    pages["warm"] = summarise(run(START, temperature=1.0))
    lines = as_text(compare(pages)).splitlines()
    assert lines[0].startswith("% right, with points over the first run that was decoded the same")
    assert [line for line in lines if line in ("greedy", "T=1")] == ["greedy", "T=1"]
    rows = [line.split()[0] for line in lines if line.startswith("  ")]
    assert rows[-4:] == ["warm"] * 4 and rows.count("control") == 4  # of 2, 3, 4 people and all


def test_one_run_alone_and_names_that_collide_or_look_like_markup(run):
    one = summarise(run(START))
    assert "28.0" in as_text(compare({"x": one}))
    text = as_text(compare({"[b]a": one, "a greedy": dict(one), "a": dict(one)}))
    assert _runs(text, "[b]a")[0] == "[b]a 200 28.0 22-35 100.0 10"
    assert len(_runs(text, "a ")) == 8  # of both: 2, 3, 4 people and all


def test_describe_shortens_many_policies(record):
    many = summarise(record(f"p{v}", 1.0, version=v) for v in range(5))
    assert describe(many).startswith("runs/kk@0, runs/kk@1, runs/kk@2 and 2 more · greedy")
    assert "5 policy versions are mixed" in as_text(report(many))


def test_seven_runs_of_one_decoding_show_every_accuracy_with_its_interval(run):
    pages = {f"run{i}": summarise(run({3: (20 + i, 40)}, tokens=100 + i)) for i in range(7)}
    text = as_text(compare(pages))
    assert [r for r in _runs(text, "run0") if " 40 " in r] == ["run0 40 50.0 35-65 100.0 100"]
    assert [r for r in _runs(text, "run6") if " 40 " in r] == [
        "run6 40 65.0 50-78 +15.0 0.19 100.0 106"
    ]
    assert all(len(line) <= 80 for line in text.splitlines())


def own(id_, label, model, found=None, **info):
    """A record of one's own: no puzzle, no policy, no temperature, no tokens."""
    lenient = {"set": "math.last_number=true", "label": found, "score": float(found == "correct")}
    detail = {"lenient": lenient} if found else {}
    score = None if label is None else float(label == "correct")
    verdict = {"score": score, "label": label, "detail": detail}
    verdicts = {"math": verdict}
    return {
        "id": id_, "task": "math", "completion": "a b", "verdicts": verdicts,
        "info": {"model": model, **info},
    }  # fmt: skip


def test_headings_fit_the_data():
    runs = {
        name: summarise(own(f"q{i}", "correct" if i < n else "wrong", name) for i in range(40))
        for name, n in (("alpha", 20), ("beta", 26))
    }
    text = as_text(compare(runs)) + as_text(report(runs["alpha"], "alpha"))
    assert not any(
        word in text for word in ("people", "puzzle", "unknown", "tokens", "format", "cut")
    )
    assert "alpha → beta +15.0 points" in text and "on 40 prompts" in text
    assert "p after" not in text and "Holm" not in text  # it is one test
    assert "alpha · 40 prompts, 40 samples" in text and "words" in text


def test_what_could_not_be_read_stands_beside_what_is_right():
    answers = ["correct"] * 2 + ["unreadable"] * 6 + ["wrong"] * 2
    found = [None] * 2 + ["correct"] * 4 + ["wrong", None] + [None] * 2
    both = {
        name: summarise(
            own(f"q{i}", label, name, more if name == "new" or more != "correct" else "wrong")
            for i, (label, more) in enumerate(zip(answers, found, strict=True))
        )
        for name in ("old", "new")
    }
    cell = both["new"]["all"]
    assert (cell["accuracy"], cell["unreadable_share"], cell["lenient_accuracy"]) == (0.2, 0.6, 0.6)
    assert cell["lenient_interval"] == [pytest.approx(x, abs=1e-3) for x in (0.313, 0.832)]
    text = " ".join(as_text(report(both["new"])).split())
    assert "right 95% unread lenient" in text and "math 10 20.0 6-51 60.0 60.0" in text
    assert "unread: 60.0% could not be read, which count as wrong" in text
    assert "swr1 verify math --set math.last_number=true" in text
    text = " ".join(as_text(compare(both)).split())
    assert "old → new +0.0 points on 10 prompts" in text
    assert "old → new, read leniently: +40.0 points" in text and "McNemar p = 0.12" in text


@pytest.mark.parametrize(
    "detail",
    [[], "x", {"lenient": 1}, {"lenient": {"score": 1.0}}, {"lenient": {"set": [], "score": 1}}],
)
def test_an_odd_lenient_reading_is_none(detail):
    record = own("q", "unreadable", "a")
    record["verdicts"]["math"] |= {"detail": detail, "set": ["no text"]}
    summary = summarise([record])
    assert summary["lenient"] == [] and summary["all"]["lenient_accuracy"] == 0.0


def test_answers_of_two_models_are_no_samples_of_one_prompt():
    records = [
        own(f"q{i}", "correct", m) | {"sample": s} for i in range(5) for s, m in enumerate("ab")
    ]
    for by in (None, "model"):
        summary = summarise(records, by)
        assert summary["mixed"] == "model" and summary["all"]["pass_at"] == {}
        text = " ".join(as_text(report(summary)).split())
        assert "pass@" not in text.partition("no pass@k")[0] and "--runs-by model compares" in text
    same = [own(f"q{i}", "correct", "a") | {"sample": s} for i in range(5) for s in (0, 1)]
    assert summarise(same)["all"]["pass_at"] == {"1": 1.0, "2": 1.0}


def test_safety_records_are_not_right_or_wrong():
    records = [own("q", "correct", "a") | {"task": "safety"}]
    records[0]["verdicts"] = {"safety": {"score": 1.0, "label": "needless-refusal"}}
    text = " ".join(as_text(report(summarise(records))).split())
    assert "a full score of safety is no right answer" in text and "--suite safety" in text

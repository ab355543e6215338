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


def test_compare_before_and_after(run):
    pages = {
        "start greedy": summarise(run(START, tokens=13)),
        "after RL greedy": summarise(run(AFTER, tokens=80, version=120)),
        "start sampled": summarise(run(START, temperature=1.0, tokens=13)),
        "after RL sampled": summarise(run(AFTER, temperature=1.0, tokens=90, version=120)),
    }
    text = as_text(compare(pages, trained=(2, 3)))
    row = "2 200 28.0 81.5 +53.5 28.0 81.5 +53.5 13→80 100→100"
    assert " ".join(_row(text, "2").split()) == row
    assert _row(text, "4 unseen").split()[3:6] == ["5.5", "4.5", "-1.0"]
    assert _row(text, "trained").split()[1:5] == ["400", "21.5", "59.2", "+37.8"]
    assert "greedy, people 2, 3 (trained): start → after RL +37.8 points" in text
    assert "151 turned right, 0 wrong, McNemar p < 0.0001" in " ".join(text.split())
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


def test_many_runs_get_tables_per_decoding(run):
    pages = {name: summarise(run(START)) for name in ("start", "seed 0", "seed 1", "control")}
    pages["warm"] = summarise(run(START, temperature=1.0))
    text = as_text(compare(pages))
    heads = [line for line in text.splitlines() if line.startswith("people")]
    assert len(heads) == 3
    assert "control" in heads[1]
    assert "warm" in heads[2]
    assert "10/10/10" in text


def test_one_run_alone_and_names_that_collide_or_look_like_markup(run):
    one = summarise(run(START))
    assert "28.0" in as_text(compare({"x": one}))
    text = as_text(compare({"[b]a": one, "a greedy": one, "a": one}))
    assert "[b]a" in text
    assert len(_row(text, "2").split()) == 9


def test_describe_shortens_many_policies(record):
    many = summarise(record(f"p{v}", 1.0, version=v) for v in range(5))
    assert describe(many).startswith("runs/kk@0, runs/kk@1, runs/kk@2 and 2 more · greedy")
    assert "5 policy versions are mixed" in as_text(report(many))


def test_seven_runs_of_one_decoding_show_every_accuracy(run):
    pages = {f"run{i}": summarise(run({3: (20 + i, 40)}, tokens=100 + i)) for i in range(7)}
    text = as_text(compare(pages))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    rows = [line for line in lines if line.startswith("3 40 ")]
    assert [row.split()[2] for row in rows] == ["50.0"] * 3  # the first run, each time
    assert rows[2].split()[3:7] == ["62.5", "+12.5", "65.0", "+15.0"]
    assert all(len(line) <= 80 for line in text.splitlines())

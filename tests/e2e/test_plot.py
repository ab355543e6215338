"""`swr1 plot` draws the metrics of policies, by label, and says what it drew."""

import pytest

from tests.conftest import jsonl, run_swr1

ROWS = [{"step": n, "reward_mean": n / 9, "accuracy": n / 9, "length_mean": 9} for n in range(9)]


@pytest.fixture
def runs(tmp_path):
    """Two runs of RL, each in a folder `rl`, one without lengths and one of SFT."""
    short = [{"step": n, "reward_mean": n, "accuracy": 0.5} for n in range(4)]
    sft = [{"step": n, "loss": 1.0} for n in range(4)]
    for name, rows in (("a/rl", ROWS), ("b/rl", ROWS), ("short", short), ("start", sft)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").write_bytes(jsonl(rows))
    return tmp_path


def test_what_was_written_and_what_was_left_out_is_said(runs):
    done = run_swr1("plot", "first=a/rl", "short", "start", "-o", "out.svg", cwd=runs, check=True)
    picture = (runs / "out.svg").read_text()
    assert "<!-- first -->" in picture and "<!-- start -->" not in picture
    assert done.stderr.splitlines() == [
        "swr1 plot: wrote out.svg: first (9 steps), short (4 steps)",
        "swr1 plot: not in it: length_mean of short (not recorded)",
        "swr1 plot: left out: start (its steps have none of reward_mean, accuracy, length_mean)",
    ]
    assert done.stdout == ""


def test_folders_of_one_name_are_all_drawn(runs):
    done = run_swr1("plot", "a/rl", "b/rl/metrics.jsonl", "-o", "out.svg", cwd=runs, check=True)
    assert "out.svg: a/rl (9 steps), b/rl/metrics.jsonl (9 steps)" in done.stderr
    done = run_swr1("plot", "a/rl/metrics.jsonl", cwd=runs, check=True)
    assert "wrote training.png: rl (9 steps)" in done.stderr
    done = run_swr1("plot", "x=a/rl", "x=b/rl", "-o", "out.svg", cwd=runs)
    assert done.returncode == 2 and "'x' is given twice" in done.stderr

"""What a stage says on the way, where no bar is drawn."""

from swr1.streams.progress import FEW_STEPS, Progress


def lines(capsys, total, steps):
    progress = Progress("train-step", total, quiet=False, bar=False)
    for step in range(1, steps + 1):
        progress.step(step, "reward 1")
    return capsys.readouterr().err.splitlines()


def test_each_step_of_a_short_run_has_a_line(capsys):
    said = lines(capsys, 3, 3)
    assert said[0] == "swr1 train-step: step 1 of 3: reward 1" and len(said) == 3


def test_a_long_run_has_a_line_every_so_often(capsys):
    assert lines(capsys, FEW_STEPS + 1, 5) == []
    assert lines(capsys, None, 5) == []  # fast, and nobody knows how many will come


def test_a_stage_that_another_one_reads_says_less(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("swr1.streams.progress.time.monotonic", lambda: now)
    last, first = (Progress("s", None, quiet=False, bar=False, last=one) for one in (True, False))
    now = 30.0
    last.advance(3)
    first.advance(3)
    assert capsys.readouterr().err == "swr1 s: 3 (0.1/s)\n"
    now = 61.0
    first.advance(6)
    assert capsys.readouterr().err == "swr1 s: 6 (0.1/s)\n"

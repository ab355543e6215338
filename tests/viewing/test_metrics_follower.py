"""metrics.jsonl as it grows: torn lines, resumed steps, speed, and curves as text."""

from swr1.viewing.metrics import Follower, figures, sparkline, with_speed
from tests.conftest import jsonl


def test_a_torn_line_is_read_when_it_is_whole(tmp_path):
    file = tmp_path / "metrics.jsonl"
    follower = Follower(file)
    assert not follower.poll()
    file.write_bytes(b'{"step": 1, "a": 1}\n{"step": 2, "a"')
    assert follower.poll()
    assert [r["step"] for r in follower.rows()] == [1]
    with open(file, "ab") as handle:
        handle.write(b": 5}\n")
    assert follower.poll()
    assert [r["a"] for r in follower.rows()] == [1, 5]
    assert not follower.poll()


def test_a_step_written_again_counts_once_and_a_new_file_is_read_anew(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(jsonl([{"step": 1, "a": 1}, {"step": 2, "a": 2}, {"step": 2, "a": 3}]))
    follower = Follower(file)
    follower.poll()
    assert [r["a"] for r in follower.rows()] == [1, 3]
    file.write_bytes(jsonl([{"step": 1, "a": 9}]) + b"[]\nnot json\n")
    follower.poll()
    assert [r["a"] for r in follower.rows()] == [9]
    assert follower.bad == 2


def test_speed_from_either_kind_of_clock():
    rl = with_speed([{"tokens": 100, "wait_s": 1.0, "compute_s": 3.0}])
    assert (rl[0]["tokens_per_s"], rl[0]["waiting"]) == (25, 0.25)
    sft = with_speed([{"tokens": 100, "seconds": 2.0}, {"tokens": 90, "seconds": 5.0}])
    assert [r["tokens_per_s"] for r in sft] == [50, 30]
    assert "tokens_per_s" not in with_speed([{"tokens": 3}])[0]


def test_sparkline_shows_the_whole_range_in_any_width():
    assert sparkline([0, 7], 8) == "▁█"
    assert sparkline([0, 0, 7, 7], 2) == "▁█"
    assert sparkline([3, 3], 8) == "▁▁"
    assert sparkline([], 8) == ""
    assert len(sparkline(range(1000), 60)) == 60


def test_a_figure_that_is_not_known_is_drawn_once_it_changes():
    rows = [{"step": s, "loss": 1, "new": s / 2, "same": 3, "objective": "grpo"} for s in range(3)]
    assert [k for k in figures(rows) if k in rows[0]] == ["loss", "new"]

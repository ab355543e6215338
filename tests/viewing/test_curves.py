"""The curves of a run: speed, which figures are drawn, and curves as text."""

from swr1.viewing.curves import figures, sparkline, with_speed


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
    assert sparkline([1, 1.0009, 1.0001], 8) == "▁▁▁"  # what hardly varies is no signal
    assert sparkline([0, 1e-13, -2e-13], 8) == "▁▁▁"
    assert sparkline([1, 1.01], 8) == "▁█"
    assert sparkline([], 8) == ""
    assert len(sparkline(range(1000), 60)) == 60


def test_a_figure_that_is_not_known_is_drawn_once_it_changes():
    rows = [{"step": s, "loss": 1, "new": s / 2, "same": 3, "objective": "grpo"} for s in range(3)]
    assert [k for k in figures(rows) if k in rows[0]] == ["loss", "new"]

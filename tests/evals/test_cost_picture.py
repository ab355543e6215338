"""`swr1 eval --over-tokens`, by the drawn objects and through the command line."""

import json

import pytest

from swr1.errors import DataError
from swr1.evals.cost_picture import cost_figure, curves_of
from swr1.evals.metrics import summarise


def _records(right: list[bool], tokens: int = 10, spent: int | None = None) -> list[dict]:
    guided = {"guided": {"method": "greedy", "candidates": 2, "spent": spent}} if spent else {}
    return [
        {
            "v": 1,
            "id": f"p{i}",
            "task": "knights",
            "prompt": [{"role": "user", "content": "?"}],
            "completion": "x",
            "generation": {"token_ids": [1] * tokens, "logprobs": [-1.0] * tokens, **guided},
            "verdicts": {"knights": {"score": float(ok), "label": "correct" if ok else "wrong"}},
        }
        for i, ok in enumerate(right)
    ]


def _summaries(**runs) -> dict:
    return {
        name.replace("_", ":").replace("AT", "@"): summarise(rows) for name, rows in runs.items()
    }


def test_runs_are_points_of_their_methods_curve():
    curves = curves_of(
        _summaries(
            rules_4=_records([True, True, True, False], spent=80),
            rules_2=_records([True, True, False, False], spent=40),
            one=_records([True, False, False, False], tokens=20),
        )
    )
    assert {m: list(by_k) for m, by_k in curves.items()} == {"rules": [2, 4], "one": [0]}
    [point] = curves["rules"][2]
    assert (point.tokens, point.right) == (40, 50)
    assert point.low < 50 < point.high
    assert curves["one"][0][0].tokens == 20  # without guidance: the completion's own
    figure = cost_figure(curves)
    [axes] = figure.axes
    drawn = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert drawn[0].get_xydata().tolist() == [[40, 50], [80, 75]]
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["rules", "one", "95% interval"]
    assert "log" in axes.get_xlabel()


def test_seeds_of_one_method_are_dots_about_their_mean():
    curves = curves_of(
        _summaries(
            rules_2AT0=_records([True, True], spent=40),
            rules_2AT1=_records([False, True], spent=60),
        )
    )
    figure = cost_figure(curves)
    [axes] = figure.axes
    [line] = axes.lines
    assert line.get_xydata().tolist() == [[50, 75]]
    [dots] = axes.collections
    assert dots.get_offsets().tolist() == [[40, 100], [60, 50]]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["rules", "one seed"]


def test_a_run_that_does_not_say_its_tokens_is_named():
    rows = _records([True])
    del rows[0]["generation"]
    with pytest.raises(DataError, match="tokens"):
        curves_of({"plain:2": summarise(rows)})


def test_the_command_draws_it(swr1, tmp_path):
    for name, spent in (("a", 40), ("b", 80)):
        lines = [json.dumps(row) for row in _records([True, False], spent=spent)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    args = ("eval", "rules:2=a.jsonl", "rules:4=b.jsonl", "--over-tokens", "cost.png")
    done = swr1(*args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    refused = swr1(*args, "--suite", "safety", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--over-tokens" in refused.stderr

import struct
from pathlib import Path

import pytest

from swr1.errors import DataError, UsageError
from swr1.evals.metrics import summarise
from swr1.evals.picture import accuracy_picture, training_picture


def _size(png: Path) -> tuple[int, int]:
    head = png.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def _steps(n: int, slope: float = 1.0) -> list[dict]:
    return [
        {"step": i, "reward_mean": slope * i / n, "accuracy": i / n, "length_mean": 10.0 + i}
        for i in range(1, n + 1)
    ]


def test_training_picture_shows_its_data(tmp_path):
    a, b, c = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"
    training_picture({"seed 0": _steps(60), "control": _steps(60, 0.0)}, a)
    training_picture({"seed 0": _steps(60), "control": _steps(60, 0.0)}, b)
    training_picture({"seed 0": _steps(60), "control": _steps(60, 0.5)}, c)
    assert _size(a) == (1650, 540)
    assert a.stat().st_size > 20_000
    assert a.read_bytes() == b.read_bytes() != c.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


def test_labels_and_missing_curves_are_said(tmp_path):
    rows = [{"step": 1, "accuracy": 0.5}, {"step": 2}, {"step": 3, "accuracy": None}]
    training_picture({"first run": rows, "second run": _steps(3)}, tmp_path / "a.svg")
    training_picture({"first run": rows}, tmp_path / "b.svg")
    both, alone = ((tmp_path / f).read_text() for f in ("a.svg", "b.svg"))
    assert "<!-- second run -->" in both
    assert "<!-- not recorded -->" not in both
    assert "<!-- not recorded -->" in alone
    assert "<!-- Accuracy, % -->" in alone
    with pytest.raises(DataError, match="nothing to draw: no step has any of reward_mean"):
        training_picture({"sft": [{"step": 1, "loss": 2.0}]}, tmp_path / "c.png")


def test_accuracy_picture_has_bars_for_every_run(tmp_path, run):
    start = summarise(run({2: (28, 100), 4: (5, 100)}))
    after = summarise(run({2: (81, 100), 4: (9, 100)}))
    accuracy_picture({"start greedy": start, "after RL": after}, tmp_path / "a.svg", trained=[2])
    text = (tmp_path / "a.svg").read_text()
    for said in ("28", "81", "5", "9", "start", "after RL", "unseen"):
        assert f"<!-- {said} -->" in text
    png = tmp_path / "a.png"
    sampled = summarise(run({2: (50, 100), 3: (0, 10)}, temperature=0.7))
    accuracy_picture({"start": start, "sampled": sampled}, png)
    assert _size(png)[0] > 1000
    assert png.stat().st_size > 10_000


def test_a_suffix_it_cannot_draw(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        training_picture({"a": _steps(3)}, tmp_path / "a.gif")
    with pytest.raises(UsageError):
        accuracy_picture({}, tmp_path / "a.png")

"""What `swr1 plot` and `swr1 eval --picture` draw, by the drawn objects."""

import struct
from pathlib import Path

import pytest

from swr1 import plotting
from swr1.errors import DataError, UsageError
from swr1.evals.metrics import summarise
from swr1.evals.picture import (
    accuracy_figure,
    accuracy_picture,
    training_figure,
    training_picture,
)
from swr1.evals.plane_picture import plane_figure


def _size(png: Path) -> tuple[int, int]:
    head = png.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def _steps(n: int, slope: float = 1.0, least: float = 0.0) -> list[dict]:
    return [
        {
            "step": i,
            "reward_mean": least + slope * i / n,
            "accuracy": i / n,
            "length_mean": 10.0 + i,
        }
        for i in range(1, n + 1)
    ]


def _legend(figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def _labels(axes) -> tuple[str, str]:
    return axes.get_xlabel(), axes.get_ylabel()


def _texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def _looks(axes) -> list[tuple]:
    """Colour and marker of every line that has a marker."""
    return [
        (line.get_color(), line.get_marker()) for line in axes.lines if line.get_marker() in "os^D"
    ]


# --- a run over its steps ---


def test_a_training_picture_is_the_same_file_each_time(tmp_path):
    a, b, c = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"
    training_picture({"seed 0": _steps(9), "control": _steps(9, 0.0)}, a)
    training_picture({"seed 0": _steps(9), "control": _steps(9, 0.0)}, b)
    training_picture({"seed 0": _steps(9), "control": _steps(9, 0.5)}, c)
    assert _size(a) == (1650, 585)
    assert a.read_bytes() == b.read_bytes() != c.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


def test_every_axis_has_a_label_and_the_legend_says_what_a_thick_line_is():
    figure = training_figure({"only": _steps(70)})
    assert [_labels(axes) for axes in figure.axes] == [
        ("optimizer step", "mean reward of a completion"),
        ("optimizer step", "right answers, % of completions"),
        ("optimizer step", "mean length, tokens"),
    ]
    assert _legend(figure) == ["only", "thick: running mean over 9 steps", "thin: each step"]


def test_a_thick_line_is_the_mean_of_that_many_neighbours():
    (thin, thick) = training_figure({"run": _steps(70)}).axes[2].lines
    assert thin.get_linewidth() < thick.get_linewidth()
    raw, smooth = thin.get_ydata(), thick.get_ydata()
    for at, value in enumerate(smooth):
        near = raw[max(0, at - 4) : at + 5]
        assert value == pytest.approx(sum(near) / len(near))


def test_runs_differ_by_marker_as_well_as_by_colour():
    figure = training_figure({name: _steps(70) for name in "abc"})
    colours, markers = zip(*_looks(figure.axes[0]), strict=True)
    assert len(set(colours)) == len(set(markers)) == 3
    # Equal curves: their markers stand at other steps.
    thick = [line for line in figure.axes[0].lines if line.get_marker() in "os^"]
    assert len({line.get_markevery()[0] for line in thick}) == 3


def test_an_axis_that_leaves_out_zero_says_where_it_begins():
    high = training_figure({"a": _steps(20, least=2.0)}).axes[0]
    begin = high.get_ylim()[0]
    assert begin > 0 and begin in high.get_yticks()
    assert high.get_ylabel().endswith(f"(axis begins at {begin:g}, not at 0)")
    low = training_figure({"a": _steps(20)})
    assert not any("begins" in label for axes in low.axes for label in _labels(axes))
    later = training_figure({"a": _steps(200)[150:]}).axes[0]
    assert "axis begins at" in later.get_xlabel() and later.get_xlim()[0] > 100


def test_missing_curves_are_said():
    rows = [{"step": 1, "accuracy": 0.5}, {"step": 2}, {"step": 3, "accuracy": None}]
    alone = training_figure({"first": rows})
    assert [_texts(axes) for axes in alone.axes] == [["not recorded"], [], ["not recorded"]]
    assert _legend(alone) == ["first"]  # too short to be smoothed
    both = training_figure({"first": rows, "sft": [{"step": 1, "loss": 2.0}], "second": _steps(3)})
    assert _legend(both) == ["first", "second"]
    assert not any(_texts(axes) for axes in both.axes)
    with pytest.raises(DataError, match="nothing to draw: no step has any of reward_mean"):
        training_figure({"sft": [{"step": 1, "loss": 2.0}]})


def test_nothing_in_a_label_is_obeyed(tmp_path):
    label = "$\\frac$ _a_ \x1b[31m"
    training_picture({label: _steps(3), "_b": _steps(3)}, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert r"<!-- $\frac$ _a_ \x1b[31m -->" in text.replace(r"\$", "$")
    assert "<!-- _b -->" in text


# --- accuracy by group ---


def test_each_bar_has_its_value_its_interval_and_its_runs_marker(run):
    start = summarise(run({2: (28, 100), 4: (0, 100)}))
    after = summarise(run({2: (199, 200), 4: (0, 100)}))
    figure = accuracy_figure({"start": start, "after RL": after}, trained=[2])
    (axes,) = figure.axes
    assert _texts(axes) == ["28", "0", "99.5", "0"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2", "4\nunseen"]
    assert _labels(axes) == ("people in a puzzle", "right answers, %")
    assert _legend(figure) == ["start", "after RL", "95% interval"]
    # A bar of height 0 too.
    assert len(_looks(axes)) == 4 and len(set(_looks(axes))) == 2


def test_only_all_reads_100_and_only_none_reads_0(run):
    cells = {2: (1999, 2000), 3: (2000, 2000), 4: (1, 2500)}
    (axes,) = accuracy_figure({"a": summarise(run(cells))}).axes
    assert _texts(axes) == [">99.9", "100", "<0.1"]


def test_own_data_has_no_group_of_a_name_that_nobody_gave(record):
    rows = [record(f"x{i}", float(i < 63)) | {"info": {}, "generation": {}} for i in range(100)]
    figure = accuracy_figure({"alpha": summarise(rows)})
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["all prompts"]
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("", "")
    assert _legend(figure) == ["alpha", "95% interval"]
    rows[0]["info"] = {"people": 2}
    ticks = accuracy_figure({"alpha": summarise(rows)}).axes[0].get_xticklabels()
    assert {t.get_text() for t in ticks} == {"2", "no people"}


def test_ways_of_decoding_have_panels_of_their_own(tmp_path, run):
    start = summarise(run({2: (28, 100)}))
    sampled = summarise(run({2: (50, 100), 3: (0, 10)}, temperature=0.7))
    accuracy_picture({"start": start, "sampled": sampled}, tmp_path / "a.png")
    assert _size(tmp_path / "a.png")[0] > 1000
    figure = accuracy_figure({"start": start, "sampled": sampled})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Greedy", "Sampled, T=0.7"]


# --- two measures against each other ---


def _at(x: float, y: float, half: float = 0.02):
    return (x, x - half, x + half), (y, y - half, y + half)


def _arrows(axes) -> list[tuple]:
    """From where to where each arrow leads, in what the axes measure."""
    joined = [t for t in axes.texts if t.arrow_patch and t.arrow_patch.get_linewidth() >= 1]
    return [tuple(round(v) for v in (*t.xyann, *t.xy)) for t in joined]


def test_only_runs_that_follow_one_another_are_joined():
    points = {
        "start": _at(0.5, 0.2),
        "one": _at(0.8, 0.3),
        "two": _at(0.8, 0.9),
        "other": _at(0.6, 0.9),
    }
    unrelated = plane_figure(points, "ability, %", "safety, %")
    assert _arrows(unrelated.axes[0]) == []
    assert _legend(unrelated) == [*points, "95% interval"]
    figure = plane_figure(points, "x, %", "y, %", [["start", "one", "two"], ["one", "other"]])
    assert _arrows(figure.axes[0]) == [(50, 20, 80, 30), (80, 30, 80, 90), (80, 30, 60, 90)]
    assert "to the next stage" in _legend(figure)
    with pytest.raises(UsageError, match=r"no run 'ona'\. Did you mean 'one'"):
        plane_figure(points, "x", "y", [["start", "ona"]])


def test_intervals_end_at_100_and_axes_say_where_they_begin():
    figure = plane_figure({"only": _at(0.7, 0.99)}, "ability, %", "safety, %")
    (axes,) = figure.axes
    ends = [y for bar in axes.collections for part in bar.get_segments() for _, y in part]
    assert max(ends) == 100
    assert max(axes.get_yticks()) <= 100
    assert "axis begins at" in axes.get_xlabel() and "axis begins at" in axes.get_ylabel()
    assert _legend(figure) == ["only", "95% interval"]


def test_markers_of_one_place_are_moved_apart_and_lead_to_it():
    points = {name: _at(0.9, 0.95) for name in "abc"} | {"far": _at(0.5, 0.5)}
    figure = plane_figure(points, "x, %", "y, %")
    (axes,) = figure.axes
    figure.draw_without_rendering()
    marks = [line for line in axes.lines if line.get_label() in points]
    places = [line.get_transform().transform(line.get_xydata())[0] for line in marks]
    apart = 6 * figure.dpi / 72
    for at, (x, y) in enumerate(places):
        assert all(abs(x - u) > apart or abs(y - v) > apart for u, v in places[:at])
    assert sum(1 for text in axes.texts if text.arrow_patch) == 2
    assert "from a marker, moved to be seen, to its place" in _legend(figure)


def test_a_suffix_it_cannot_draw(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        training_picture({"a": _steps(3)}, tmp_path / "a.gif")
    with pytest.raises(UsageError):
        accuracy_picture({}, tmp_path / "a.png")


def test_characters_that_the_usual_font_lacks(tmp_path, monkeypatch, capsys):
    """Another installed font draws them; what no font has is escaped, and said once a picture."""
    from matplotlib.font_manager import FontProperties, findfont

    usual, other = (plotting._characters(findfont(f)) for f in (FontProperties(), "STIXGeneral"))
    had = chr(next(c for c in sorted(other - usual) if chr(c).isprintable()))
    nowhere = "步"
    monkeypatch.setattr(plotting, "plain", str)
    figure = plotting.new_figure(3, 2)
    axes = plotting.clean_axes(figure.subplots(), "run " + had, x="策" + nowhere, y="y")
    axes.set_yticks([0, 1], ["plain", nowhere])
    monkeypatch.setattr(
        plotting, "_font_of", lambda missing: ("STIXGeneral", missing & frozenset({ord(had)}))
    )
    plotting.save_figure(figure, tmp_path / "a.png")
    assert axes.get_title(loc="left") == "run " + had
    assert "STIXGeneral" in axes._left_title.get_fontfamily()
    assert axes.get_xlabel() == "\\u7b56\\u6b65"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["plain", "\\u6b65"]
    assert "no installed font has 2 of the characters" in capsys.readouterr().err


def test_the_font_with_most_of_the_characters_is_found():
    from matplotlib.font_manager import findfont

    some = frozenset(sorted(plotting._characters(findfont("STIXGeneral")))[-3:])
    name, has = plotting._font_of(some)
    assert has == some and name and "Last Resort" not in name
    assert plotting._font_of(frozenset({0xF0001})) == (None, frozenset())

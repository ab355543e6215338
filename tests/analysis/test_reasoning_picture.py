"""What `swr1 analyze --picture` draws, by the drawn objects."""

import pytest

from swr1.analysis.picture import reasoning_figure
from swr1.analysis.reasoning import Analysis
from swr1.analysis.words import load_words
from tests.e2e.test_analyze import record


def figure_of(versions, by="step", bins=10):
    """Half of the samples say "wait", half "tock"; the first half is right."""
    analysis = Analysis(load_words(["reasoning"]), by, None, None, bins)
    for version in versions:
        for puzzle in range(12):
            for sample in range(4):
                word = "wait, verify:" if sample < 2 else "tock"
                analysis.add(record(version, puzzle, sample, word, sample < 2))
    return reasoning_figure(analysis.result())


def labels(figure):
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def joins(axes):
    """The lines between two rows."""
    return [
        line for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) == 2
    ]


def points(axes):
    """Per quantity, where its markers are."""
    return [line.get_xdata() for line in axes.lines if line.get_marker() in "os^Dv"]


@pytest.fixture(scope="module")
def steps():
    return figure_of(range(4))


def test_every_axis_has_a_label(steps):
    step = "training step (version of the policy)"
    assert labels(steps) == [
        ("mean answer score of a completion", "word (% of completions\nwith it)"),
        (step, "% of completions"),
        (step, "mean length, tokens"),
        (step, "% of completions"),
    ]
    assert [axes.get_title(loc="left") for axes in steps.axes] == [
        "Answer score with and without the word",
        "Completions with the word (words side by side)",
        "Length",
        "Right answers (knights)",
    ]
    assert [t.get_text() for t in steps.axes[1].get_legend().get_texts()] == [
        "verify",
        "wait",
        "95% interval",
    ]


def test_words_of_equal_use_lie_side_by_side(steps):
    one, other = points(steps.axes[1])
    assert all(abs(a - b) > 0.1 for a, b in zip(one, other, strict=True))
    assert {steps.axes[1].get_xlim()} == {axes.get_xlim() for axes in steps.axes[2:]}


def test_rows_are_joined_where_nothing_lies_between_them(steps):
    assert [len(joins(axes)) for axes in steps.axes[2:]] == [3, 3]
    apart = figure_of([0, 69])
    assert [len(joins(axes)) for axes in apart.axes[1:]] == [0, 0, 0]
    # A version every ten steps, and one far behind.
    assert len(joins(figure_of([0, 10, 20, 30, 90]).axes[3])) == 3


def test_groups_are_never_joined_and_are_named():
    figure = figure_of([0], by="people")
    assert labels(figure)[3] == ("people in a puzzle", "% of completions")
    assert not joins(figure.axes[3])
    assert [t.get_text() for t in figure.axes[3].get_xticklabels()] == ["2", "3"]
    nobody = figure_of([0], by="nosuch").axes[3]
    assert [t.get_text() for t in nobody.get_xticklabels()] == ["no nosuch"]


def test_one_version_stands_at_a_whole_step():
    figure = figure_of([1])
    figure.draw_without_rendering()
    for axes in figure.axes[1:]:
        low, high = axes.get_xlim()
        ticks = [t for t in axes.get_xticks() if low <= t <= high]
        assert ticks and all(t == int(t) for t in ticks)

"""Steps in the page of a record: a mark per step and judge, the first wrong one, nothing obeyed."""

from rich.console import Console

from swr1.viewing.page import in_full

TEXT = "<think>one\ntwo [bold]\n\x1b[31mthree</think> 3"


def shown(record, width=100):
    console = Console(width=width, record=True, force_terminal=False)
    console.print(in_full(record, None, "none", width))
    return console.export_text()


def steps(labels, **more):
    edges = [7, 11, 22, 32]
    return [
        {"start": a, "end": b, "label": label} | more
        for a, b, label in zip(edges, edges[1:], labels, strict=False)
    ]


def record(**verdicts):
    return {"id": "a", "prompt": [], "completion": TEXT, "verdicts": verdicts}


def verdict(labels, **more):
    detail = {"rule": "line", "steps": steps(labels, **more), "first_wrong": 1, "judged": 3}
    return {"score": 0.5, "label": "wrong", "by": "steps@1", "detail": detail}


def test_each_step_has_a_mark_and_the_first_wrong_one_another():
    page = shown(record(steps=verdict(["right", "wrong", "wrong"], why="no reason")))
    lines = [line.rstrip() for line in page.splitlines()]
    rows = [line for line in lines if line.strip().startswith(("0 ", "1 ", "2 "))]
    assert [row.split()[:3] for row in rows] == [
        ["0", "+", "one"], ["1", "X", "two"], ["2", "x", "␛[31mthree"]
    ]  # fmt: skip
    assert "two [bold]  no reason" in page and "\x1b" not in page
    assert "X the first" in page and '"start"' not in page


def test_judges_stand_side_by_side_where_their_steps_are_the_same():
    page = shown(
        record(
            steps=verdict(["right", "unread", "unjudged"]),
            prm=verdict(["wrong", "right", "right"], score=0.125),
            values=verdict([None] * 3, values={"safety": 1.0}),
        )
    )
    [row] = [line for line in page.splitlines() if line.strip().startswith("1 ")]
    assert row.split()[:6] == ["1", "?", "+", "0.125", "safety", "1"]
    assert page.count("two [bold]") == 2  # in the completion, and once among the steps


def test_what_are_no_steps_is_shown_as_it_is():
    odd = [{"start": 0, "end": 999}, {"start": "x", "end": 2}, "step"]
    for one in odd:
        page = shown(record(mine={"score": 1.0, "label": "x", "detail": {"steps": [one]}}))
        assert "the first" not in page
    assert "steps 4" in shown(record(trace={"score": 1.0, "label": "x", "detail": {"steps": 4}}))

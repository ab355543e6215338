"""The terminal page, driven by keys as a person would."""

import asyncio

import pytest

from swr1.viewing.app import ListScreen, RecordScreen, RunScreen, ViewApp
from swr1.viewing.run import find
from swr1.viewing.tokens import Tokenizers
from tests.conftest import jsonl


def record(i):
    return {
        "id": f"{i:016x}",
        "info": {"people": 2 + i % 3},
        "completion": f"text {i}",
        "verdicts": {"knights": {"score": float(i % 2), "label": "right" if i % 2 else "wrong"}},
        "reward": 3.0 if i % 2 else -0.5,
    }


@pytest.fixture
def records(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(jsonl(map(record, range(3000))))
    return file


def drive(path, steps, *, condition="", size=(80, 24)):
    """Run `steps(app, pilot)` in a page over `path`."""

    async def go():
        app = ViewApp(find(str(path)), condition, Tokenizers())
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(go())


async def until(pilot, holds):
    for _ in range(200):
        if holds():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come")


async def type_filter(app, pilot, condition):
    await pilot.press("slash")
    app.focused.value = condition  # key by key takes a second
    await pilot.press("enter")


def screen_text(app):
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def test_filter_then_open_then_go_through_the_matches(records):
    async def steps(app, pilot):
        assert isinstance(app.screen, ListScreen)
        await until(pilot, lambda: "text 0" in screen_text(app))
        await type_filter(app, pilot, "people=3 reward<0")
        rows = app.screen.records
        await until(pilot, lambda: rows.at_end and rows.shown_count == 500)
        text = screen_text(app)
        assert "wrong" in text and "right" not in text
        assert "500 of 3,000 with people=3 reward<0" in text, text
        await pilot.press("down", "enter")
        await pilot.pause()
        assert isinstance(app.screen, RecordScreen)
        assert f"{10:016x}" in screen_text(app)  # matches are 4, 10, 16, ...
        await pilot.press("right")
        await pilot.pause()
        assert f"{16:016x}" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, ListScreen) and rows.cursor == 2

    drive(records, steps)


def test_a_filter_that_cannot_be_read_is_said_and_changes_nothing(records):
    async def steps(app, pilot):
        await type_filter(app, pilot, "reward<high")
        await pilot.pause()
        assert any("compares numbers" in n.message for n in app._notifications)
        assert app.screen.records.test is None

    drive(records, steps)


def test_the_end_of_the_file_and_what_is_added_to_it(records):
    async def steps(app, pilot):
        rows = app.screen.records
        await pilot.press("end")
        await until(pilot, lambda: rows.cursor == 2999)
        assert "text 2999" in screen_text(app)
        await pilot.press("f")
        with open(records, "ab") as handle:
            handle.write(jsonl([record(3000)]))
        await until(pilot, lambda: "text 3000" in screen_text(app))
        await pilot.press("home")
        await until(pilot, lambda: "text 0 " in screen_text(app))

    drive(records, steps)


def test_only_what_is_looked_at_is_read(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(jsonl(map(record, range(60_000))))

    async def steps(app, pilot):
        await until(pilot, lambda: "text 0" in screen_text(app))
        await pilot.pause(0.3)
        assert app.screen.records.source.count < 60_000

    drive(file, steps)


def test_a_run_draws_its_curves_as_they_grow_and_opens_its_records(records, tmp_path):
    (tmp_path / "kk" / "versions").mkdir(parents=True)
    metrics = tmp_path / "kk" / "metrics.jsonl"
    metrics.write_bytes(jsonl([{"step": 1, "stage": "rl", "reward_mean": 0.125}]))

    async def steps(app, pilot):
        assert isinstance(app.screen, RunScreen)
        await until(pilot, lambda: "0.125" in screen_text(app))
        with open(metrics, "ab") as handle:
            handle.write(jsonl([{"step": 2, "stage": "rl", "reward_mean": 0.875}]))
        await until(pilot, lambda: "0.875" in screen_text(app))
        assert "▁█" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ListScreen))
        await until(pilot, lambda: "text 0" in screen_text(app))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)

    drive(tmp_path, steps)


def test_it_fits_a_small_and_a_resized_terminal(records):
    async def steps(app, pilot):
        await until(pilot, lambda: "text 0" in screen_text(app))
        await pilot.resize_terminal(40, 10)
        await pilot.pause(0.2)
        lines = screen_text(app).split("\n")
        assert len(lines) == 10 and all(len(line) == 40 for line in lines)
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running

    drive(records, steps)

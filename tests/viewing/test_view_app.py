"""The terminal page, driven by keys as a person would."""

import asyncio

import orjson
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from swr1.errors import SwrError
from swr1.records import pack
from swr1.streams.parquet import write_parquet
from swr1.viewing.app import ListScreen, RecordScreen, RunScreen, ViewApp, show
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


def test_escape_clears_filter_and_order_before_it_leaves(records):
    async def steps(app, pilot):
        rows = app.screen.records
        await type_filter(app, pilot, "people=3")
        await until(pilot, lambda: rows.shown_count > 500)
        await pilot.press("s")
        app.focused.value = "-reward"
        await pilot.press("enter")
        await until(pilot, lambda: rows.at_end and not rows.sorting)
        assert "sorted by -reward" in screen_text(app) and "reward↓" in screen_text(app)
        rewards = [rows.line(n)[1]["reward"] for n in (0, 499, 500, 999)]
        assert rewards == [3.0, 3.0, -0.5, -0.5]
        assert [rows.line(n)[0] for n in (0, 1, 500)] == [1, 7, 4]  # equal ones stay in their order
        await pilot.press("escape")
        await until(pilot, lambda: "3,000" in screen_text(app))
        assert isinstance(app.screen, ListScreen) and rows.test is None and rows.by == ""
        await pilot.press("escape")
        await pilot.pause()
        assert not app.is_running

    drive(records, steps)


def test_a_key_that_no_record_has_is_doubted(records):
    async def steps(app, pilot):
        await type_filter(app, pilot, "peple=3")
        told = "no 'peple' in the first 64 records. Did you mean 'people'?"
        await until(pilot, lambda: told in screen_text(app))

    drive(records, steps, size=(100, 24))


def test_help_is_a_page_that_any_key_closes(records):
    async def steps(app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: "KEY OP VALUE" in screen_text(app))
        lines = screen_text(app).split("\n")
        assert all(len(line) == 80 for line in lines) and "a record shows them all" in screen_text(
            app
        )
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ListScreen))

    drive(records, steps)


def test_a_constant_column_is_said_in_the_title_until_it_changes(tmp_path):
    file = tmp_path / "a.jsonl"
    rows = [record(i) | {"sample": 0} for i in range(100)] + [record(100) | {"sample": 1}]
    file.write_bytes(jsonl(rows))

    async def steps(app, pilot):
        await until(pilot, lambda: "all: sample 0" in screen_text(app))
        assert "sample " not in screen_text(app).split("\n")[1]
        await pilot.press("end")
        await until(pilot, lambda: "sample" in screen_text(app).split("\n")[1])
        assert "all:" not in screen_text(app)

    drive(file, steps, size=(120, 24))


def test_a_folder_lists_files_with_verdicts_first(records, tmp_path):
    (tmp_path / "0-prompts.jsonl").write_bytes(jsonl([{"id": "a"}]))

    async def steps(app, pilot):
        await until(pilot, lambda: "0-prompts" in screen_text(app))
        lines = [line for line in screen_text(app).split("\n") if ".jsonl" in line]
        assert "a.jsonl" in lines[0] and "knights, reward" in lines[0] and "0-prompts" in lines[1]

    drive(tmp_path, steps)


ODD = [
    {"policy": {"name": "{file}/x", "version": 1}},
    {"policy": {"name": "a" * 5000, "version": 1}},
    {"policy": {"name": "\0", "version": None}},
    {"policy": {"name": ["kk"], "version": {}}, "engine": {}, "sampling": {}},
    {"policy": {"name": "../../etc", "version": 1}, "prefill": "<think>"},
    {"policy": {"name": "kk", "version": 1}, "token_ids": [0, -1, 10**9], "logprobs": [-1.0] * 3},
    {"policy": {"name": "kk", "version": 1}, "token_ids": [2**70], "loss_mask": [0]},
    {"policy": {"name": "broken", "version": 1}, "token_ids": [1], "logprobs": [-1e308]},
]


@pytest.mark.parametrize("packed", ["a.jsonl", "a.parquet", "shards"])
def test_any_record_opens_wherever_its_policy_is(tmp_path, packed):
    for name in ("kk", "broken"):
        (tmp_path / name / "versions" / "000001").mkdir(parents=True)
        (tmp_path / name / "versions" / "000001" / "swr1.json").write_text("{}")
    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer.save(str(tmp_path / "kk/versions/000001/tokenizer.json"))
    (tmp_path / "broken/versions/000001/tokenizer.json").write_text("{")
    rows = [record(i) | {"completion": "a b", "generation": g} for i, g in enumerate(ODD)]
    rows += [
        {"id": "x", "answer": [["a", "b"]], "info": {"failed": ["refusal"], "run": "cautious"}}
    ]
    rows += [{"id": "y", "reward": 1, "reward_parts": {"p": {"value": {"deep": 1}, "weight": "x"}}}]
    rows += [{"id": "z", "prompt": [{"role": "user", "content": [{"type": "image", "url": "u"}]}]}]
    file = tmp_path / packed
    if packed.endswith(".parquet"):
        rows[6]["generation"].pop("token_ids", None)  # Parquet holds 64 bits
        rows[6]["generation"].pop("loss_mask", None)
        write_parquet(file, rows)
    elif packed == "shards":
        file.mkdir()
        (file / "plan.json").write_text('{"shards": 1, "stage": "rollout"}')
        (file / "00000-of-00001.jsonl").write_bytes(jsonl(rows[:6]))
        rows = rows[:6]
    else:
        file.write_bytes(b"".join(pack(row, orjson.OPT_APPEND_NEWLINE) for row in rows))

    async def steps(app, pilot):
        await until(pilot, lambda: app.screen.records.shown_count == len(rows))
        await pilot.press("enter")
        for row in rows:
            await until(pilot, lambda row=row: row["id"] in screen_text(app))
            await pilot.press("c", "c", "right")

    drive(file, steps)


def test_a_page_that_fails_ends_as_any_command_does(records, monkeypatch):
    def broken(app):
        app.failed = TypeError("planted")

    monkeypatch.setattr(ViewApp, "run", broken)
    with pytest.raises(SwrError, match=r"cannot show this \(TypeError: planted\); --plain"):
        show(str(records), "", None, "none")

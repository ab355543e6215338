"""`swr1 view` in a pipe: plain text that other tools can read."""

import subprocess

import pytest

from tests.conftest import SWR1, jsonl

RECORDS = [
    {
        "id": f"{i:016x}",
        "task": "knights",
        "prompt": [{"role": "user", "content": f"question {i}"}],
        "info": {"people": 2 + i % 2},
        "sample": 0,
        "completion": f"answer {i}\nmore",
        "verdicts": {"knights": {"score": float(i % 2), "label": "right" if i % 2 else "wrong"}},
        "reward": 3 if i % 2 else -0.5,
    }
    for i in range(200)
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(RECORDS))
    return path


def test_a_table_with_a_row_for_each_record(swr1, file):
    head, *rows = swr1("view", file, check=True).stdout.splitlines()
    assert head.split() == ["id", "people", "sample", "knights", "reward", "prompt", "completion"]
    assert len(rows) == 200
    assert rows[1].split() == f"{1:016x} 3 0 right 3 question 1 answer 1 more".split()


def test_filters_and_standard_input(swr1, file):
    done = swr1("view", "-w", "people=3", "-w", "reward>0", stdin=file.read_bytes(), check=True)
    assert len(done.stdout.splitlines()) == 101
    none = swr1("view", file, "-w", "people=9", check=True)
    assert none.stdout == ""


def test_a_key_that_no_record_has_is_an_error(swr1, file):
    wrong = swr1("view", file, "-w", "peple=3")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no 'peple' in any of the 200 records. Did you mean 'people'?" in wrong.stderr
    assert swr1("view", file, "-n", 1, "-w", "knigths=right").returncode == 2


def test_failures_say_what_failed_and_in_which_run(swr1, tmp_path):
    rows = [
        {"id": str(i), "prompt": [{"role": "user", "content": f"{begin} {i} more"}], "info": info}
        for i, info in enumerate(
            [{"run": "bold", "failed": ["refusal", "unsafe"]}, {"run": "cautious"}]
        )
        for begin in ["On an island there live people, and this is number"]
    ]
    (tmp_path / "bad.jsonl").write_bytes(jsonl(rows))
    head, first, second = swr1("view", tmp_path / "bad.jsonl", check=True).stdout.splitlines()
    assert head.split() == ["id", "run", "failed", "prompt"]
    assert first.split() == "0 bold refusal, unsafe …0 more".split()
    assert second.split() == "1 cautious …1 more".split()
    assert "failed: refusal, unsafe\n" in swr1("view", tmp_path / "bad.jsonl", "-n", 1).stdout


def test_one_in_full_by_the_start_of_its_id(swr1, file):
    page = swr1("view", file, "--id", f"{7:016x}", check=True).stdout
    assert "  question 7\n" in page and "  answer 7\n  more\n" in page
    assert "right" in page and "\x1b" not in page and "colours" not in page
    assert not any(line.endswith(" ") for line in page.splitlines())
    missing = swr1("view", file, "--id", "ffff")
    assert missing.returncode == 2 and "'ffff'" in missing.stderr


def test_several_in_full(swr1, file):
    page = swr1("view", file, "-n", 2, "-w", "knights=right", check=True).stdout
    assert "question 1\n" in page and "question 3\n" in page and "question 5" not in page


def test_a_run_prints_its_curves_and_names_its_records(swr1, file, tmp_path):
    (tmp_path / "kk" / "versions").mkdir(parents=True)
    rows = [{"step": s, "stage": "rl", "reward_mean": s / 4, "lag": s % 2} for s in range(1, 9)]
    (tmp_path / "kk" / "metrics.jsonl").write_bytes(jsonl(rows))
    page = swr1("view", tmp_path, check=True).stdout
    assert "step 8" in page and "a.jsonl" in page
    (reward,) = [line for line in page.splitlines() if line.split()[0] == "reward"]
    assert reward.split() == ["reward", "0.25", "▁▂▃▄▅▆▇█", "2", "0.25", "to", "2"]


def test_a_reader_that_has_had_enough_is_no_failure(file):
    file.write_bytes(jsonl(RECORDS * 100))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {SWR1} view {file} | head -3"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stderr == ""
    assert len(done.stdout.splitlines()) == 3


def test_records_of_odd_shapes_are_shown_and_do_not_break_the_page(swr1, tmp_path):
    odd = [
        {"id": "a", "prompt": [{"role": "user", "content": [{"type": "text", "text": "hm"}]}]},
        {"id": "b", "verdicts": {"x": {"score": "high"}, "y": True, "z": {"score": True}}},
        {"id": "c", "reward": 0, "reward_parts": {"p": 2}, "answer": {"deep": [1]}},
        {"id": "d", "completion": "", "generation": {"token_ids": [], "logprobs": []}},
        {"id": "e", "completion": "[red]x[/red] \x1b[2J", "info": {"people": None}},
        {"id": "f", "generation": [], "prompt": 3, "verdicts": 1},
        {"id": 7},
        [],
    ]
    file = tmp_path / "odd.jsonl"
    file.write_bytes(jsonl(odd))
    table = swr1("view", file, check=True).stdout
    assert len(table.splitlines()) == 9 and "\x1b" not in table and "[red]x[/red]" in table
    assert table.count("not a record") == 5
    full = swr1("view", file, "-n", 8, check=True).stdout
    assert "\x1b" not in full and "[red]x[/red]" in full
    assert swr1("view", file, "-w", "people=1 word p>1", check=True).stdout == ""


def test_what_is_not_there_is_said(swr1, tmp_path):
    missing = swr1("view", tmp_path / "nope.jsonl")
    assert missing.returncode == 2 and "no file, folder or glob" in missing.stderr
    empty = swr1("view", tmp_path)
    assert empty.returncode == 2 and "no policy folder" in empty.stderr
    wrong = swr1("view", tmp_path, "--colour", "blue")
    assert wrong.returncode == 2 and "--colour is one of" in wrong.stderr


def test_a_page_to_share_shows_what_records_hold_and_obeys_nothing(swr1, tmp_path):
    said = "<script>alert(1)</script> [red]x[/red] \x1b[31m"
    file, page = tmp_path / "a.jsonl", tmp_path / "page.html"
    file.write_bytes(jsonl([{"id": "a", "completion": said}, {"id": "b", "completion": "other"}]))
    done = swr1("view", file, "--html", page, check=True)
    assert done.stdout == "" and f"wrote {page}: 2 records" in done.stderr
    html = page.read_text()
    assert "&lt;script&gt;alert(1)" in html and "<script" not in html and "\x1b" not in html
    assert "[red]x" in html and "other" in html
    assert swr1("view", file, "--html", file).returncode == 2 and b"other" in file.read_bytes()
    swr1("view", file, "--html", page, "-n", 1, check=True)
    assert "other" not in page.read_text()


def test_two_runs_stand_side_by_side(swr1, file, tmp_path):
    changed = [
        r | {"id": r["id"] + "@beta", "completion": f"B says {i}"} for i, r in enumerate(RECORDS)
    ]
    (tmp_path / "b.jsonl").write_bytes(jsonl(changed[:5]))
    page = swr1(
        "view", file, "--beside", tmp_path / "b.jsonl", "--id", f"{3:016x}", check=True
    ).stdout
    (said,) = [line for line in page.splitlines() if "answer 3" in line]
    assert said.split() == "answer 3 B says 3".split() and page.count("question 3") == 1
    alone = swr1("view", file, "--beside", tmp_path / "b.jsonl", "--id", f"{9:016x}", check=True)
    assert "no such record" in alone.stdout

"""A verdict's detail that is no object is bad data in every stage that reads verdicts, with its place."""

import pytest

from tests.conftest import jsonl, run_swr1

BAD = ["no", 3, [{"start": 0}], True]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (["eval", "j.jsonl", "--first-wrong", "steps"], BAD[0]),
        (["reward", "logic-rl", "j.jsonl"], BAD[1]),
        (["verify", "format", "j.jsonl"], BAD[2]),
        (["intervene", "export", "sft", "j.jsonl"], BAD[3]),
    ],
)
def test_a_detail_that_is_no_object_is_named_with_file_and_line(tmp_path, line, detail):
    fine = {"score": 1, "label": "right", "detail": None}
    records = [
        {"v": 1, "id": f"r{n}", "prompt": [{"role": "user", "content": "?"}], "completion": "a",
         "verdicts": {"steps": verdict, "format": fine | {"label": "ok"}, "knights": fine | {"label": "correct"}}}
        for n, verdict in enumerate((fine | {"detail": {"steps": [], "first_wrong": None}}, fine | {"detail": detail}))
    ]  # fmt: skip
    (tmp_path / "j.jsonl").write_bytes(jsonl(records))
    done = run_swr1(*line, "-q", cwd=tmp_path)
    said = done.stderr.splitlines()[-1]
    assert done.returncode == 65, done.stderr
    assert "j.jsonl:2" in said and "'steps' must be an object" in said and "detail" in said
    assert "Traceback" not in done.stderr


def test_a_verifier_of_ones_own_that_gives_such_a_detail_could_not_judge(tmp_path):
    code = 'def check(record):\n    return {"score": 1.0, "label": "x", "detail": "no"}\n'
    (tmp_path / "mine.py").write_text(code)
    record = {"v": 1, "id": "r", "prompt": [], "completion": "a"}
    (tmp_path / "j.jsonl").write_bytes(jsonl([record]))
    done = run_swr1("verify", "./mine.py:check", "j.jsonl", "-q", cwd=tmp_path, check=True)
    assert '"score":null' in done.stdout and "a detail that is no object" in done.stdout

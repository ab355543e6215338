"""`swr1 estimate` from the command line: the page, the numbers, the complaints."""

import json
import random

from tests.conftest import jsonl, run_swr1


def judged(prompts: int = 30, k: int = 4) -> bytes:
    draw = random.Random(0)
    rows = []
    for people, p in ((2, 0.5), (7, 0.05)):
        for i in range(prompts):
            for s in range(k):
                right = draw.random() < p
                rows.append(
                    {
                        "id": f"{people}-{i}",
                        "task": "knights",
                        "info": {"people": people, "depth": people % 2},
                        "sample": s,
                        "completion": "x",
                        "generation": {"epoch": 0, "group": k},
                        "verdicts": {"knights": {"score": int(right)}},
                        "reward": 3.0 if right else -0.5,
                    }
                )
    return jsonl(rows)


def test_a_page_of_80_columns():
    done = run_swr1("estimate", stdin=judged(), env={"COLUMNS": "80"}, check=True)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "without signal (the same reward)" in lines[0]
    heads = [line.split() for line in lines if line.startswith("people")]
    assert heads[0][-4:] == ["n=2", "n=4", "n=8", "n=16"]
    rows = [line.split() for line in lines if line.startswith(("2 ", "7 ", "all"))]
    assert [row[0] for row in rows] == ["2", "7", "all"] * 2
    assert rows[3][-1] == "4"  # at 1/2 small groups do
    assert int(rows[4][-1]) > 4  # at 1/20 they do not
    assert "~ fitted" in lines[-1]


def test_numbers_by_another_key_and_of_verdicts():
    done = run_swr1(
        *"estimate --by depth --value correct --sizes 2,3 --json".split(),
        stdin=judged(),
        check=True,
    )
    result = json.loads(done.stdout)
    assert (result["by"], result["value"]) == ("depth", "correct")
    assert list(result["groups"]) == ["0", "1"]
    assert list(result["all"]["sizes"]) == ["2", "3"]
    assert not result["all"]["sizes"]["3"]["fitted"]


def test_complaints():
    done = run_swr1("estimate", stdin=judged(k=1))
    assert done.returncode == 65
    assert "--samples 4" in done.stderr
    assert run_swr1("estimate", "--sizes", "two", stdin=judged()).returncode == 2
    assert run_swr1("estimate", "--value", "length", stdin=judged()).returncode == 2

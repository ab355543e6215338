"""`swr1 analyze` on files as the stages write them: tables, JSON, pictures, complaints."""

import json

import pytest

from tests.conftest import jsonl


def record(version, puzzle, sample, word, right):
    text = f"{word} one two three four</think>\n<answer>Zoey is a knight\nAva is a knave</answer>"
    return {
        "v": 1,
        "id": f"p{puzzle}",
        "task": "knights",
        "prompt": [{"role": "user", "content": "Zoey says: Ava is a knave."}],
        "answer": [["Zoey", "knight"], ["Ava", "knave"]],
        "info": {"people": 2 + puzzle % 2},
        "sample": sample,
        "completion": text,
        "generation": {
            "epoch": version,
            "prefill": "<think>",
            "policy": {"name": "rl", "version": version},
            "token_ids": list(range(20 + version)),
            "finish_reason": "length" if sample == 3 else "stop",
        },
        "verdicts": {"knights": {"score": float(right)}},
        "reward": 3.0 if right else -0.5,
        "reward_parts": {"answer": {"value": 2.0 if right else -1.5, "weight": 1.0}},
    }


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory):
    """Three versions, 20 puzzles, 4 samples; half say "wait" and are right, the others are not."""
    path = tmp_path_factory.mktemp("analyze") / "rollouts.jsonl"
    path.write_bytes(
        jsonl(
            record(version, puzzle, s, "wait" if s < 2 else "tock", s < 2 or puzzle == 0)
            for version in range(3)
            for puzzle in range(20)
            for s in range(4)
        )
    )
    return path


def test_numbers_as_json(swr1, rollouts):
    done = swr1("analyze", rollouts, "--json", "-q", check=True)
    result = json.loads(done.stdout)
    assert done.stderr == ""
    assert [row["name"] for row in result["rows"]] == ["0", "1", "2"]
    assert [row["length"]["value"] for row in result["rows"]] == [20, 21, 22]
    assert result["length_unit"] == "tokens"
    wait = result["with_and_without"]["word:wait"]
    assert wait["completions"] == 120
    assert wait["right"]["with"]["value"] == 1
    assert wait["right"]["without"]["value"] == 6 / 120
    assert wait["right"]["same_prompt"]["difference"] == pytest.approx(19 / 20)
    assert wait["score"]["all"]["difference"] == pytest.approx(2 - (-1.5 * 114 + 2 * 6) / 120)
    assert result["all"]["signs"]["sign:cut"]["value"] == 0.25


def test_tables_and_picture(swr1, rollouts, tmp_path):
    out = tmp_path / "reasoning.png"
    done = swr1("analyze", rollouts, "--by", "people", "--picture", out, check=True)
    assert out.read_bytes().startswith(b"\x89PNG")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["2", "120"] for line in lines)
    assert next(line for line in lines if line.startswith("  wait")).split()[1:4] == [
        "50.0",
        "100.0",
        "5.0",
    ]
    assert "240 in" in done.stderr


def test_parquet_pipes_and_one_step_draw_too(swr1, rollouts, tmp_path):
    packed = tmp_path / "rollouts.parquet"
    swr1("merge", rollouts, "-o", packed, check=True)
    same = [
        swr1("analyze", *args, "--json", "-q", stdin=data, check=True).stdout
        for args, data in (([packed], b""), ([], rollouts.read_bytes()))
    ]
    assert same[0] == same[1]
    few = b"".join(rollouts.read_bytes().splitlines(True)[:3])
    swr1("analyze", "--picture", tmp_path / "few.svg", stdin=few, check=True)
    assert (tmp_path / "few.svg").read_text().startswith("<?xml")


def test_a_users_words_instead_of_ours(swr1, rollouts, tmp_path):
    (tmp_path / "mine.toml").write_text("clock = ['tick', 'tock']\n")
    done = swr1("analyze", rollouts, "--words", tmp_path / "mine.toml", "--json", "-q", check=True)
    result = json.loads(done.stdout)
    assert result["word_groups"] == {"tick": "clock", "tock": "clock"}
    assert result["all"]["per_completion"] == {"tick": 0, "tock": 0.5}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--words", "reasonin"], 2, "Did you mean 'reasoning'"),
        (["--picture", "x.bmp"], 2, "name it .png, .svg, .pdf"),
        (["--tokenizer", "nowhere"], 2, "nowhere: no such folder"),
    ],
)
def test_wrong_use(swr1, rollouts, args, code, message):
    done = swr1("analyze", rollouts, *args)
    assert done.returncode == code
    assert message in done.stderr


def test_bad_input_and_nothing_to_analyze(swr1, rollouts, tmp_path):
    good = rollouts.read_bytes()
    done = swr1("analyze", "--on-error", "skip", stdin=good + b"{broken\n", check=True)
    assert "1 dropped" in done.stderr
    done = swr1("analyze", stdin=b'{"id": "x"}\n')
    assert done.returncode == 65
    assert "1 with no completion" in done.stderr
    done = swr1("analyze", rollouts, rollouts)
    assert done.returncode == 65
    assert "came twice" in done.stderr


def test_it_runs_without_torch(swr1, rollouts, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('torch', 'transformers', 'datasets'):\n    sys.modules[name] = None\n"
    )
    swr1("analyze", rollouts, env={"PYTHONPATH": str(tmp_path)}, check=True)


def test_the_old_name_still_works_and_says_so(swr1, rollouts):
    old, new = (swr1(name, rollouts, "--json", "-q", check=True) for name in ("analyse", "analyze"))
    assert old.stdout == new.stdout and new.stderr == ""
    assert old.stderr == "swr1: `analyse` is now `analyze`; the old name will go\n"
    assert "analyse" not in swr1("--help", check=True).stdout


def test_a_list_whose_words_never_occur_is_said(swr1, rollouts):
    assert "words never occur: try --words terse" in swr1("analyze", rollouts, check=True).stdout
    terse = swr1("analyze", rollouts, "--words", "terse", check=True).stdout
    assert "never occur" in terse and "try --words" not in terse

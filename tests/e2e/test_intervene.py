"""A completion is mended on the real command line: edited, killed, edited again, undone, exported."""

import os
import signal
import subprocess
import time

import pytest

import swr1
from tests.conftest import jsonl, load, run_swr1
from tests.forked import start

RULES = "[[replace]]\npattern = 'guess'\nwith = 'must'\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a policy and judged completions of it."""
    folder = tmp_path_factory.mktemp("intervene")
    puzzles = list(swr1.make_puzzles(3, people=2))
    texts = [r["prompt"][0]["content"] for r in puzzles]
    said = "<think> guess\nguess again </think>\n<answer> must </answer>"
    config = swr1.DecoderConfig(hidden=16, layers=1, heads=2, max_positions=512)
    swr1.init_policy(folder / "start", config, corpus=[*texts, said])
    (folder / "r.jsonl").write_bytes(jsonl(r | {"completion": said} for r in puzzles))
    (folder / "rules.toml").write_text(RULES)
    run_swr1("verify", "trace", "r.jsonl", "-o", "judged.jsonl", "-q", cwd=folder, check=True)
    return folder


def editor(folder, code):
    (folder / "editor.py").write_text(
        f"import sys, pathlib, time\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n{code}\n"
    )
    return {"EDITOR": f"python3 {folder / 'editor.py'}", "VISUAL": ""}


def test_edit_crash_edit_undo_list_export(made):
    [name, *_] = [r["id"] for r in load(made / "judged.jsonl")]
    line = ["intervene", "judged.jsonl", "--policy", "start", "--record", name, "--max-tokens", "8"]
    # killed while the editor is open: the file stays, and nothing is stored
    env = editor(made, "file.write_text(text.replace('again', 'must'))\ntime.sleep(60)")
    with start(
        line, cwd=made, env=os.environ | env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        left = None
        for _ in range(400):
            files = list(made.glob(".judged.edits.jsonl.*.txt"))
            if files and "guess must" in files[0].read_text():
                [left] = files
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert left and "guess must" in left.read_text()
    # the next start offers it (and takes it, where nobody can be asked)
    done = run_swr1(*line, "--why", "so", cwd=made, env=editor(made, ""), check=True)
    assert f"editing {left}" in done.stderr and "the policy goes on behind" in done.stderr
    assert "+ guess must" in done.stdout and "by " in done.stdout
    assert not left.exists()
    [record] = load(made / "judged.edited.jsonl")
    assert record["completion"].startswith("<think> guess\nguess must")
    assert record["generation"]["edited"]["why"] == "so"
    assert "verdicts" not in record
    # what was made of it
    judged = run_swr1("verify", "knights", "judged.edited.jsonl", "-q", cwd=made, check=True).stdout
    out = run_swr1("intervene", "export", "process-labels", stdin=judged, cwd=made, check=True)
    assert '"ok":false' in out.stdout and f"{name}@edit-0.0" in out.stdout
    listed = run_swr1("intervene", "list", "judged.jsonl", cwd=made, check=True).stdout
    assert "'again' ->" in listed and name in listed
    done = run_swr1("intervene", "undo", "judged.jsonl", cwd=made, check=True)
    assert "is undone; 0 edits" in done.stderr
    assert load(made / "judged.edited.jsonl") == []
    done = run_swr1("intervene", "undo", "judged.jsonl", cwd=made)
    assert done.returncode == 2 and "no edit stands" in done.stderr


def test_a_known_edit_is_offered_taken_by_its_name_listed_and_applied_by_a_batch(made):
    first, second, third = [r["id"] for r in load(made / "judged.jsonl")]
    line = ["intervene", "judged.jsonl", "--policy", "start", "--edits", "known.jsonl"]
    line += ["--max-tokens", "4", "-o", "known-edited.jsonl", "--record"]
    env = editor(made, "file.write_text(text.replace('again', 'must'))")
    done = run_swr1(*line, first, "--why", "it must", cwd=made, env=env, check=True)
    assert "known edits" not in done.stdout  # there is none yet
    name = load(made / "known.jsonl")[1]["edit"]
    # offered before the editor opens, and not taken where nobody names it
    done = run_swr1(*line, second, cwd=made, env=editor(made, ""), check=True)
    assert "known edits where the prompt is similar" in done.stdout and name in done.stdout
    assert "(it must)" in " ".join(done.stdout.split()) and "nothing was changed" in done.stderr
    # taken
    done = run_swr1(
        *line, second, "--take", name, cwd=made,
        env=editor(made, "assert 'guess must' in text\nfile.write_text(text)"), check=True,
    )  # fmt: skip
    assert f"taken from {name}: it must" in " ".join(done.stdout.split())
    made_of = {r["id"]: r["generation"]["edited"] for r in load(made / "known-edited.jsonl")}
    assert made_of[second]["from"] == name and "from" not in made_of[first]
    listed = run_swr1(
        "intervene", "list", "judged.jsonl", "--edits", "known.jsonl", cwd=made, check=True
    )
    assert f"taken from {name}" in " ".join(listed.stdout.split())
    done = run_swr1(*line, third, "--take", "zz", cwd=made)
    assert done.returncode == 2 and "are offered here" in done.stderr
    # by a batch
    line = ["intervene", "judged.jsonl", "--policy", "start", "--batch", "edits"]
    line += ["--known", "known.jsonl", "--max-tokens", "4"]
    done = run_swr1(*line, "--similar", "0", cwd=made, check=True)
    assert "edited 100.0%" in done.stderr and done.stdout.count('"from":') == 3
    done = run_swr1(*line, "--similar", "1", cwd=made, check=True)
    assert "edited 66.7%" in done.stderr and "no similar prompt 33.3%" in done.stderr


def test_a_batch_gives_the_same_bytes_in_a_pipe_and_in_a_file(made):
    line = ["intervene", "judged.jsonl", "--policy", "start", "--batch", "rules.toml", "-q"]
    line += ["--max-tokens", "8", "--together", "2"]
    first = run_swr1(*line, cwd=made, check=True).stdout
    run_swr1(*line, "-o", "mended.jsonl", cwd=made, check=True)
    assert [r["generation"]["edited"]["new"] for r in load(made / "mended.jsonl")] == ["must"] * 3
    assert first == (made / "mended.jsonl").read_text()


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        ([], 2, "--policy is missing"),
        (["--policy", "start"], 2, "3 completions fit"),
        (["--policy", "start", "--record", "zz"], 2, "no completion fits"),
        (["--policy", "nowhere", "--record", "0"], 65, "no such folder"),
        (["--policy", "start", "--batch", "mend"], 2, "--batch is trace"),
        (["--policy", "start", "--batch", "trace", "--web"], 2, "name one of them"),
        (["--policy", "start", "--edits", "judged.jsonl"], 2, "is read"),
        (["--policy", "start", "-o", "r.jsonl", "--edits", "e.jsonl"], 2, "is no record that"),
        (["--policy", "start", "--edits", "rules.toml", "-o", "o.jsonl"], 65, "no journal"),
        (["--policy", "start", "-o", "o.parquet"], 2, "-o is a file FILE.jsonl here"),
        (["--policy", "start", "--shard", "0/2"], 2, "are for --batch"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(made, more, code, why):
    before = sorted(p.name for p in made.iterdir())
    done = run_swr1("intervene", "judged.jsonl", *more, cwd=made)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert why in done.stderr
    assert sorted(p.name for p in made.iterdir()) == before

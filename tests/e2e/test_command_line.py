"""The contract of the command line: help, exit codes, wrong use, lazy imports, closed pipes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from typer.completion import get_completion_script

from tests.conftest import SWR1, jsonl, load
from tests.forked import start

STAGES = ["gen-puzzles", "rollout", "verify", "reward", "train-step", "eval", "merge"]


def test_help_lists_the_stages_first(swr1):
    text = swr1("--help", check=True).stdout
    places = [text.index(f"│ {name} ") for name in STAGES]
    assert places == sorted(places)
    assert text.index("Helpers") > places[-1]
    assert "a plugin" not in text


@pytest.mark.parametrize("name", [*STAGES, "init-policy", "plot"])
def test_every_subcommand_has_help(swr1, name):
    text = swr1(name, "--help", check=True).stdout
    assert f"swr1 {name}" in text


def test_light_stages_import_nothing_heavy(tmp_path):
    """With torch and its kind blocked, the light stages still work."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "for name in ('torch', 'transformers', 'datasets', 'trl', 'vllm', 'scipy', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    line = (
        f"set -o pipefail; {SWR1} --help && {SWR1} gen-puzzles -n 5 --trace search > a.jsonl &&"
        f' {sys.executable} -c "import orjson; [print(orjson.dumps(orjson.loads(l)'
        " | {'completion': orjson.loads(l)['info']['trace']}).decode())"
        f" for l in open('a.jsonl','rb')]\" | {SWR1} verify format knights"
        f" | {SWR1} reward logic-rl | {SWR1} merge - -o out.jsonl"
    )
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [record["reward"] for record in load(tmp_path / "out.jsonl")] == [3.0] * 5


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["verfy"], "Did you mean 'verify'?"),
        (["verify", "knigts"], "Did you mean 'knights'?"),
        (["reward", "logic-r"], "Did you mean 'logic-rl'?"),
        (["reward", "logic-rl", "--on-nul", "skip"], "--on-null"),
        (["reward", "logic-rl", "--on-null", "maybe"], "fail, skip or a number"),
        (["reward", "logic-rl", "--set", "answer_rigth=3"], "Did you mean 'answer_right'?"),
        (["gen-puzzles", "--people", "7-3"], "7-3"),
        (["gen-puzzles", "-n", "-1"], "-1"),
        (["gen-puzzles", "--depth", "0"], "depth"),
        (["gen-puzzles", "--people", "2", "-n", "400"], "only 399"),
        (["gen-puzzles", "--trace", "serch"], "Did you mean 'search'?"),
        (["gen-puzzles", "--wording", "plan"], "Did you mean 'plain'?"),
        (["train-step", "grpoo", "--policy", "x"], "Did you mean 'grpo'?"),
        (["gen-puzzles", "--shard", "3/3"], "0 <= I < N"),
        (["verify", "format", "--on-error", "ignore"], "fail, skip, or quarantine PATH"),
        (["rollout", "--policy", "x", "--temperature", "-1"], "temperature"),
    ],
)
def test_wrong_use_is_code_2(swr1, tmp_path, args, words):
    done = swr1(*args, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_config_file_holds_the_same_flags(swr1, tmp_path):
    (tmp_path / "c.toml").write_text('n = 3\npeople = "2"\ntest-share = 0.5\nsplit = "test"\n')
    done = swr1("gen-puzzles", "--config", "c.toml", cwd=tmp_path, check=True)
    records = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [r["info"]["people"] for r in records] == [2, 2, 2]
    assert records[0]["info"]["test_share"] == 0.5
    flags = swr1("gen-puzzles", "--config", "c.toml", "-n", "1", cwd=tmp_path, check=True)
    assert len(flags.stdout.splitlines()) == 1
    (tmp_path / "c.toml").write_text("peple = 3\n")
    done = swr1("gen-puzzles", "--config", "c.toml", cwd=tmp_path)
    assert (done.returncode, "Did you mean 'people'?" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "args",
    [
        ("gen-puzzles", "-n", 10**30),
        ("gen-puzzles", "-n", 1, "--seed", 10**30),
        ("gen-puzzles", "-n", 1, "--test-share", "nan"),
        ("verify", "format", "--timeout", "nan"),
        ("verify", "format", "--timeout", "inf"),
        ("verify", "format", "--timeout", "-1"),
        ("reward", "logic-rl", "--timeout", "1e300"),
        ("merge", "--shard", "0/" + "9" * 5000),
        ("merge", "--shard", "0/\u00b2"),
        ("sample", "--where", b"\xff=1"),
        ("export", "openai", "--model", b"\xff"),
        ("init-policy", "p", "--from", b"\xff"),
    ],
)
def test_numbers_and_bytes_that_can_mean_nothing(swr1, args):
    done = swr1(*(os.fsdecode(a) if isinstance(a, bytes) else a for a in args))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_as_many_puzzles_as_64_bits_can_count(swr1):
    done = swr1(*f"gen-puzzles -n {2**63 - 1} --start {2**63 - 2} -q".split())
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", ["x", "-3", "", "\u00b2", "9" * 5000])
def test_a_slurm_that_says_nonsense(swr1, tmp_path, number):
    env = {"SLURM_ARRAY_TASK_ID": number}
    done = swr1("merge", "-o", "s/", cwd=tmp_path, env=env)
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_dry_run_prints_the_plan_and_does_nothing(swr1, tmp_path):
    done = swr1(
        *"gen-puzzles -n 7 -o out.jsonl --dry-run --seed 3".split(), cwd=tmp_path, check=True
    )
    plan = json.loads(done.stdout)
    assert plan["options"]["n"] == 7
    assert plan["options"]["seed"] == 3
    assert list(tmp_path.iterdir()) == []


def test_quiet_and_metrics(swr1, tmp_path):
    args = "gen-puzzles -n 4 -o out.jsonl --quiet --metrics m.jsonl".split()
    done = swr1(*args, cwd=tmp_path, check=True)
    assert done.stderr == ""
    (line,) = load(tmp_path / "m.jsonl")
    assert (line["stage"], line["out"]) == ("gen-puzzles", 4)


def test_a_reader_that_had_enough_fails_nobody(tmp_path):
    line = (
        f"set -o pipefail; {SWR1} gen-puzzles -n 200000 | {SWR1} merge - | head -2 > out.jsonl;"
        ' echo "${PIPESTATUS[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["0", "0", "0"], done.stderr
    assert len(load(tmp_path / "out.jsonl")) == 2
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_an_idle_stage_notices_that_its_reader_left():
    """A stage that waits for input writes nothing that could tell it that its reader has gone."""
    process = start(
        ["merge", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write(jsonl([{"id": "a"}]))
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 0  # its input is still open
    assert b"1 in, 1 out" in process.stderr.read()


def test_first_record_before_the_input_ends(tmp_path):
    """One record in, one record out, while the input stays open."""
    process = start(["merge", "-", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for name in "ab":
        process.stdin.write(jsonl([{"id": name}]))
        process.stdin.flush()
        assert orjson.loads(process.stdout.readline())["id"] == name
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("INT", 130)])
def test_signals_stop_cleanly_and_the_rest_follows(swr1, tmp_path, name, code):
    args = "gen-puzzles -n 10000 --people 3-7 -o out.jsonl".split()
    process = start(args, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    part = tmp_path / "out.jsonl.part"
    while not (part.exists() and part.stat().st_size):
        time.sleep(0.01)
    process.send_signal(getattr(signal, f"SIG{name}"))
    stderr = process.communicate()[1]
    assert process.returncode == code, stderr
    assert "the same command continues" in stderr
    assert not (tmp_path / "out.jsonl").exists()
    again = swr1(*args, cwd=tmp_path, check=True)
    assert "records are done" in again.stderr
    assert len(load(tmp_path / "out.jsonl")) == 10000


def test_a_users_verifier_that_raises_hangs_or_dies_gives_null(swr1, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, time\n"
        "def check(record):\n"
        "    kind = record['id']\n"
        "    if kind == 'raises': raise KeyError('oops')\n"
        "    if kind == 'hangs': time.sleep(1000)\n"
        "    if kind == 'dies': os._exit(3)\n"
        "    return None if kind == 'none' else kind == 'good'\n"
    )
    names = ["good", "bad", "raises", "hangs", "dies", "none", "good2"]
    (tmp_path / "in.jsonl").write_bytes(jsonl({"id": n, "completion": "x"} for n in names))
    args = "verify ./mine.py:check in.jsonl --timeout 1.5 -o out.jsonl".split()
    swr1(*args, cwd=tmp_path, check=True)
    verdicts = {r["id"]: r["verdicts"]["check"] for r in load(tmp_path / "out.jsonl")}
    scores = {name: verdict["score"] for name, verdict in verdicts.items()}
    assert scores == {
        "good": 1.0, "bad": 0.0, "raises": None, "hangs": None, "dies": None, "none": None,
        "good2": 0.0,
    }  # fmt: skip
    assert "KeyError" in verdicts["raises"]["error"]
    assert "1.5 s" in verdicts["hangs"]["error"]
    assert "died" in verdicts["dies"]["error"]


def test_on_null(swr1, tmp_path):
    verdicts = {"format": {"score": None, "error": "no clock"}, "knights": {"score": 1.0}}
    good = {"format": {"score": 1.0}, "knights": {"score": 1.0, "label": "correct"}}
    records = [{"id": "a", "verdicts": verdicts}, {"id": "b", "verdicts": good}]
    (tmp_path / "in.jsonl").write_bytes(jsonl(records))
    done = swr1("reward", "logic-rl", "in.jsonl", cwd=tmp_path)
    assert (done.returncode, "in.jsonl:1" in done.stderr) == (65, True)
    assert "--on-null" in done.stderr
    done = swr1("reward", "logic-rl", "in.jsonl", "--on-null", "skip", cwd=tmp_path, check=True)
    assert [orjson.loads(x)["reward"] for x in done.stdout.splitlines()] == [3.0]
    done = swr1("reward", "logic-rl", "in.jsonl", "--on-null", "-2", cwd=tmp_path, check=True)
    assert [orjson.loads(x)["reward"] for x in done.stdout.splitlines()] == [-2.0, 3.0]


def test_shards_from_a_slurm_array(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(jsonl({"id": str(i), "completion": "x"} for i in range(25)))

    def task(index, tasks, low=0, high=None):
        return swr1(
            *"verify format in.jsonl -o s/".split(),
            cwd=tmp_path,
            env={
                "SLURM_ARRAY_TASK_ID": str(index),
                "SLURM_ARRAY_TASK_COUNT": str(tasks),
                "SLURM_ARRAY_TASK_MIN": str(low),
                "SLURM_ARRAY_TASK_MAX": str(tasks - 1 if high is None else high),
            },
        )

    refused = task(3, 2, low=3, high=6)
    assert (refused.returncode, "not 0-1" in refused.stderr) == (2, True)
    for index in (0, 1, 3):
        assert task(index, 4).returncode == 0
    assert task(2, 1, low=2, high=2).returncode == 0  # --array=2, after the others
    swr1(*"merge s -o out.jsonl".split(), cwd=tmp_path, check=True)
    assert [r["id"] for r in load(tmp_path / "out.jsonl")] == [str(i) for i in range(25)]
    assert task(0, 8).returncode == 2


@pytest.mark.parametrize(
    ("command", "code"), [(["gen-puzzles", "-n", "3"], 0), (["eval", "absent.jsonl"], 2)]
)
def test_a_rank_of_a_launcher_ends_like_any_process(tmp_path, command, code):
    """Its output whole, what is registered for the exit done, its exit code kept; no finalization."""
    (tmp_path / "run.py").write_text(
        "import atexit, sys\n"
        "class Last:\n"
        "    def __del__(self): print('finalized')\n"
        "last = Last()\n"
        "atexit.register(print, 'left')\n"
        f"sys.argv = ['swr1', *{command!r}]\n"
        "import swr1.training.parallel\n"
        "from swr1.commands import main\n"
        "main()\n"
    )
    ends = []
    for size in ("1", "2") if code == 0 else ("2",):
        env = {**os.environ, "WORLD_SIZE": size}
        done = subprocess.run(
            [sys.executable, tmp_path / "run.py"], env=env, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        assert len(done.stdout.splitlines()) == (
            3 if code == 0 else 0
        )  # what others print is not here
        ends.append([word for word in done.stderr.splitlines() if word in ("left", "finalized")])
    assert ends == [["left", "finalized"], ["left"]][-len(ends) :]


def test_a_verifier_that_forks_disturbs_nobody(swr1, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os\ndef check(record):\n    os.fork()\n    return 1\n"
    )
    rows = jsonl([{"id": "a", "completion": "x"}, {"id": "b", "completion": "y"}])
    done = swr1("verify", "./mine.py:check", stdin=rows, cwd=tmp_path, check=True)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "b"]
    assert "Error" not in done.stderr


def test_a_page_on_a_full_disk(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"id": "a", "completion": "x"}]))
    line = f"{SWR1} view a.jsonl > /dev/full"
    done = subprocess.run(line, shell=True, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_a_named_pipe_where_a_part_goes(swr1, tmp_path):
    os.mkfifo(tmp_path / "o.jsonl.part")
    done = swr1("gen-puzzles", "-n", 1, "-o", "o.jsonl", cwd=tmp_path)
    assert done.returncode == 1 and "is there and no file" in done.stderr


def test_a_url_with_spaces(swr1):
    done = swr1(
        "verify", "safety", "--guard", "x", "--adapter", "qwen3guard", "--url", "http://a b/"
    )
    assert done.returncode == 2 and "--url is like" in done.stderr


def test_help_is_a_word_too(swr1):
    assert swr1("help", check=True).stdout == swr1("--help", check=True).stdout
    assert swr1("help", "merge", check=True).stdout == swr1("merge", "--help", check=True).stdout
    wrong = swr1("help", "mrge")
    assert wrong.returncode == 2 and "Did you mean 'merge'" in wrong.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("swr1 ver", ["verify"]),
        ("swr1 help ver", ["verify"]),
        ("swr1 merge --sh", ["--shard"]),
        ("swr1 verify format kn", ["knights", "knowledge"]),
        ("swr1 load gs", ["gsm8k"]),
        ("swr1 reward safe-efficient-", ["safe-efficient-plain"]),
        ("swr1 train-step reinforce++-", ["reinforce++-baseline"]),
    ],
)
def test_the_shell_completes(swr1, line, expected):
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = swr1(env={"_SWR1_COMPLETE": "complete_bash", **words}, check=True)
    assert done.stdout.split() == expected and done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "asked", "expected"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "swr1 mer"}, '"merge":'),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "swr1 mer", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "merge\t",
        ),
    ],
)
def test_other_shells_complete(swr1, shell, asked, expected):
    done = swr1(env={"_SWR1_COMPLETE": f"complete_{shell}", **asked}, check=True)
    assert expected in done.stdout


def test_bash_loads_what_is_installed():
    script = get_completion_script(
        prog_name="swr1", complete_var="_SWR1_COMPLETE", shell="bash"
    )  # which shell runs the tests is not known, so --show-completion is not asked
    ask = "COMP_WORDS=(swr1 mer); COMP_CWORD=1; _swr1_completion swr1; echo ${COMPREPLY[@]}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
    )
    assert done.stdout == "merge\n", done.stderr

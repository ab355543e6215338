"""The core install: what works without any extra, and the one line that names a missing extra."""

import os
import pty
import subprocess
import sys
from importlib.metadata import requires

import orjson
import pytest

from swr1.extras import advice, packages
from tests.conftest import SWR1, jsonl, run_swr1

# The command that meets an extra first. bench and dev are for those who work on swr1 itself.
NEEDS = {
    "train": ("init-policy start p.jsonl", "transformers"),
    "servers": (
        "rollout p.jsonl --policy start --engine openai --url http://localhost:1",
        "httpx2",
    ),
    "data": ("merge p.jsonl -o p.parquet", "pyarrow"),
    "pictures": ("merge shown.jsonl -o shown/", "PIL"),
    "plot": ("plot metrics.jsonl -o p.png", "matplotlib"),
    "plan": ("plan", "simpy"),
    "view": ("view p.jsonl", "textual"),
    "vllm": ("rollout p.jsonl --policy some/model --engine vllm", "vllm"),
    "web": ("intervene p.jsonl --policy p --web", "flask"),
    "search": ("index docs.txt -o docs.index", "tantivy"),
}
# Their packages are looked for before they are imported: tests/training/test_engine.py.
ASKED_FOR = {"qlora"}
NO_COMMAND = {"all", "bench", "dev"}

CORE = """
swr1 gen-puzzles -n 6 --people 2-3 --trace search -o again.jsonl
swr1 solve p.jsonl -o solved.jsonl
swr1 perturb statement p.jsonl -o changed.jsonl
swr1 trace p.jsonl -o traced.jsonl
swr1 sample p.jsonl --where people=2-3 --by people --order rising -o sorted.jsonl
swr1 load gsm8k gsm8k.jsonl -o gsm8k-items.jsonl
swr1 verify format knights trace language repetition refusal said.jsonl -o judged.jsonl
swr1 verify math choice exact f1 short.jsonl -o short-judged.jsonl
swr1 reward logic-rl judged.jsonl -o rewarded.jsonl
swr1 reward logic-rl judged.jsonl --explain ID
swr1 merge rewarded.jsonl -o merged.jsonl
swr1 eval merged.jsonl again=rewarded.jsonl
swr1 analyze merged.jsonl
swr1 estimate twice.jsonl
swr1 export trl merged.jsonl -o trl.jsonl
swr1 gen-requests -n 3 -o requests.jsonl
swr1 attack roleplay requests.jsonl --texts village -o attacked.jsonl
swr1 index docs.txt notes.md rows.jsonl -o docs.index --backend sqlite
swr1 index query docs.index words
swr1 index show docs.index
swr1 status
swr1 view merged.jsonl
"""

# Each command in a child of one process, which has imported what all of them need.
ONE_BY_ONE = """
import os, sys
swr1, script = sys.argv[1:]
sys.argv = [swr1]
from swr1.commands import main
for line in script.strip().splitlines():
    child = os.fork()
    if child == 0:
        sys.argv = [swr1, *line.split()[1:]]
        sys.exit(main())
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed: {line}")
"""


def blocked(tmp_path, *names: str) -> dict[str, str]:
    """An environment in which these packages cannot be imported."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"import sys\nfor name in {sorted(names)}:\n    sys.modules[name] = None\n"
    )
    return os.environ | {"PYTHONPATH": str(site)}


@pytest.fixture
def puzzles(tmp_path):
    run_swr1(*"gen-puzzles -n 6 --people 2-3 --trace search -o p.jsonl".split(), cwd=tmp_path)
    (tmp_path / "docs.txt").write_text("some words")
    (tmp_path / "notes.md").write_text("# Notes\n\nsome words")
    shown = [{"role": "user", "content": [{"type": "image", "base64": "AAAA"}]}]
    (tmp_path / "shown.jsonl").write_bytes(jsonl([{"v": 1, "id": "s", "prompt": shown}]))
    (tmp_path / "rows.jsonl").write_text('{"text": "some words"}\n')
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "reward_mean": 1}\n')
    return tmp_path


def test_every_extra_is_tried_here():
    extras = {line.rpartition("extra ==")[2].strip(" \"'") for line in requires("swr1")} - {""}
    extras = {extra for extra in extras if extra.isidentifier()}
    assert extras == {*NEEDS, *ASKED_FOR, *NO_COMMAND}


@pytest.mark.parametrize("extra", NEEDS)
def test_a_missing_extra_is_one_line_that_names_it(puzzles, extra):
    line, package = NEEDS[extra]
    env = blocked(puzzles, *(name for name, of in packages().items() if of == extra))
    terminal, ours = pty.openpty()  # `view` is an application only on a terminal
    done = subprocess.run(
        [SWR1, *line.split()], cwd=puzzles, env=env, stdin=ours, stdout=ours,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(ours), os.close(terminal)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert package.lower() in done.stderr.lower() and f"pip install 'swr1[{extra}]'" in done.stderr


def test_the_core_runs_without_any_extra(puzzles):
    """Every command that needs no model, each in a process where no package of an extra is."""
    records = [orjson.loads(line) for line in (puzzles / "p.jsonl").read_bytes().splitlines()]
    said = [r | {"completion": r["info"]["trace"]} for r in records]
    (puzzles / "said.jsonl").write_bytes(jsonl(said))
    (puzzles / "twice.jsonl").write_bytes(
        jsonl(
            r | {"sample": s, "reward": float(s), "generation": {"group": 2}}
            for r in said
            for s in (0, 1)
        )
    )
    (puzzles / "gsm8k.jsonl").write_bytes(jsonl([{"question": "1 + 1?", "answer": "so\n#### 2"}]))
    user = [{"role": "user", "content": "1/2 + 1/2?"}]
    short = {"v": 1, "prompt": user, "answer": "A", "completion": "The answer is (A)"}
    short |= {"info": {"choices": ["1", "2"]}, "task": "choice"}
    maths = short | {"task": "math", "answer": "1", "completion": r"\boxed{\frac{2}{2}}"}
    (puzzles / "short.jsonl").write_bytes(jsonl([short | {"id": "a"}, maths | {"id": "b"}]))
    env = blocked(puzzles, *(name for name, extra in packages().items() if extra))
    script = CORE.replace("ID", records[0]["id"])
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE, SWR1, script],
        cwd=puzzles, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    merged = [orjson.loads(line) for line in (puzzles / "merged.jsonl").read_bytes().splitlines()]
    assert [r["reward"] for r in merged] == [3.0] * 6
    judged = [orjson.loads(x) for x in (puzzles / "short-judged.jsonl").read_bytes().splitlines()]
    assert [judged[0]["verdicts"]["choice"]["score"], judged[1]["verdicts"]["math"]["score"]] == [
        1,
        1,
    ]


def test_only_packages_of_ours_are_named():
    assert advice(ModuleNotFoundError(name="sklearn.linear_model")) == (
        "this needs sklearn: pip install 'swr1[train]'"
    )
    assert advice(ModuleNotFoundError(name="lark")) == "this needs lark: pip install swr1"
    assert advice(ModuleNotFoundError(name="somebody_elses")) is None
    assert advice(ImportError("cannot import name 'x' from 'torch'", name="torch")) is None

"""docs/pictures.sh draws what the runs that are there allow, and leaves the other pictures alone."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.pages import parse

ROOT = Path(__file__).parent.parent.parent
SEEN = [f"m3-laptop-{name}/table.txt" for name in ("0", "1", "2", "0-control", "0-blind")]
LOGIC = [f"logic-rl-laptop-{name}/table.txt" for name in ("0", "1", "2", "0-control")]


@pytest.fixture
def draw(tmp_path):
    """Runs the script with programs that only note how they were called, which the real parser reads;
    returns calls and stderr."""
    for name in ("swr1", "python"):
        note = f"#!/bin/bash\n(printf '%q ' {name} \"$@\"; echo) >> {tmp_path}/calls\n"
        (tmp_path / name).write_text(note)
        (tmp_path / name).chmod(0o755)

    def run(*files: str) -> tuple[list[str], str]:
        for file in files:
            (tmp_path / "runs" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "runs" / file).touch()
        done = subprocess.run(
            [ROOT / "docs/pictures.sh"],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "RUNS": f"{tmp_path}/runs",
                "OUT": f"{tmp_path}/o",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        lines = (tmp_path / "calls").read_text().replace(f"{tmp_path}/", "").splitlines()
        calls = [shlex.split(line) for line in lines]
        for program, *arguments in calls:
            if program == "swr1":
                parse(arguments)
        return [" ".join(call) for call in calls], done.stderr

    (tmp_path / "o").mkdir()
    run.folder = tmp_path
    return run


def test_without_runs_only_the_simulation_is_drawn(draw):
    calls, said = draw(*LOGIC[:3])
    assert calls == ["python benchmarks/scaling.py sweep -o o/scaling.png"]
    assert said.count("stays as it is") == 6 and "of which 3 are finished" in said


def test_every_picture_is_drawn_from_its_runs(draw):
    ladder = "safeladder-laptop-0/stage3-plain-sampled.jsonl"
    guided = [f"intervene-laptop-{seed}/puzzles-value-best-4.jsonl" for seed in (0, 2)]
    village = "intervene-laptop-0/village.png"
    kept = "logic-rl-laptop-0/rollouts.jsonl"
    calls, said = draw(*LOGIC, *SEEN, kept, ladder, *guided, village)
    assert said == "" and len(calls) == 6
    plot, analyze, suites, cost, eyes, _ = calls
    assert eyes == (
        "swr1 plot seed 0=runs/m3-laptop-0/rl seed 1=runs/m3-laptop-1/rl seed 2=runs/m3-laptop-2/rl"
        " rewards shuffled=runs/m3-laptop-0-control/rl blind twin=runs/m3-laptop-0-blind/rl -o o/m3.png"
    )
    assert cost == (
        "swr1 eval value-best:4@0=runs/intervene-laptop-0/puzzles-value-best-4.jsonl"
        " value-best:4@2=runs/intervene-laptop-2/puzzles-value-best-4.jsonl"
        " --over-tokens o/guidance.png"
    )
    assert (draw.folder / "o/guidance-village.png").exists()
    assert plot == (
        "swr1 plot seed 0=runs/logic-rl-laptop-0/rl seed 1=runs/logic-rl-laptop-1/rl"
        " seed 2=runs/logic-rl-laptop-2/rl control=runs/logic-rl-laptop-0-control/rl -o o/training.png"
    )
    assert analyze.endswith(
        "rollouts.jsonl --words terse --on-error skip --picture o/reasoning.png"
    )
    assert "stage3-cale=runs/safeladder-laptop-0/stage3-cale-sampled.jsonl" in suites
    assert suites.endswith(
        "--suite safety,ability --ladder start,stage1,stage2 --ladder stage2,stage3-cale"
        " --ladder stage2,stage3-canon-length --ladder stage2,stage3-plain --picture o/safeladder.png"
    )

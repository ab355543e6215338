"""Whoever follows "Write your own" in docs/objectives.md word for word gets an objective that trains.

The pages of engines and data sets run as they are (tests/test_pages.py).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pages

DOCS = pages.ROOT / "docs"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the page speaks of: runs/kk, and rewarded.jsonl sampled from it."""
    from swr1 import write_records
    from tests.training.tiny_runs import noisy_reward, sample_records, tiny_policy

    policy = tiny_policy(tmp_path / "runs" / "kk")
    write_records(
        tmp_path / "rewarded.jsonl", sample_records(policy, prompts=8, group=4, reward=noisy_reward)
    )
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_of_objectives_followed_word_for_word(folder):
    said = []
    for block in pages.section(DOCS / "objectives.md", "Write your own"):
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(block.text)
        elif block.language == "sh":
            done = subprocess.run(["bash", "-c", block.text], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            said.append(done.stderr)
    assert "runs/kk is at version 1, step 1" in said[0]
    assert "runs/kk is at version 2, step 1" in said[1]


def test_an_objective_from_a_file_must_be_one(folder):
    (folder / "mine.py").write_text("def objective():\n    return 3\n")
    done = subprocess.run(
        "swr1 train-step ./mine.py:objective rewarded.jsonl --policy runs/kk".split(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "must return an Objective, it returned int" in done.stderr

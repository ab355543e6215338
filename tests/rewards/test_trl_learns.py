"""The script of docs/rewards.md under TRL's own trainer: as it stands there, it learns."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import pages

PAGE = Path(__file__).parents[2] / "docs" / "rewards.md"


@pytest.mark.slow
def test_a_policy_learns_under_trl(tmp_path):
    """What the page's blocks make is trained by the page's script: the mean reward goes up."""
    blocks = pages.section(PAGE, "In Python, and under TRL")
    make = next(block for block in blocks if "swr1 export trl" in block.text)
    script = next(block for block in blocks if block.mark == "file: grpo.py")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {"PATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)}
    for command in (["bash", "-euc", make.text], [sys.executable, "-c", script.text]):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    before, after = map(float, done.stdout.rpartition("reward ")[2].split(" -> "))
    assert after > before + 0.5, done.stdout
    assert "completions: format" not in done.stderr

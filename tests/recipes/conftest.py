"""Recipes are run with programs on PATH that only note how they were called."""

import shutil
import subprocess
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def fake(tmp_path):
    """Runs a script with such programs on PATH; `fake.calls()` are their calls, a line each."""
    noting, log = tmp_path / "bin", tmp_path / "calls"
    noting.mkdir()
    note = f'echo "${{0##*/}} $*" >>{log}\n'
    for name, more in {
        "sbatch": f"grep -c ^sbatch {log}",
        "scontrol": "",
        "swr1": 'cat >/dev/null; [ "$1" != init-policy ] || mkdir -p "$2"',
        "torchrun": "cat >/dev/null",
    }.items():
        (noting / name).write_text(f"#!/bin/bash\n{note}{more}\n")
        (noting / name).chmod(0o755)
    (tmp_path / "work").mkdir()

    def run(script, *args, check=True, programs=None, **variables):
        path = f"{noting}:/usr/bin:/bin"
        if programs:  # these alone
            path = tmp_path / "few"
            path.mkdir(exist_ok=True)
            for name in programs:
                if not (path / name).exists():
                    (path / name).symlink_to(shutil.which(name))
        env = {"PATH": str(path), "HOME": str(tmp_path), **variables}
        command = [shutil.which("bash"), str(script), *args]
        done = subprocess.run(
            command,
            env=env,
            cwd=tmp_path / "work",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    run.calls = lambda: log.read_text().splitlines() if log.exists() else []
    run.forget = lambda: log.unlink(missing_ok=True)
    run.folder = tmp_path / "work"
    run.programs = noting
    return run

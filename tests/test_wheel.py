"""The package as it is installed: the wheel holds every file, and runs without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Where they lie in the checkout, and in the package.
HOME = {"src/swr1": "swr1", "commands": "swr1/commands", "data": "swr1/data"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, from a copy of the files that git knows: no build/ of earlier times in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in tracked("."):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    command = "pip wheel -q --no-deps --no-build-isolation -w dist".split()
    subprocess.run([sys.executable, "-m", *command, copy], cwd=copy, check=True)
    return next((copy / "dist").glob("*.whl"))


def tracked(folder: str) -> list[str]:
    """The files below a folder that are committed, or new and not ignored."""
    line = ["git", "ls-files", "-co", "--exclude-standard", folder]
    listed = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    ours = {
        here + name.removeprefix(there) for there, here in HOME.items() for name in tracked(there)
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == ours


def test_the_wheel_runs_in_a_bare_environment(wheel, tmp_path):
    """In a venv of its own that finds the libraries of this one, but not this checkout."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    bin, site = tmp_path / "venv" / "bin", next((tmp_path / "venv" / "lib").glob("*/site-packages"))
    command = [sys.executable, "-m", "pip", "--python", bin / "python", "install", "-q"]
    subprocess.run([*command, "--no-deps", "--no-index", wheel], check=True)
    libraries = {Path(__import__(name).__file__).parent.parent for name in ("typer", "orjson")}
    (site / "libraries.pth").write_text("\n".join(map(str, libraries)))
    env = {"PATH": f"{bin}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}
    line = (
        "set -eo pipefail; swr1 --version; swr1 --help; swr1 load --list; swr1 verify --help;"
        " swr1 gen-puzzles -n 3 | swr1 solve | swr1 merge - -o m.jsonl;"
        " python -c 'import swr1; print(swr1.__file__)'"
    )
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(site / "swr1" / "__init__.py")

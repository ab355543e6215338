"""The pages made from the code are what the code says, and name everything that can be named."""

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_subcommand_is_documented():
    text = (DOCS / "cli.md").read_text()
    for file in (DOCS.parent / "commands").glob("[a-z]*.py"):
        assert f"## swr1 {file.stem.replace('_', '-')}\n" in text


def test_every_folder_is_in_the_architecture_page():
    text = (DOCS / "architecture.md").read_text()
    for folder in (DOCS.parent / "src" / "swr1").iterdir():
        if folder.is_dir() and folder.name != "__pycache__" and not folder.name.endswith("info"):
            assert f"  {folder.name}/" in text

"""The pages made from the code are what the code says, and name everything that can be named."""

import json
import re
import subprocess
import sys
from pathlib import Path

from swr1 import open_reward
from swr1.commands._group import _files
from swr1.records import FIELDS, validate

DOCS = Path(__file__).parent.parent / "docs"


def test_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_whole_record_of_the_page_is_one():
    record = json.loads((DOCS / "record.json").read_text())
    validate(record, ["id", "completion", "generation.token_ids", "verdicts", "reward"])
    found = {*record, *(f"generation.{name}" for name in record["generation"])}
    assert {field.name for field in FIELDS} - found == {
        "generation.ref_logprobs",
        "generation.kept_ids",
        "generation.kept_counts",
        "generation.pictures",
        "generation.versions",
        "generation.turns",
        "generation.edited",
        "generation.guided",
        "generation.candidates",
    }
    reward = open_reward("logic-rl")(record)
    assert {name: record[name] for name in reward} == reward


def test_every_subcommand_is_documented():
    text = (DOCS / "cli.md").read_text()
    for name in _files():
        assert f"## swr1 {name}\n" in text


def test_every_room_and_file_is_in_the_architecture_page():
    text = (DOCS / "architecture.md").read_text()
    for folder in (DOCS.parent / "src" / "swr1").iterdir():
        if folder.is_dir() and folder.name != "__pycache__" and not folder.name.endswith("info"):
            assert f"  {folder.name}/" in text
        elif folder.suffix == ".py" and not folder.name.startswith("_"):
            assert f"  {folder.name} " in text


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_every_link_leads_somewhere():
    root = DOCS.parent
    for page in [*root.glob("*.md"), *DOCS.glob("*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for file, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
            if file.startswith("http"):
                continue
            target = page.parent / file if file else page
            assert target.exists(), f"{page.name}: {file}"
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), f"{page.name}: {file}#{anchor}"

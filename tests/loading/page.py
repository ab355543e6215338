"""The table of docs/datasets.md, from what the loaders say of themselves and make of small files.

python -m tests.loading.page    # writes the table anew
"""

import re
import tempfile
from pathlib import Path

from swr1.loading.declare import LOADERS
from tests.loading.shapes import SHAPES, write
from tests.loading.sink import loaded

PAGE = Path(__file__).parent.parent.parent / "docs" / "datasets.md"
COMMON = {"dataset", "split", "licence", "citation", "source"}
HEAD = """| name | measures | items | task | split | licence | `info` | the field's metric |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def table() -> str:

    rows = [HEAD]
    for name in sorted({name for name, *_ in SHAPES}):
        tasks, fields, completions = {}, {}, False
        with tempfile.TemporaryDirectory() as folder:
            for other, file, content, _ in SHAPES:
                if other != name:
                    continue
                for record in loaded(name, write(Path(folder) / file, content)):
                    tasks[record["task"]] = True
                    completions |= "completion" in record
                    fields |= dict.fromkeys(record["info"])
        about = LOADERS.get(name).about
        listed = ", ".join(f"`{field}`" for field in sorted(fields.keys() - COMMON))
        task = ", ".join(tasks) + (" + completions" if completions else "")
        named = f"{name}{'' if about.seen else ' *'}"
        cells = [named, about.measures, about.count, task, about.split, about.licence, listed]
        rows.append(f"| {' | '.join([*cells, about.metric])} |")
    return "\n".join(rows)


def written() -> str:
    """The table as the page has it."""
    found = re.search(r"^\| name \|.*?(?=\n\n)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found, "docs/datasets.md has no table"
    return found.group()


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().replace(written(), table()))

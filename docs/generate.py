"""Write the pages that come from the code: docs/records.md and docs/cli.md (`make docs`).

`--check` writes nothing and fails when a page is not what the code says.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from swr1.commands import LazyGroup
from swr1.records import VERSION, as_markdown

DOCS = Path(__file__).parent


def records_page() -> str:
    return f"""# The record

Schema version {VERSION}, defined in `src/swr1/records.py`, from which this page is made (`make docs`).
One JSON object per line; every stage passes through the fields that it does not know.

{as_markdown()}

Training uses `generation.prompt_ids` and `generation.token_ids`; the text is for people and
verifiers, and is not tokenized again. `generation.logprobs` are those of the distribution that was
sampled from (after temperature, top_p, top_k, min_p).

In Parquet every field above is a column of its own (`generation.token_ids` is a list of int32,
`generation.logprobs` a list of float32); columns of type json hold JSON text and are marked so in
the schema's metadata. What a typed column cannot hold exactly, and every unknown field, is kept as
JSON in the column `extra`, and the order of the fields, where it is another one, in the column
`order`: JSONL -> Parquet -> JSONL gives back every value, its type, and the order of the fields.
(How a number or a text was spelled does not outlive any stage: `1.50` becomes `1.5`.) A column that
somebody added is a field of the record. A column of another type is refused, by name.

Whole numbers keep all their digits, also beyond 64 bits. A record nested deeper than 200 levels is
a bad record, and so is one in which a known field has another type, or is null.
"""


def cli_page() -> str:
    page = ["# The command line", "", "Made from `--help-all` by `make docs`.", ""]
    swr1 = Path(sys.executable).parent / "swr1"
    environ = os.environ | {"COLUMNS": "92", "NO_COLOR": "1", "TERM": "dumb"}
    for name in ["", *LazyGroup().list_commands(None)]:
        text = subprocess.run(
            [swr1, *([name, "--help-all"] if name else ["--help"])],
            capture_output=True,
            text=True,
            env=environ,
            check=True,
        ).stdout
        text = "\n".join(line.rstrip() for line in text.strip().splitlines())
        page += [f"## swr1 {name}".rstrip(), "", "```", text, "```", ""]
    return "\n".join(page)


def main() -> None:
    stale = []
    for name, page in {"records.md": records_page(), "cli.md": cli_page()}.items():
        path = DOCS / name
        if "--check" not in sys.argv:
            path.write_text(page)
        elif not path.exists() or re.sub(r"\s+", " ", path.read_text()) != re.sub(
            r"\s+", " ", page
        ):
            stale.append(name)
    if stale:
        sys.exit(f"not up to date: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()

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

Schema version {VERSION}. The fields are declared in `src/swr1/records.py`; this page is made from it (`make docs`).
A record is one JSON object per line. Every stage passes on the fields that it does not know.

{as_markdown()}

## A whole record

One puzzle of two people, answered by the small policy of the laptop recipe after a few minutes of SFT, judged and
rewarded (`gen-puzzles | rollout | verify format knights | reward logic-rl`). In a file it is one line.

```json
{(DOCS / "record.json").read_text().strip()}
```

## Notes

An unreadable verdict may hold `detail.lenient`: what the verifier's option that reads more finds (`set`, the option;
`label`, `score` and `read` under it). `eval` shows both; the verdict itself stays strict.

A verdict on steps (`verify steps`, `label-steps`) has `detail.rule` and `detail.steps`, in order: each `start` and `end`
(characters of `completion`), `label` (right, wrong, unread, unjudged), perhaps `score`, `values` (a number by dimension) and
`why`. `detail.first_wrong` is the number of the first wrong one, or null.

Training uses `generation.prompt_ids` and `generation.token_ids`. The text is for people and
verifiers; it is not tokenized again. `generation.logprobs` are those of the distribution that was
sampled from (after temperature, top_p, top_k, min_p).

In Parquet every field above has its own column (`generation.token_ids` is a list of int32,
`generation.logprobs` a list of float32). Columns of type json hold JSON text and are marked so in
the schema's metadata. The column `extra` keeps, as JSON, values that a typed column cannot hold exactly and all unknown
fields. The column `order` keeps the order of the fields if it is not the usual one. So JSONL -> Parquet -> JSONL gives
back every value, its type, and the order of the fields. (No stage keeps the spelling of a number or a text: `1.50`
becomes `1.5`.) A column that somebody added is a field of the record. A column of another type is refused, by name.

A prompt's message may hold pictures, as parts `{{"type": "image", "path" | "base64" | "url", "digest"}}`; a `path` is
relative to the folder of the record's file, and absolute in a pipe. In Parquet their bytes are in a column
`pictures`. [pictures.md](pictures.md) says what is opened, what is refused, and where the files lie.

Whole numbers keep all their digits, also beyond 64 bits. A record nested deeper than 200 levels is
a bad record. So is a record in which a known field has another type, or is null.
"""


def cli_page() -> str:
    page = ["# The command line", "", "Made from `--help-all` by `make docs`.", ""]
    swr1 = Path(sys.executable).parent / "swr1"
    environ = os.environ | {"COLUMNS": "92", "NO_COLOR": "1", "TERM": "dumb"}
    for name in ["", *LazyGroup().list_commands(None)]:
        text = subprocess.run(
            [swr1, *([*name.split(), "--help-all"] if name else ["--help"])],
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

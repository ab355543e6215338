"""The tokens of a completion as pieces of text, so that each can be coloured.

The tokenizer is read from the policy's folder with the `tokenizers` library alone: a page that
shows text must not wait for transformers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from swr1.errors import UsageError, no_folder
from swr1.policy import Policy, may_be_on_a_hub, recorded
from swr1.records import Record

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"


class Tokenizers:
    """Finds the tokenizer of each record, and keeps it.

    Args:
        given: a model folder, policy folder, tokenizer.json or hub name, for all records.
        near: folders that a policy's relative name may start from, besides the working folder.
    """

    def __init__(self, given: str | None = None, near: Sequence[Path] = ()) -> None:
        self._near = (Path(), *near)
        self._by_policy: dict[str, Tokenizer | None] = {}
        self._given = _load(_given_file(given)) if given else None

    def of(self, record: Record) -> Tokenizer | None:
        """The tokenizer of a record's policy; None when it is not on this machine."""
        if self._given is not None:
            return self._given
        name = ((record.get("generation") or {}).get("policy") or {}).get("name")
        if not isinstance(name, str):
            return None
        if name not in self._by_policy:
            file = next(filter(None, map(_file_in, recorded(name, self._near))), None)
            try:
                self._by_policy[name] = _load(file or _hub_file(name, local=True))
            except UsageError:  # it was not asked for: the record is shown without its tokens
                self._by_policy[name] = None
        return self._by_policy[name]


def _file_in(folder: Path) -> Path | None:
    policy = Policy(folder)
    try:
        # Versions of one policy share their tokenizer, and old ones are pruned: the newest will do.
        folders = [folder] + [folder / "versions" / f"{n:06d}" for n in reversed(policy.versions())]
        return next((f / FILE for f in folders if (f / FILE).is_file()), None)
    except OSError:  # a file where a folder was expected, one that may not be read, a name too long
        return None


def _given_file(name: str) -> Path:
    path = Path(name)
    file = path if path.is_file() else _file_in(path) or _hub_file(name, local=False)
    if file is None and not path.exists() and not may_be_on_a_hub(name):
        raise UsageError(f"--tokenizer {name}: {no_folder(name)}")
    if file is None:
        raise UsageError(f"--tokenizer {name}: no {FILE} there, nor under this name on the hub")
    return file


def _hub_file(name: str, local: bool) -> Path | None:
    if not may_be_on_a_hub(name) or "\0" in name:
        return None
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, FILE, local_files_only=local))
    except Exception:  # its many errors (offline, gated, not found) all mean: no tokenizer here
        return None


def _load(file: Path | None) -> Tokenizer | None:
    if file is None:
        return None
    from tokenizers import Tokenizer

    try:
        json.loads(file.read_bytes())
        return Tokenizer.from_file(str(file))
    except Exception as error:
        raise UsageError(f"{file} is not a tokenizer ({error})") from None


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """The text that each token adds; joined they are the decoded text, special tokens included.

    A character made of several tokens (a byte-level tokenizer) belongs to the last of them.
    """
    out: list[str] = []
    start = done = 0  # decode from `start`; the text of ids[start:done] is out already
    before = ""
    for end in range(1, len(ids) + 1):
        text = tokenizer.decode(list(ids[start:end]), skip_special_tokens=False)
        if text.endswith("�") and end < len(ids):
            out.append("")
            continue
        out.append(text[len(before) :])
        # A few tokens of context decide about spaces; more would make this quadratic.
        start, done = done, end
        before = tokenizer.decode(list(ids[start:done]), skip_special_tokens=False)
    return out

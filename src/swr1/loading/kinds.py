"""What a file of other people's holds, by its first bytes; its name decides only where they do not.

kind = kind_of("train.json.gz")     # "jsonl", "json", "csv" or "parquet"
"""

from typing import Any

from swr1.errors import DataError
from swr1.records import MAX_LINE, parse
from swr1.streams import standard
from swr1.streams.reading import DAMAGE, compression, open_lines

_PACKED = ("", ".gz", ".zst")
SUFFIXES = (
    *(f".jsonl{packed}" for packed in _PACKED),
    *(f".json{packed}" for packed in _PACKED),
    ".parquet",
    *(f".csv{packed}" for packed in _PACKED),
    *(f".tsv{packed}" for packed in _PACKED),
)
KINDS = (
    "Usual suffixes of what is read: .jsonl, .json, .parquet, .csv, .tsv; text also as .gz or .zst"
)
BOM = b"\xef\xbb\xbf"
_OTHERS = (  # first bytes, what it is, what to do
    (b"BZh", "a file packed by bzip2", "unpack it with `bzip2 -d`"),
    (b"\xfd7zXZ\0", "a file packed by xz", "unpack it with `xz -d`"),
    (b"PK\3\4", "a zip archive, or a workbook", "unpack it, or export the table as CSV"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"PAR1", "Parquet inside of something else", "unpack it to a file and name that"),
    (b"ARROW1", "an Arrow file", "write it as Parquet, as with `datasets`' to_parquet"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "write it as Parquet, as with `datasets`' to_parquet"),
    (b"SQLite format 3", "an SQLite database", "export its table as CSV"),
    (b"\x89HDF", "an HDF5 file", "write it as Parquet"),
    (b"\x80\x04", "a pickle, which could run code", "have it written as JSON Lines"),
    (b"\x1f\x8b", "packed text from a pipe", "unpack it before: zcat FILE | swr1 load ... -"),
    (b"\x28\xb5\x2f\xfd", "packed text from a pipe", "unpack it before: zstdcat FILE | ... -"),
)


def kind_of(name: str) -> str:
    """ "jsonl", "json" (one document), "csv" or "parquet".

    Raises DataError, in a person's words, for a file of a kind that is not read.
    """
    if name == "-":
        return _kind_of_pipe()
    try:
        first, second = _first_lines(name)
    except DAMAGE:
        if not compression(name):
            raise
        first, second = b"", b""  # the reader reports it, with the line
    if first.startswith(b"PAR1") and not compression(name):
        return "parquet"
    _refuse_others(name, first)
    low = name.lower().removesuffix(".gz").removesuffix(".zst")
    row = _parsed(first)
    if low.endswith((".csv", ".tsv")) and not isinstance(row, (dict, list)):
        return "csv"
    if low.endswith(".parquet"):
        return "parquet"  # a damaged one
    if b"\t" in first and first[:1] not in b"[{":
        raise DataError(f"text in columns parted by tabs: name it .tsv. {KINDS}", name)
    if first[:1] == b"[":
        return "jsonl" if isinstance(row, list) and second[:1] == b"[" else "json"
    if first[:1] == b"{" and second[:1] != b"{" and (second or low.endswith(".json")):
        return "jsonl" if row is not None and second else "json"
    return "jsonl"


def _kind_of_pipe() -> str:
    """Standard input is lines, or one document; it cannot be looked at twice, only ahead."""
    begin = b""
    if not standard.is_terminal(0):
        begin = standard.input_stream().peek(64).removeprefix(BOM)
    _refuse_others("stdin", begin)
    return "json" if begin.lstrip()[:1] == b"[" else "jsonl"


def _first_lines(name: str) -> tuple[bytes, bytes]:
    """The first two lines of a file that are not blank, stripped."""
    lines: list[bytes] = []
    with open_lines(name) as stream:
        while len(lines) < 2 and (line := stream.readline(MAX_LINE + 1)):
            line = (line if lines else line.removeprefix(BOM)).strip()
            lines += [line] * bool(line)
    return (*lines, b"", b"")[:2]  # type: ignore[return-value]


def _refuse_others(name: str, begin: bytes) -> None:
    for magic, what, do in _OTHERS:
        if begin.startswith(magic):
            raise DataError(f"{what}, which is not read: {do}. {KINDS}", name)
    if begin[257:262] == b"ustar":
        raise DataError(f"a tar archive, which is not read: unpack it. {KINDS}", name)
    if begin[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in begin[:4]:
        do = "write it anew, as with `iconv -f UTF-16 -t UTF-8 FILE`"
        raise DataError(f"text in UTF-16, not UTF-8: {do}", name)


def _parsed(line: bytes) -> Any:
    try:
        return parse(line)
    except ValueError:
        return None

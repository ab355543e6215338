"""Reading and writing records: standard streams, JSONL (.gz, .zst), Parquet, shard folders.

`Stage` is the contract that every subcommand keeps (exit codes, resume, drops with reasons,
progress on stderr); `reading` and `writing` are its two ends.
"""

from swr1.streams.files import write_atomically
from swr1.streams.reading import Placed, read
from swr1.streams.stage import Stage

__all__ = ["Placed", "Stage", "read", "write_atomically"]

"""Which prompts have left a rollout whose groups leave as they finish, for one that goes on later.

    trainer/order.bin    the numbers of prompts in the order of leaving, four bytes each, little-endian

A trainer says how many groups it has used. In the order of the input these are the first ones; else they
are the first in this file. A number is written before its group leaves, so none that was used is missing.
"""

import os
from array import array
from pathlib import Path

from swr1.streams.files import open_to_write

BYTES = 4


class Order:
    """The file of a policy's folder. A prompt's number counts all prompts of the input, also those
    that cannot be completed.

    Args:
        used: how many groups the trainer's run has used; what left after these is forgotten.
    """

    def __init__(self, policy: Path, used: int) -> None:
        self.path = policy / "trainer" / "order.bin"
        left = array("I")
        if self.path.is_file():
            data = self.path.read_bytes()[: BYTES * used]
            left.frombytes(data[: len(data) // BYTES * BYTES])
        self.behind = set(left)
        self._file = open_to_write(self.path, append=True)
        os.ftruncate(self._file.fileno(), BYTES * len(left))

    @classmethod
    def of(cls, policy: Path, used: int, order: str) -> "Order | None":
        """The file where groups leave as they finish, or where they did earlier in this run."""
        path = policy / "trainer" / "order.bin"
        if order == "finished" or (used and path.is_file()):
            return cls(policy, used)
        path.unlink(missing_ok=True)
        return None

    def note(self, number: int) -> None:
        """A prompt's group leaves next."""
        self._file.write(array("I", [number]).tobytes())
        self._file.flush()

"""Which puzzles have come already, in bounded memory: exact to begin with, then a Bloom filter.

The filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970) never takes an
old code for a new one, so no puzzle ever comes twice. It may take a new one for old, which leaves
out a fresh puzzle. The chance of that for the puzzle after n others of its size:

    n                      1,000,000   10,000,000   30,000,000   100,000,000
    chance to be left out          0         2e-6         6e-4           10%
    memory, MiB                   16           64           64            64

Up to EXACT codes the only error is that two puzzles share their 64 bits: below 1e-7 in a million.
"""

from array import array

EXACT = (2 << 20) // 3 * 2  # codes held exactly: two thirds of 2**21 slots of 8 bytes
BITS = 29  # a filter of 2**29 bits, 64 MiB
HASHES = 6


class CodeSet:
    """A set of 64-bit numbers that grows to 16 MiB (12 to 24 bytes each), then stays at 64 MiB.

    Exact: open addressing with linear probing in one array, at most two thirds full; 0 marks a free
    slot, so 0 itself is stored as 1. Beyond `exact` numbers: a Bloom filter of 2**bits bits.
    """

    def __init__(self, exact: int = EXACT, bits: int = BITS) -> None:
        self._slots, self._size = array("Q", bytes(8 << 10)), 0
        self._exact, self._bits = exact, bits
        self._filter: bytearray | None = None

    def __len__(self) -> int:
        return self._size

    def add(self, code: int) -> bool:
        """Whether the number is new; it is in the set afterwards."""
        if self._filter is not None:
            return self._add_to_filter(self._filter, code)
        slots, mask = self._slots, len(self._slots) - 1
        code = code or 1
        slot = code & mask
        while slots[slot]:
            if slots[slot] == code:
                return False
            slot = (slot + 1) & mask
        if self._size == self._exact:
            return self._change_over(code)
        slots[slot] = code
        self._size += 1
        if 3 * self._size > 2 * len(slots):
            self._slots, self._size = array("Q", bytes(16 * len(slots))), 0
            for old in slots:
                if old:
                    self.add(old)
        return True

    def _change_over(self, code: int) -> bool:
        """The numbers so far, and a new one, into the filter."""
        self._filter = bytearray(1 << self._bits - 3)
        slots, self._slots, self._size = self._slots, array("Q"), self._exact
        for old in slots:
            if old:
                self._mark(self._filter, old)
        self._size += 1
        self._mark(self._filter, code)
        return True

    def _add_to_filter(self, bits: bytearray, code: int) -> bool:
        new = self._mark(bits, code or 1)
        self._size += new
        return new

    def _mark(self, bits: bytearray, code: int) -> bool:
        """Sets the code's bits (two halves of it, hashed doubly); whether any was not set."""
        mask, new = (1 << self._bits) - 1, False
        place, step = code, code >> 32 | 1
        for _ in range(HASHES):
            at, bit = (place & mask) >> 3, 1 << (place & 7)
            if not bits[at] & bit:
                bits[at] |= bit
                new = True
            place += step
        return new

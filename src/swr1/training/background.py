"""Writes versions and states beside the steps, from copies taken between two of them.

A copy of the weights for a version takes 2 bytes a weight in bfloat16 (4 in float32), one of a state 12 with
AdamW: the float32 weights and two moments. Both are in the host's memory. There is one copy at most: a
step waits for the disk only while the write before its own is still going on.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import torch
from torch.utils._pytree import tree_map

# Trained weights of which versions and states are written beside the steps, in bytes. Smaller ones take
# milliseconds, and a copy would be one more.
LARGE = 64 * 2**20
# Trained weights of which not every version has a state, in bytes: 12 bytes a weight are on their way.
HUGE = 2**30
HUGE_EVERY = 50  # steps per state then


class Background:
    """A thread that writes what it is handed, one thing after the other.

    on: False writes at once, in the thread of the caller.
    """

    def __init__(self, on: bool) -> None:
        self.on = on
        self._threads = ThreadPoolExecutor(1, "writer") if on else None
        self._work: Future[None] | None = None

    def hand_over(self, write: Callable[[], None]) -> None:
        """Write, after what was handed over before. Raises what that failed with."""
        self.wait()
        if self._threads is None:
            write()
        else:
            self._work = self._threads.submit(write)

    def wait(self) -> None:
        """Until all is written; raises what it failed with."""
        work, self._work = self._work, None
        if work is not None:
            work.result()

    def close(self) -> None:
        """Wait, where something else has failed already."""
        with suppress(Exception):
            self.wait()
        if self._threads is not None:
            self._threads.shutdown()
            self._threads, self.on = None, False


def copied(tree: Any, dtype: torch.dtype | None = None) -> Any:
    """The tensors of a tree on the CPU, in memory of their own; floats in `dtype` if one is given."""

    def copy(x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            return x
        to = dtype if dtype is not None and x.is_floating_point() else x.dtype
        return x.detach().to("cpu", to, copy=True)

    return tree_map(copy, tree)


def size_of(model: Any) -> int:
    """The bytes of a model's trained weights, over all ranks."""
    return sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


def steps_per_state(every: int | None, publish_every: int, model: Any) -> int:
    """`--checkpoint-every`: as given, else with every version, and of a huge model every HUGE_EVERY steps."""
    if every:
        return every
    return max(publish_every, HUGE_EVERY) if size_of(model) > HUGE else publish_every

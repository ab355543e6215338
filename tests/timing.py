"""Whether work ends soon, however busy the machine is."""

import gc
import time
from collections.abc import Callable


def ends_soon(work: Callable[[], object], seconds: float = 1, attempts: int = 5) -> bool:
    """Whether one of some attempts takes less processor time than `seconds`.

    For input made to blow up a pattern: that takes minutes, and what is linear takes some
    milliseconds. A busy neighbour slows one attempt, not all.
    """
    for _ in range(attempts):
        gc.disable()  # a collection goes through all that the tests have imported
        began = time.process_time()
        try:
            work()
        finally:
            gc.enable()
        if time.process_time() - began < seconds:
            return True
    return False

"""The options of the engine hf."""

from dataclasses import dataclass

from swr1.devices import HELP as DEVICES
from swr1.options import option

PANEL = "Engine"


@dataclass(frozen=True, kw_only=True)
class HFOptions:
    """How a transformers model is held and run.

    Beside the options of the command line: `batch_tokens` bounds the memory of the cache: the
    sequences in the batch times their longest possible length.
    """

    LABEL = "hf"

    dtype: str = option(
        "auto", "float32, bfloat16 or auto (float32 on a CPU, else bfloat16).", panel=PANEL
    )
    device: str = option("auto", DEVICES, panel=PANEL, usual=True, quiet=True)
    threads: int | None = option(
        None,
        "CPU threads of the whole process.",
        panel=PANEL,
        quiet=True,
        default="1 in a pipe, else all",
    )
    keep_sets: bool = option(
        False,
        "Record which tokens --top-p, --top-k and --min-p left, so that train-step can train on them.",
        panel="Sampling",
    )
    batch_tokens: int = 65536

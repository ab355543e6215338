"""Which device a model runs on: one choice for rollouts, training and judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

HELP = "auto (a CUDA GPU where there is one, else the CPU), cpu, cuda, cuda:1, mps, ..."


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes a CUDA GPU where there is one, else the CPU.

    Apple's MPS is taken only by name: no figure of this project was measured on it, and what
    samples and what trains should compute alike. Raises UsageError for a name that torch does not
    know.
    """
    import torch

    from swr1.errors import UsageError

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}") from None

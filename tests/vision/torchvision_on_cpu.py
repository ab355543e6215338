"""Lets torchvision be imported beside a CPU build of torch; its Python is all that processors need.

    python tests/vision/torchvision_on_cpu.py

Builds of torchvision for CUDA are what package indexes have. Their compiled operators do not load without it, and
then the import ends at the first of two that its own Python only describes. Here these are declared, in the
installed package.
"""

from importlib.util import find_spec
from pathlib import Path

DECLARED = """import torch

_DECLARED = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _DECLARED.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""

spec = find_spec("torchvision")
if spec and spec.origin:
    file = Path(spec.origin).parent / "_meta_registrations.py"
    text = file.read_text()
    if "_DECLARED" not in text:
        file.write_text(DECLARED + text)

"""Several processes that make one update: the ranks that torchrun or accelerate launch started.

    torchrun --nproc-per-node 8 -m swr1 train-step grpo rewarded.jsonl --policy runs/kk

Every rank runs the same program. Only the lead (rank 0) reads records, holds the policy's
lock, writes and logs; its results go to the others by `first`. Each rank computes every n-th
micro-batch of the step, sums are taken over all ranks, and since the loss divides by global counts
the result is that of one process but for the order of additions.

"ddp" keeps all weights on every rank; "fsdp" (FSDP2, `fully_shard`) keeps a slice of the weights,
gradients and optimizer state and gathers a layer when it is computed.
"""

import atexit
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import MethodType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils._pytree import tree_map

from swr1.errors import SwrError, UsageError
from swr1.vision import vision_of

T = TypeVar("T")

KINDS = ["auto", "ddp", "fsdp"]
# Ranks wait for the lead, and the lead for records. A rank that dies is noticed by its launcher.
COLLECTIVE_TIMEOUT = timedelta(days=7)
# Elements of the gradients that are summed at once.
BUCKET = 2**25


class ProcessGroup:
    """The processes of one update; for a single process every method is the identity.

    Attributes: rank, size; lead: whether this is rank 0; sharded: whether the weights are (FSDP).
    """

    def __init__(self, rank: int = 0, size: int = 1, sharded: bool = False) -> None:
        self.rank, self.size, self.sharded = rank, size, sharded

    @property
    def lead(self) -> bool:
        return self.rank == 0

    def first(self, make: Callable[[], T]) -> T:
        """What `make` returns on the lead, on every rank (pickled).

        If it raises there, the lead raises, and the others exit silently with the same exit code.
        """
        if self.size == 1:
            return make()
        box: list[Any] = [None, None]
        if self.lead:
            try:
                box[0] = make()
            except BaseException as error:
                box[1] = getattr(error, "exit_code", 1)
                dist.broadcast_object_list(box, src=0)
                raise
        dist.broadcast_object_list(box, src=0)
        if box[1] is not None:
            raise SystemExit(box[1])
        return box[0]

    def share(self, cuts: Sequence[T]) -> Iterator[tuple[T, bool]]:
        """This rank's part of the micro-batches, each with whether it counts.

        Sharded weights need every rank in every forward pass: a rank without work repeats one that
        does not count.
        """
        for start in range(0, len(cuts), self.size):
            at = start + self.rank
            if at < len(cuts):
                yield cuts[at], True
            elif self.sharded:
                yield cuts[start], False

    def total(self, numbers: Sequence[float], how: str = "sum") -> list[float]:
        """The sums (or "max") over the ranks, float64."""
        if self.size == 1:
            return list(numbers)
        x = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(x, dist.ReduceOp.SUM if how == "sum" else dist.ReduceOp.MAX)
        return x.tolist()

    def merge(self, parts: dict[int, Tensor]) -> dict[int, Tensor]:
        """What all ranks computed, by index."""
        if self.size == 1:
            return parts
        boxes: list[Any] = [None] * self.size
        dist.all_gather_object(boxes, parts)
        return {i: part for box in boxes for i, part in box.items()}

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Make every rank's gradients the sum over the ranks, in place."""
        if self.size == 1:
            return
        if self.sharded:  # fully_shard has reduced them already, to the mean
            for p in parameters:
                if p.grad is not None:
                    p.grad.mul_(self.size)
            return
        bucket: list[Tensor] = []
        parameters = list(parameters)
        # What no rank has used (the vision tower, in a step of texts) has no gradient, as alone.
        used = self.total([p.grad is not None for p in parameters], "max")
        for p in (p for p, n in zip(parameters, used, strict=True) if n):
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            bucket.append(p.grad)
            if sum(g.numel() for g in bucket) >= BUCKET:
                _sum_in_place(bucket)
                bucket = []
        if bucket:
            _sum_in_place(bucket)


def _sum_in_place(gradients: list[Tensor]) -> None:
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    for g, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        g.copy_(part.view_as(g))


@contextmanager
def join(device: torch.device, kind: str = "auto") -> Iterator[ProcessGroup]:
    """The group of the ranks that a launcher started; a group of one where none did.

    Args:
        device: the device of this process; of several GPUs a rank takes the one of its LOCAL_RANK.
        kind: "ddp", "fsdp", or "auto": FSDP where accelerate's configuration asks for it.

    Raises UsageError for an unknown kind and SwrError when the ranks cannot meet.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown --parallel {kind!r}: it is {', '.join(KINDS)}")
    size = launched()
    if size == 1:
        yield ProcessGroup()
        return
    if kind == "auto":
        kind = "fsdp" if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" else "ddp"
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=COLLECTIVE_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise SwrError(f"the {size} processes of this update cannot meet: {first}") from error
    try:
        yield ProcessGroup(dist.get_rank(), size, kind == "fsdp")
    finally:
        dist.destroy_process_group()


def launched() -> int:
    """How many ranks a launcher started; 1 where none did."""
    return int(os.environ.get("WORLD_SIZE", 1))


def leave(code: Any) -> None:
    """End a rank with this exit code, without taking the interpreter down piece by piece.

    That can abort where all went well: a thread of torch.distributed may let go of its last tensor
    only then, and may no longer touch Python ("terminate called without an active exception").
    Alone, and where the code is a message, nothing happens.
    """
    if launched() > 1 and not isinstance(code, str):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def shard(model: Any, ranks: ProcessGroup, method: Callable[..., Any]) -> None:
    """Cut the weights of `model` over the ranks, layer by layer; nothing unless it is sharded.

    `method(model, ...)`, the way the model is called, becomes `model.<its name>`: sharded weights
    are whole only inside a call that FSDP knows of.
    """
    if not ranks.sharded:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(model.device.type, (ranks.size,))
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    model.swr1_sharded = True
    setattr(model, method.__name__, MethodType(method, model))
    register_fsdp_forward_method(model, method.__name__)


def call(model: Any, method: Callable[..., T]) -> Callable[..., T]:
    """`method` with its model, in the way that a sharded model must be called."""
    known = getattr(model, method.__name__, None)
    if known is None:
        return partial(method, model)

    def sharded(*arguments: Any, **options: Any) -> T:
        result = known(*arguments, **options)
        if not torch.is_grad_enabled():
            # Else the root's weights stay gathered, and the next gradient of them is lost.
            model.reshard()
        return result

    return sharded


def _layers(model: Any) -> Iterable[Any]:
    """The decoder layers: the longest list of modules. A vision tower's are not cut: a rank whose
    sequences have no pictures never calls them, and the others would wait for it."""
    decoder = model.get_decoder() if vision_of(model) else model
    lists = [m for m in decoder.modules() if isinstance(m, torch.nn.ModuleList)]
    return max(lists, key=len, default=[])


def whole(tree: Any) -> Any:
    """Every sharded tensor in `tree` gathered, on the CPU; all ranks must call it. Others stay."""
    from torch.distributed.tensor import DTensor

    return tree_map(lambda x: x.full_tensor().cpu() if isinstance(x, DTensor) else x, tree)


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """`value`, a whole tensor, cut over the ranks as `parameter` is, if it has its shape."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
        return value
    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements
    )


def finite(parameters: Iterable[Tensor], ranks: ProcessGroup) -> bool:
    """Whether all trained weights are finite, on every rank."""
    from torch.distributed.tensor import DTensor

    bad = 0
    for p in parameters:
        local = p.to_local() if isinstance(p, DTensor) else p
        bad += not bool(local.isfinite().all())
    return ranks.total([bad], "max") == [0]

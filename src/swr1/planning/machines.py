"""How GPUs are shared out: what fits into their memory, and which split of N GPUs is fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from swr1.errors import UsageError
from swr1.planning import costs
from swr1.planning.config import PlanConfig
from swr1.planning.shape import Shape

TRAIN_SHARE = 0.9  # of a GPU's memory; libraries and fragmentation take the rest
TRIED = 12  # sizes of the rollout side, of many GPUs
NODE = 8  # GPUs that one engine is cut over at most
MOST = 1024  # GPUs that are tried
SMALLEST_MICRO = 2048


@dataclass(frozen=True)
class Split:
    """GPUs of both sides, and what a training step does to fit into one.

    Attributes:
        per_replica: GPUs of one engine (tensor parallel). micro_tokens: of a forward pass.
    """

    rollout: int
    train: int
    per_replica: int
    fsdp: bool
    checkpointing: bool
    micro_tokens: int

    @property
    def gpus(self) -> int:
        return self.rollout + self.train

    def options(self) -> str:
        """As options of `swr1 plan`."""
        words = [f"--rollout-gpus {self.rollout} --train-gpus {self.train}"]
        if self.per_replica > 1:
            words.append(f"--gpus-per-replica {self.per_replica}")
        words += ["--fsdp"] * self.fsdp + ["--gradient-checkpointing"] * self.checkpointing
        if self.micro_tokens != costs.MICRO_TOKENS:
            words.append(f"--micro-tokens {self.micro_tokens}")
        return " ".join(words)


def asked(config: PlanConfig) -> Split | None:
    """The split that the options name; None: that is left to us.

    Raises UsageError for one that is impossible.
    """
    w = config
    named = w.rollout_gpus is not None or w.train_gpus is not None
    if w.gpus == 1:
        raise UsageError(
            "--gpus 1: a plan has a GPU for the rollout and another for the trainer, so at least 2. On"
            " one GPU they take turns (rollout --max-lag 0 --sleep): the time of each is the one of"
            " --rollout-gpus 1 --train-gpus 1, and the two add up"
        )
    if w.gpus is not None and named:
        raise UsageError(
            "--gpus tries all splits: give it, or the split (--rollout-gpus, --train-gpus)"
        )
    if w.gpus is not None or (not named and w.model is not None and not _measured(w)):
        return None
    rollout, train, per = w.rollout_gpus or 1, w.train_gpus or 1, w.gpus_per_replica or 1
    if rollout % per:
        raise UsageError(f"--rollout-gpus {rollout} is no multiple of --gpus-per-replica {per}")
    micro = w.micro_tokens or costs.MICRO_TOKENS
    return Split(rollout, train, per, bool(w.fsdp), bool(w.gradient_checkpointing), micro)


def _measured(w: PlanConfig) -> bool:
    return bool(w.from_run or w.rollout_speed or w.train_speed)


class Memory:
    """What a split needs of its GPUs, in bytes. Without a model's shape nothing is known."""

    def __init__(self, config: PlanConfig, shape: Shape | None, tokens: float) -> None:
        """`tokens`: of a prompt and a mean completion."""
        self.config, self.shape, self.tokens = config, shape, tokens
        known = shape is not None and config.from_run is None
        self.device = costs.gpu(config.gpu or costs.DEFAULT_GPU) if known else None

    def training(self, split: Split) -> dict[str, float]:
        """Of one rank, by what it is for. Raises UsageError for an unknown optimizer."""
        assert self.shape
        return self.shape.training_memory(
            micro_tokens=split.micro_tokens,
            dtype=self.config.dtype or "bfloat16",
            optimizer=self.config.optimizer or "adamw",
            ranks=split.train,
            sharded=split.fsdp,
            checkpointing=split.checkpointing,
            reference=self.config.reference,
        )

    def misfit(self, split: Split) -> str | None:
        """What does not fit, in one line; None where all fits, or nothing is known."""
        if self.device is None or self.shape is None:
            return None
        name, gib = self.config.gpu or costs.DEFAULT_GPU, costs.GIB
        need, have = self.training(split)["total"], self.device.memory
        if need > TRAIN_SHARE * have:
            return (
                f"training takes {need / gib:,.3g} GiB of each of its {split.train} GPUs;"
                f" {name} has {have / gib:.3g}, of which {TRAIN_SHARE:.0%} count"
            )
        try:
            costs.places(self.shape, self.device, split.per_replica, self.tokens)
        except UsageError as error:
            return str(error)
        return None


def splits(
    config: PlanConfig, gpus: int, memory: Memory, seconds: Callable[[Split], float]
) -> list[Split]:
    """The splits of `gpus` that fit, one way of training for each: the fastest by `seconds`."""
    found = []
    for rollout, per in _rollout_sizes(config, gpus, memory.shape):
        ways = list(trainings(config, Split(rollout, gpus - rollout, per, False, False, 0), memory))
        if ways:
            found.append(min(ways, key=seconds))
    return found


def trainings(config: PlanConfig, split: Split, memory: Memory) -> Iterator[Split]:
    """Ways to train on the GPUs of `split` that fit: FSDP or not, recomputed activations or not,
    as far as the options leave that open. Micro-batches get smaller only where nothing fits else."""
    both = (False, True)
    fsdp = both if config.fsdp is None else (config.fsdp,)
    again = both if config.gradient_checkpointing is None else (config.gradient_checkpointing,)
    if memory.shape is None:
        fsdp, again = fsdp[:1], again[:1]
    micro = config.micro_tokens or costs.MICRO_TOKENS
    while True:
        fit = [
            way
            for f in fsdp
            for c in again
            if not (f and split.train == 1)
            if not memory.misfit(way := replace(split, fsdp=f, checkpointing=c, micro_tokens=micro))
        ]
        yield from fit
        micro //= 2
        if fit or config.micro_tokens or micro < SMALLEST_MICRO or memory.shape is None:
            return


def _rollout_sizes(config: PlanConfig, gpus: int, shape: Shape | None) -> Iterable[tuple[int, int]]:
    """(GPUs for rollout, GPUs of one engine) that are tried."""
    heads = shape.heads if shape else 1
    powers = [p for p in (1, 2, 4, 8) if p <= NODE and heads % p == 0]
    sizes = [config.gpus_per_replica] if config.gpus_per_replica else powers
    for per in sizes:
        counts = list(range(per, gpus, per))
        if len(counts) > TRIED:
            counts = sorted({counts[round(i * (len(counts) - 1) / TRIED)] for i in range(TRIED)})
        yield from ((count, per) for count in counts)


def larger(gpus: int) -> Iterator[int]:
    """Numbers of GPUs to try where `gpus` are too few."""
    count = 2
    while count <= MOST:
        if count > gpus:
            yield count
        count = count + 1 if count < NODE else count + NODE if count < 64 else 2 * count

"""The rollout stage as a whole: its parts, with the engine, a stage and, through it, the trainer."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from swr1.engines import IMPLIED, REGISTRY, Engine, Flow, Sampling, known_options, open_engine
from swr1.engines.continuing import ContinuingEngine
from swr1.errors import DataError, UsageError
from swr1.guidance.engine import GuidedEngine
from swr1.guidance.guide import Guide, load_guide
from swr1.guidance.options import GuideOptions
from swr1.guidance.scoring import Scorer, open_scorer
from swr1.policy import marker_of
from swr1.prompts import Prompts, load_prompt, parse_arguments
from swr1.prompts.unknown import Unknown
from swr1.rollout.blocks import rollout
from swr1.rollout.config import RolloutConfig
from swr1.rollout.curriculum import Curriculum
from swr1.rollout.flow import InFlight
from swr1.rollout.follower import PolicyFollower
from swr1.rollout.order import Order
from swr1.rollout.prefixes import Prefixes
from swr1.rollout.prompt_stream import PromptStream
from swr1.rollout.requests import Requests
from swr1.rollout.writer import GroupWriter
from swr1.streams import Stage
from swr1.streams.reading import count_lines
from swr1.streams.stage import default_threads
from swr1.tools.loop import ToolEngine
from swr1.tools.options import ToolOptions
from swr1.tools.running import Tools, digests, open_tools
from swr1.window import ORDERS, Window

# Engine options whose defaults are named in a record's trail, too.
SHAPING = {"dtype": "auto", "recorded": (), "vllm": ()}
IN_FLIGHT = "in-flight"
WEIGHTS = (IN_FLIGHT, "between")
SILENCE_LIMIT = 1.0  # seconds after which a block that is not full begins, in a pipe


class Rollout:
    """A rollout of given options; `run` does it, with a stage that is open.

    Args:
        config: which prompts, in what order, and whose pace.
        sampling: how tokens are drawn; its seed is that of every draw here.
        engine_options: the options of the engine that were given. An "auto" that the engine does
            not know is left out; any other option that it does not know is refused.
        tools: what the policy may call; `run` opens them.
        guidance: how the next step is chosen.

    Raises UsageError for options that do not go together, before anything heavy is loaded.
    """

    def __init__(
        self,
        config: RolloutConfig,
        sampling: Sampling | None = None,
        engine_options: Mapping[str, Any] | None = None,
        tools: ToolOptions | None = None,
        guidance: GuideOptions | None = None,
    ) -> None:
        self.config, self.sampling = config, sampling or Sampling()
        self.guide: Guide | None = None
        self.guidance = self._guidance(guidance or GuideOptions())
        if tools and not tools.tools and tools != ToolOptions():
            raise UsageError("--tools is missing: what may the policy call? (--tools search, say)")
        self.tools = tools if tools and tools.tools else None
        self.engine_options = dict(engine_options or {})
        given = load_prompt(config.system_prompt) if config.system_prompt else None
        arguments = parse_arguments(config.template)
        implied = (name for option, name in IMPLIED.items() if self.engine_options.get(option))
        self.engine = config.engine or next(implied, "hf")
        if config.policy is None and self._needs_policy():
            of = "which policy or model completes the prompts?"
            if self.engine_options.get("url"):
                of = (
                    "the policy folder or model that --url serves: its tokenizer writes the prompts"
                    " (under another name there: --served-model NAME)"
                )
            raise UsageError(f"--policy is missing: {of}")
        self._check_keep_sets()
        self._check_in_flight()
        fixed = getattr(self._engine_class(), "fixed_weights", False)
        if config.max_lag is not None and fixed and not self.engine_options.get("reload"):
            known = known_options(self.engine)
            how = (
                "says how with --reload"
                if "reload" in known
                else "cannot: use hf, vllm, or openai with --reload"
            )
            raise UsageError(
                f"--max-lag needs new weights all the time: the engine {self.engine!r} {how}"
            )
        served = self.engine != "hf" and not getattr(self._engine_class(), "loads_policy", False)
        self.follower = PolicyFollower(config.policy, config.max_lag, config.wait, served)
        self.prompts = Prompts(
            given,
            policy=marker_of(self.follower.folder),
            name=config.policy or "",
            prefill=config.prefill,
            arguments=arguments,
        )
        if config.curriculum and config.max_lag is None:
            raise UsageError("--curriculum goes by what train-step learns: use it with --max-lag")
        where = config.resume_from
        self.prefixes = Prefixes.of(where, config.steps) if where is not None else None
        if self.prefixes and config.curriculum:
            raise UsageError("--continue and --curriculum do not go together")

    def _check_keep_sets(self) -> None:
        if not self.engine_options.get("keep_sets"):
            return
        if not self.sampling.cuts or self.sampling.temperature == 0:
            raise UsageError(
                "--keep-sets: nothing is cut; it goes with --top-p, --top-k or --min-p"
            )
        if self.tools or self.guidance or self.config.resume_from is not None:
            raise UsageError("--keep-sets does not go with --tools, --guide or --continue yet")

    def _check_in_flight(self) -> None:
        """Raises UsageError for options that speak of new weights where none come."""
        config = self.config
        known = {"weights": WEIGHTS, "order": ORDERS}
        for name, values in known.items():
            if getattr(config, name) not in (None, *values):
                raise UsageError(
                    f"--{name} is {' or '.join(values)}, not {getattr(config, name)!r}"
                )
        asked = {
            "--weights in-flight": config.weights == IN_FLIGHT,
            "--recompute-cache": config.recompute_cache,
            "--order finished": config.order == "finished",
        }
        if option := next((name for name, given in asked.items() if given), None):
            if not config.max_lag:
                raise UsageError(
                    f"{option} needs --max-lag 1 or more: else no version comes with completions under way"
                )
            if config.weights == "between":
                raise UsageError(f"{option} and --weights between do not go together")

    def _guidance(self, options: GuideOptions) -> GuideOptions | None:
        options.check()
        if not options.on:
            return None
        if self.config.max_lag is not None:
            raise UsageError(
                "--guide and --max-lag: RL needs samples of the policy, not guided ones"
            )
        if self.sampling.temperature == 0:
            raise UsageError("--guide needs --temperature above 0: else all candidates are one")
        if options.guide:
            self.guide = load_guide(options.guide)
        return options

    def _engine_class(self) -> Any:
        return REGISTRY.get(self.engine)

    def _needs_policy(self) -> bool:
        # The engine hf is not imported here: that would import torch, seconds before the error.
        return self.engine == "hf" or getattr(self._engine_class(), "needs_policy", True)

    def facts(self) -> dict[str, Any]:
        """What shapes the records beside the options that were given.

        That is the version, where it stays the same, the system prompt and the defaults of some engine
        options.
        """
        shaping = {
            name: self.engine_options.get(name, default) for name, default in SHAPING.items()
        }
        shaping["engine"] = self.engine
        if self.config.max_lag is None:
            shaping["policy_version"] = self.follower.version
            shaping["system_prompt"] = self.prompts.facts() or "by task"
        if self.tools and (sources := digests(self.tools)):
            shaping["tool_sources"] = sources
        if self.guide:
            shaping["guide_digest"] = self.guide.digest
        return shaping

    def open_engine(self) -> Engine:
        """The engine, on the version that is the newest now."""
        name, options = self.engine, dict(self.engine_options)
        known = known_options(name)
        if "follow" in known:
            options["follow"] = self.config.max_lag is not None
        if "threads" in known:
            options["threads"] = options.get("threads") or default_threads()
        options = {n: value for n, value in options.items() if n in known or value != "auto"}
        return open_engine(name, self.follower.folder, **options)

    def run(self, stage: Stage) -> None:
        """Complete the prompts that `stage` reads and write them to it.

        With `max_lag` a trainer must be at the other end. Raises what PolicyFollower.follow and
        PolicyFollower.admit raise; what stage.drop raises for a prompt that cannot be completed.
        """
        _warn_of_empty_shards(stage)
        with ExitStack() as stack:
            tools = stack.enter_context(open_tools(self.tools)) if self.tools else None
            scorer = stack.enter_context(open_scorer(self.guide)) if self.guide else None
            _Running(self, stage, tools, scorer).run()


def _warn_of_empty_shards(stage: Stage) -> None:
    """Say it where there are more shards than blocks of prompts, before an engine is opened."""
    shards, block = (stage.shard or (0, 1))[1], stage.block
    if shards == 1:
        return
    enough = (shards - 1) * block + 1  # then every shard has some
    count = count_lines(stage.inputs or ("-",), enough)
    if count is not None and count < enough:
        blocks = -(-count // block)
        smaller = f" or --batch {count // shards}" if count >= shards else ""
        stage.say(
            f"warning: {count} prompts are {count / block:.3g} blocks of {block} (--batch), so some of"
            f" {shards} shards have none: use at most {blocks} shards{smaller}"
        )


class _Running:
    """A rollout at work: its parts, and how they are connected."""

    def __init__(
        self, job: Rollout, stage: Stage, tools: Tools | None = None, scorer: Scorer | None = None
    ) -> None:
        self.job, self.stage, self.follower = job, stage, job.follower
        config = job.config
        self.writer = GroupWriter(stage, config.samples)
        # When there is nothing to train, the stages after this one learn that nothing failed.
        self.used = used = self.follower.follow(self.writer.wait)
        following = config.max_lag is not None
        if following and (before := self.follower.note_batch(config.batch, used)):
            stage.say(
                f"warning: --batch was {before} when this run began and is {config.batch} now: what"
                " is computed together differs, so the weights will not be those of an unbroken"
                f" run, bit for bit (they will be with --batch {before})"
            )
        self.engine: Any = job.open_engine()
        self.flow: Flow | None = None
        job.prompts.say = stage.say
        tokenizer = getattr(self.engine, "tokenizer", None)
        self.unknown = Unknown(tokenizer, config.max_unknown, stage.say)
        if tools and job.tools:
            self.engine = ToolEngine(self.engine, tools, job.tools)
        elif job.prefixes or job.guidance:
            whose = "--continue" if job.prefixes else "--guide"
            self.engine = ContinuingEngine(self.engine, whose)
        if job.guidance:
            self.engine = GuidedEngine(self.engine, job.guidance, job.guide, scorer)
        else:
            self.flow = self._open_flow()
        seed, policy = job.sampling.seed, self.follower.policy
        self.order = None
        if following and policy and not config.curriculum:
            self.order = Order.of(policy.path, used, config.order)
        self.prompts = (
            Curriculum(stage, config.epochs, seed, self.follower, config.by, self.fits)
            if config.curriculum
            else PromptStream(
                stage,
                config.epochs,
                seed if config.shuffle else None,
                used,
                self.fits,
                job.prefixes,
                self.order,
            )
        )
        self.make = Requests(
            self.engine,
            job.prompts,
            config.samples,
            job.sampling,
            config.policy or job.engine,
            self.prompts.epoch_of,
            stage,
            self.refuse,
            self.unknown,
            job.prefixes is not None,
        )

    def _open_flow(self) -> Flow | None:
        """What takes new weights with completions under way, where that is wanted and can be."""
        config, open_flow = self.job.config, getattr(self.engine, "flow", None)
        if not config.max_lag or config.weights == "between":
            return None
        flow = open_flow and open_flow(
            self.job.sampling, self.follower.version, config.recompute_cache
        )
        if flow is None and (config.weights or config.recompute_cache or config.order != "input"):
            raise UsageError(
                f"the engine {self.job.engine!r} cannot take new weights with completions under way here:"
                " leave out --weights, --recompute-cache and --order"
            )
        return flow

    def run(self) -> None:
        stage = self.stage
        following = self.job.config.max_lag is not None
        write = self.writer.write if following else stage.write
        began = time.monotonic()
        try:
            if self.flow:
                self._run_in_flight(self.flow)
            else:
                for record in self._blocks():
                    write(record)
            self.writer.flush()
            self.unknown.report()
        finally:
            for name, of in (("requests", "counts"), ("calls of tools", "calls")):
                counts = getattr(self.engine, of)() if hasattr(self.engine, of) else {}
                if counts:
                    stage.tallies[name].update(counts)
            if hasattr(self.engine, "summary"):
                for line in self.engine.summary().splitlines():
                    stage.say(line)
            if following:
                self._report(time.monotonic() - began)
        self.prompts.close(self.job.config.samples)

    def _blocks(self) -> Iterator[dict]:
        config, stage = self.job.config, self.stage
        return rollout(
            self.prompts,
            self.make,
            admit=self.admit,
            refresh=lambda: self.follower.version,
            prompts_per_block=config.batch,
            # With a file, the blocks of each run are the same; a pipe's reader must not wait.
            silence_limit=SILENCE_LIMIT if stage.output == "-" else math.inf,
        )

    def _run_in_flight(self, flow: Flow) -> None:
        # The bound on lag bounds what is on its way, so no completion need wait for a busy reader.
        self.stage.writer.wait_never()
        self.in_flight = InFlight(
            self.prompts,
            self.make,
            flow,
            self.follower,
            Window(self.used, self.job.config.order),
            at_once=self.job.config.batch if flow.crowds else math.inf,
            leave=self.note,
            rest=self.writer.wait,
        )
        for group in self.in_flight:
            for record in group:
                self.writer.write(record)
            self.writer.flush()

    def _report(self, seconds: float) -> None:
        """Say how much of its time the engine was idle."""
        working = self.in_flight.working if self.flow else self.make.working
        idle = max(0.0, seconds - working)
        self.stage.tallies["seconds"].update({"idle": round(idle, 1), "at work": round(working, 1)})  # type: ignore[dict-item]
        self.stage.say(f"the engine was idle {idle / max(seconds, 1e-9):.0%} of {seconds:.0f} s")
        if self.flow and (line := self.in_flight.summary()):
            self.stage.say(line)

    def note(self, record: Any) -> None:
        """A prompt's group leaves next, in flight. (Blocks leave in order, which needs no note.)"""
        if self.order:
            self.order.note(record.number)

    def fits(self, record: Any) -> bool:
        """Whether a prompt can be completed. With a curriculum, one that cannot is dropped here."""
        try:
            prompt = self.job.prompts.of(record)
            self.engine.request((record["id"], 0, 0), record["prompt"], prompt)
        except DataError as error:
            if self.job.config.curriculum:  # else it is dropped when its turn comes
                self.stage.drop(error.reason, record.location, record)
            return False
        return True

    def admit(self, size: int) -> int:
        """How many of `size` prompts may start, once they may; finished records are written before."""
        # No waiting at the end of the input: the trainer may be waiting for it.
        if self.prompts.more():
            size = self.follower.admit(self.engine, self.prompts.given, size, self.rest)
        self.writer.flush()
        return size

    def rest(self) -> None:
        """The rollout waits until the trainer has made progress; the engine may free memory."""
        if hasattr(self.engine, "rest"):
            self.engine.rest()  # before the trainer reads that it is its turn
        self.writer.wait()

    def refuse(self, record: Any, error: DataError) -> None:
        """Drop a prompt that cannot be completed."""
        self.prompts.lose(record)
        self.stage.drop(error.reason, record.location, record)

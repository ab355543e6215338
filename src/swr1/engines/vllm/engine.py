"""The engine for GPU boxes: vLLM in this process, with its continuous batching.

    swr1 rollout puzzles.jsonl --policy Qwen/Qwen2.5-7B-Instruct --samples 8 --engine vllm \\
        --tensor-parallel 2 -o rollouts.jsonl

vLLM schedules, batches and caches; what is done here keeps our promises around it. Token ids go in
and come out, and text is made of them by our own rule; stop strings end after a token, not within
it; each sample has a seed made of (seed, id, epoch, sample). New weights are read into the running
engine, between completions and never within one.

vLLM's processes write to a log of their own: standard output belongs to the records.
"""

import asyncio
import atexit
import itertools
import signal
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from swr1.engines import Completion, Request, Sampling, all_good, check_room, random_stream
from swr1.engines.vllm.flow import UnderWay, VLLMFlow
from swr1.engines.vllm.options import VLLMOptions
from swr1.engines.vllm.plain import (
    ADAPTER,
    DTYPES,
    Source,
    StopStrings,
    check_sampling,
    explain,
    extra_arguments,
)
from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_tokenizer, load_vision, trusted
from swr1.prompts import Prompt
from swr1.prompts.decoding import Decoder
from swr1.terminal import say
from swr1.vision import Vision

T = TypeVar("T")

MISSING = (
    "the engine vllm needs vLLM, which is not installed: pip install 'swr1[vllm]' (Linux, a GPU);"
    " elsewhere use --engine hf, or --engine openai with a server"
)
WORK_TIMEOUT = 600.0  # seconds for what is in flight to end, and for weights to be read
DEFAULTS = VLLMOptions()


class VLLMEngine:
    """A model in vLLM's asynchronous engine.

    Args:
        folder: a model folder with its tokenizer, a hub name, or the folder of a LoRA adapter,
            which is served on its base without merging.

    Raises UsageError for an impossible option and SwrError for a model that cannot be served.
    """

    name = "vllm"
    loads_policy = True
    Options = VLLMOptions

    def __init__(self, folder: str | Path, options: VLLMOptions = DEFAULTS) -> None:
        _check(options)
        self.options = options
        self.library = _library()
        known = [f.name for f in fields(self.library.AsyncEngineArgs)]
        self._arguments: dict[str, Any] = {
            "tensor_parallel_size": options.tensor_parallel,
            "pipeline_parallel_size": options.pipeline_parallel,
            "data_parallel_size": options.data_parallel,
            "gpu_memory_utilization": options.gpu_memory,
            "max_model_len": options.context,
            "quantization": options.quantization,
            "enable_sleep_mode": options.sleep or None,
            "enable_prefix_caching": True,  # a group's prompt is computed once
            "worker_extension_cls": "swr1.engines.vllm.worker.Worker",
            "disable_log_stats": True,
            **self.library.defaults(),
        } | extra_arguments(options.vllm, known)
        self.version = self.library.VERSION
        self.stream = None if options.follow else self._stream
        self._asleep, self._keep_log, self._lora = False, False, None
        self._taken, self._taking = 0, 0.0  # versions, and the seconds that cost
        self._completed = 0
        self.salt: str | None = None  # see flow.py
        self._tasks: set[asyncio.Task] = set()
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(options.in_flight)
        self._llm: Any = None
        self.vision: Vision | None = None
        self.source = Source.of(folder)
        self.log = Path(tempfile.mkstemp(prefix="swr1-vllm-", suffix=".log")[1])
        threading.Thread(target=self._run, daemon=True).start()
        atexit.register(self.close)
        try:
            self._start(self.source)
        except BaseException:
            self.close()
            raise

    def _run(self) -> None:
        # A socket that vLLM closes must not look like the stage's reader that left.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _start(self, source: Source) -> None:
        library, dtype = self.library, self.options.dtype
        if dtype == "auto" and not self._arguments["quantization"]:
            dtype = library.auto_dtype(source.base)
        self.tokenizer = load_tokenizer(source.tokenizer)
        vision, before = load_vision(source.base, self.tokenizer), self.vision
        if vision and before:
            vision.opener = before.opener
        self.vision = vision
        self._forbidden = dict.fromkeys(vision.forbidden, float("-inf")) if vision else None
        lora = {"enable_lora": True, "max_lora_rank": source.max_rank} if source.adapter else {}
        arguments = {
            "model": source.base,
            "dtype": dtype,
            "trust_remote_code": trusted(),
            "logprobs_mode": "processed_logprobs",
            "skip_tokenizer_init": not self.vision,  # ids in, ids out; pictures need marks around them
            "generation_config": "vllm",  # no sampling defaults of the folder's; ends are ours
            **{k: v for k, v in self._arguments.items() if v is not None},
            **lora,
        }
        with library.logging_to(self.log):
            try:
                engine_arguments = library.AsyncEngineArgs(**arguments)
                self._llm = library.AsyncLLM.from_engine_args(engine_arguments)
                if vision:
                    library.take_image_processor(self._llm, vision.processor)
            except Exception as error:
                raise self._failure(error) from error
        config = self._llm.model_config
        self.pictures = vision.facts if vision else None
        self.context = config.max_model_len
        quantized = f" {config.quantization}" if config.quantization else ""
        self.dtype = str(config.dtype).removeprefix("torch.") + quantized
        self._decode = Decoder(self.tokenizer)
        self._ends = library.end_tokens(source.base, self.tokenizer)
        self._asleep, self._max_rank = False, source.max_rank
        if source.adapter:
            try:
                self._wait(self._serve_adapter(source.adapter), "for the adapter")
            except Exception as error:
                raise self._failure(error) from error

    def _failure(self, error: BaseException) -> BaseException:
        if isinstance(error, SwrError):
            return error
        log = self.log.read_text(errors="replace")[-50_000:] if self.log.exists() else ""
        failure = explain(f"{log}\n{type(error).__name__}: {error}", str(self.log))
        self._keep_log |= str(self.log) in str(failure)
        return failure

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[Any, Any, T], what: str) -> T:
        try:
            return self._submit(work).result(WORK_TIMEOUT)
        except TimeoutError:
            raise SwrError(
                f"vllm: waited {WORK_TIMEOUT:g} s {what} (its log: {self.log})"
            ) from None

    async def _finish(self) -> None:
        """Wait until nothing is in flight."""
        while tasks := set(self._tasks):
            await asyncio.wait(tasks)

    @property
    def unfinished(self) -> int:
        """Requests in flight, here or in vLLM."""
        if self._llm is None:
            return 0
        return len(self._tasks) + self._llm.output_processor.get_num_unfinished_requests()

    def load(self, folder: str | Path) -> None:
        """Take the weights in `folder`, after what is in flight has ended under the old ones.

        In place when it is the same model, or another adapter on the same base. Otherwise, and
        where vLLM cannot, the engine is started again, and standard error says so.
        """
        if not any((Path(folder) / name).is_file() for name in ("config.json", ADAPTER)):
            raise SwrError(f"cannot load a model from {str(folder)!r}: it is gone, or no model")
        source, old = Source.of(folder), self.source
        self._wait(self._finish(), "for what is in flight to end")
        started = time.monotonic()
        same = source.shape == old.shape and bool(source.adapter) == bool(old.adapter)
        if self._llm is None:
            self._restart(source, "it ended")
        elif not same or source.max_rank > self._max_rank:
            why = "an adapter of a greater rank" if same else "another model"
            self._restart(source, f"{source.folder} is {why}")
        else:
            try:
                self._wait(self._take(source), "for the new weights")
            except Exception as error:
                self._restart(source, f"it could not take new weights in place ({error})")
        self.source = source
        self.count_taken(time.monotonic() - started)

    def count_taken(self, seconds: float) -> None:
        """Count a version that was taken."""
        self._taken += 1
        self._taking += seconds

    async def _take(self, source: Source) -> None:
        """Load the weights of `source` in place; wakes an engine that sleeps."""
        asleep, self._asleep = self._asleep, False
        if source.adapter:
            if asleep:
                await self._llm.wake_up()
            await self._serve_adapter(source.adapter)
            return
        if asleep:
            await self._llm.wake_up(tags=["weights"])
        await self._llm.collective_rpc("take_weights", args=(source.base,))
        if asleep:
            await self._llm.wake_up(tags=["kv_cache"])
        if self.vision:  # features of the old vision tower
            await self._llm.reset_encoder_cache()
        for pause in (0.02, 0.1, 1.0):  # blocks of what just ended may still be on their way back
            if await self._llm.reset_prefix_cache():
                return
            await asyncio.sleep(pause)
        raise RuntimeError("the cache of the old weights is still in use")

    async def _serve_adapter(self, folder: str) -> None:
        """Complete requests with this adapter, in place of the one before it."""
        number = next(self._numbers)
        lora = self.library.LoRARequest(f"adapter-{number}", number, folder)
        await self._llm.add_lora(lora)
        old, self._lora = self._lora, lora
        if old:
            await self._llm.remove_lora(old.lora_int_id)

    def _restart(self, source: Source, why: str) -> None:
        say("swr1 rollout", f"vllm is started again: {why}")
        started = time.monotonic()
        self._shut_down()
        self._start(source)
        took = time.monotonic() - started
        say("swr1 rollout", f"vllm has started again ({took:.0f} s)")

    def rest(self) -> None:
        """The stage waits for a version now: with `sleep`, the GPU's memory is free until then."""
        if self.options.sleep and not self._asleep:
            # A new version replaces all weights, so none are kept; an adapter's base is kept in RAM.
            level = 1 if self.source.adapter else 2
            self._wait(self._llm.sleep(level), "for the engine to sleep")
            self._asleep = True

    def _wake(self) -> None:
        if self._asleep:
            self._wait(self._take(self.source), "for the engine to wake")

    def request(self, key: tuple[str, int, int], messages: list[dict], prompt: Prompt) -> Request:
        """The request for one sample. DataError if the prompt has pictures that cannot be opened, or
        that the model does not take, or if it leaves no room."""
        request = Request.of(key, self.tokenizer, messages, prompt, self.vision)
        if not request.prompt_ids:
            raise DataError(f"record {key[0]!r}: the prompt is empty")
        limited = self._arguments["max_model_len"]
        check_room(request, self.context, "the --context is" if limited else "the model has")
        return request

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order; raises SwrError if the model yields NaN."""
        return all_good(self._stream(requests, sampling))

    def _stream(
        self, requests: Iterable[Request | None], sampling: Sampling
    ) -> Iterator[Completion | DataError]:
        """A completion, or the error it came to, per request in their order; at None, what is done.

        Four times as many requests are begun as may be in flight, so that a long one does not
        stop the others: what they gave waits for it.
        """
        check_sampling(sampling)
        stop = StopStrings(sampling.stop, self._decode) if sampling.stop else None
        self._wake()
        begun: deque[Future[Completion | DataError]] = deque()
        try:
            for request in requests:
                if request is not None:
                    begun.append(self._submit(self._complete(request, sampling, stop)))
                while begun and (begun[0].done() or len(begun) >= 4 * self.options.in_flight):
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            if begun and self._loop.is_running():  # the consumer had enough, or one failed
                for future in begun:
                    future.cancel()
                self._wait(self._finish(), "for what was cancelled")

    def flow(self, sampling: Sampling, version: int, recompute: bool) -> VLLMFlow | None:
        """Completions under way, which new weights may meet (see swr1.engines.Flow); None with an
        adapter, whose weights vLLM holds for the requests that it began with, and with --sleep."""
        if self.source.adapter or self.options.sleep:
            return None
        check_sampling(sampling)
        return VLLMFlow(self, sampling, version, recompute)

    async def _complete(
        self,
        request: Request,
        sampling: Sampling,
        stop: StopStrings | None,
        under_way: UnderWay | None = None,
    ) -> Completion | DataError:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            async with self._slots:
                while True:
                    made = await self._ask(request, sampling, stop, under_way)
                    if made is not None:
                        return made
        except (self.library.VLLMValidationError, ValueError) as error:
            return DataError(f"record {request.key[0]!r}: vLLM refused it: {error}")
        except DataError as error:  # a picture that was there when the request was made
            return DataError(f"record {request.key[0]!r}: {error.reason}", error.location)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise self._failure(error.__cause__ or error) from error
        finally:
            self._tasks.discard(task)

    async def _ask(
        self,
        request: Request,
        sampling: Sampling,
        stop: StopStrings | None,
        under_way: UnderWay | None,
    ) -> Completion | None:
        """None where it is to be asked for again."""
        ids: list[int] = []
        scores: list[float] = []
        name = f"{next(self._numbers)}"
        if under_way:
            under_way.name, under_way.again = name, False
        written = self._llm.generate(
            self.library.prompt(request.prompt_ids, self._pictures(request), self.salt),
            self._parameters(request, sampling, whole=stop is None),
            name,
            lora_request=self._lora,
        )
        reason = None
        async for output in written:
            if len(output.prompt_token_ids) != request.length:
                raise SwrError(
                    f"record {request.key[0]!r}: vLLM reads the prompt as"
                    f" {len(output.prompt_token_ids)} tokens, and a trainer would as"
                    f" {request.length}: its image processor makes other pictures of them"
                )
            [made] = output.outputs
            if under_way and under_way.again:
                break
            seen = len(ids)
            ids += made.token_ids
            scores += made.logprobs.logprobs
            reason = made.finish_reason
            if stop and (end := stop.find(ids, seen)) is not None:
                del ids[end:], scores[end:]
                reason = "stop"
                break
        await written.aclose()
        if under_way and under_way.again:
            return None
        if reason not in ("stop", "length"):
            raise SwrError(f"vllm ended a completion with {reason!r} (its log: {self.log})")
        logprobs = np.array(scores, dtype=np.float32)
        if not np.isfinite(logprobs).all():
            raise SwrError("the model gave NaN: its weights have diverged, or dtype is too narrow")
        [text] = self._decode([ids])
        self._completed += 1
        return Completion(ids, logprobs, reason, text)

    def _pictures(self, request: Request) -> list[tuple[str, Any]]:
        """Digests and pictures of a prompt, opened again: a queue of requests holds no pixels."""
        if not self.vision:
            return []
        return [(p.digest, self.vision.image(p)) for p in request.pictures]

    def _parameters(self, request: Request, sampling: Sampling, whole: bool) -> Any:
        """vLLM's parameters for one request; `whole`: what is written comes at its end."""
        kinds = self.library.RequestOutputKind
        seed = None
        if sampling.temperature > 0:
            seed = int(random_stream(sampling.seed, request).integers(2**31))
        return self.library.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            max_tokens=min(request.limit(sampling), self.context - request.length),
            logit_bias=self._forbidden,
            seed=seed,
            stop_token_ids=self._ends,
            logprobs=0,  # of the token that was drawn
            flat_logprobs=True,
            detokenize=False,
            output_kind=kinds.FINAL_ONLY if whole else kinds.DELTA,
        )

    def summary(self) -> str:
        """For people: what serves them, and what new versions cost."""
        summary = f"vllm {self.version}, {self.dtype}, context {self.context:,}"
        if self._taken:
            summary += f"; {self._taken} versions taken, {self._taking / self._taken:.2f} s each"
        return summary

    def counts(self) -> Counter[str]:
        """Completions, for the metrics."""
        return Counter(ok=self._completed)

    def _shut_down(self) -> None:
        llm, self._llm, self._lora = self._llm, None, None
        if llm is not None:
            llm.shutdown()

    def close(self) -> None:
        """End vLLM's processes. The engine is of no use afterwards."""
        atexit.unregister(self.close)
        self._shut_down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        if not self._keep_log:
            self.log.unlink(missing_ok=True)


def _check(options: VLLMOptions) -> None:
    if options.dtype not in DTYPES:
        raise UsageError(f"dtype must be one of {', '.join(DTYPES)}, not {options.dtype!r}")
    for name in ("tensor_parallel", "pipeline_parallel", "data_parallel", "in_flight", "context"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    share = options.gpu_memory
    if share is not None and not 0 < share <= 1:
        raise UsageError(f"gpu_memory is a share above 0 and at most 1, not {share}")


def _library() -> Any:
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{MISSING} ({error})") from None
    from swr1.engines.vllm import library

    return library

"""Let a policy complete prompts: groups of samples with their token ids and log-probabilities."""

from typing import Annotated, Any

import typer

from swr1.commands._stage import stage_command

ENGINE, SAMPLING, ASYNC = "Engine", "Sampling", "Training at the other end of the pipe"
SERVED = "The engine openai: any OpenAI-compatible server"
VLLM = "The engine vllm: continuous batching on GPUs"
# Where and how requests go; what comes back does not depend on it.
WHERE = ("url", "in_flight", "timeout", "retry_for", "key_env", "key_file", "price", "reload")
PARALLEL = ("tensor_parallel", "pipeline_parallel", "data_parallel", "gpu_memory", "sleep")


@stage_command(quiet_options=("threads", "device", "wait", *WHERE, *PARALLEL))
def command(
    open_stage,
    policy: Annotated[
        str | None, typer.Option(help="Policy folder, model folder or hub name.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Completions per prompt (a group).", min=1)] = 1,
    system_prompt: Annotated[
        str, typer.Option(help="logic-rl, logic-rl-terse, none, or a file (.txt, .toml).")
    ] = "logic-rl",
    prefill: Annotated[
        str | None,
        typer.Option(help="How the assistant's turn is opened; default: as the prompt says."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Times round the input files.", min=1)] = 1,
    shuffle: Annotated[bool, typer.Option(help="Another order in each epoch, by --seed.")] = False,
    temperature: Annotated[
        float, typer.Option(help="0 is greedy.", rich_help_panel=SAMPLING)
    ] = 1.0,
    top_p: Annotated[float, typer.Option(rich_help_panel=SAMPLING)] = 1.0,
    top_k: Annotated[int, typer.Option(help="0: off.", rich_help_panel=SAMPLING)] = 0,
    min_p: Annotated[float, typer.Option(rich_help_panel=SAMPLING)] = 0.0,
    max_tokens: Annotated[
        int, typer.Option(help="Longest completion.", rich_help_panel=SAMPLING)
    ] = 1024,
    stop: Annotated[
        list[str], typer.Option(help="End a completion at this text.", rich_help_panel=SAMPLING)
    ] = (),  # type: ignore[assignment]
    seed: Annotated[
        int, typer.Option(help="With id, epoch and sample: the draw.", rich_help_panel=SAMPLING)
    ] = 0,
    engine: Annotated[
        str,
        typer.Option(help="hf, vllm, openai, replay, or ./mine.py:Engine.", rich_help_panel=ENGINE),
    ] = "hf",
    recorded: Annotated[
        list[str],
        typer.Option(
            help="For the engine replay: completed records to answer from.", rich_help_panel=ENGINE
        ),
    ] = (),  # type: ignore[assignment]
    dtype: Annotated[
        str, typer.Option(help="float32, bfloat16 or auto.", rich_help_panel=ENGINE)
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...", rich_help_panel=ENGINE)] = (
        "auto"
    ),
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads; default: 1 in a pipe, else all.", rich_help_panel=ENGINE),
    ] = None,
    batch: Annotated[
        int, typer.Option(help="Prompts that are worked on together.", rich_help_panel=ENGINE)
    ] = 16,
    url: Annotated[
        list[str],
        typer.Option(
            help="Base URL, such as http://localhost:8000/v1. Several: by load, with fail-over.",
            rich_help_panel=SERVED,
        ),
    ] = (),  # type: ignore[assignment]
    send: Annotated[
        str | None,
        typer.Option(
            help="ids (rendered here, if --policy is a folder), text, or messages (else).",
            rich_help_panel=SERVED,
        ),
    ] = None,
    served_model: Annotated[
        str | None,
        typer.Option(help="What the server calls the model.", rich_help_panel=SERVED),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="vllm, sglang, llamacpp, llamacpp-python, openai or plain; default: it is asked.",
            rich_help_panel=SERVED,
        ),
    ] = None,
    server_logprobs: Annotated[
        str | None,
        typer.Option(
            help="raw, or processed (vLLM with --logprobs-mode processed_logprobs).",
            rich_help_panel=SERVED,
        ),
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option(
            help="Requests at a time, in all; default 64 (vllm: 1024).", rich_help_panel=SERVED
        ),
    ] = None,
    per_request: Annotated[
        int | None,
        typer.Option(
            help="Samples asked for in one request; default 1, each with its own seed.",
            rich_help_panel=SERVED,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds for one attempt; default 600.", rich_help_panel=SERVED),
    ] = None,
    retry_for: Annotated[
        float | None,
        typer.Option(help="Seconds to keep trying; default 600.", rich_help_panel=SERVED),
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(
            help="Environment variable with the key; default OPENAI_API_KEY, if set.",
            rich_help_panel=SERVED,
        ),
    ] = None,
    key_file: Annotated[
        str | None, typer.Option(help="File with the key.", rich_help_panel=SERVED)
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(
            help="IN,OUT per million tokens: the summary tells the cost.", rich_help_panel=SERVED
        ),
    ] = None,
    reload: Annotated[
        str | None,
        typer.Option(
            help="How servers get new weights, for --max-lag: vllm (in place), or a command in"
            " which {folder} and {url} are replaced.",
            rich_help_panel=SERVED,
        ),
    ] = None,
    tensor_parallel: Annotated[
        int | None,
        typer.Option(help="GPUs that each layer is cut over.", rich_help_panel=VLLM),
    ] = None,
    pipeline_parallel: Annotated[
        int | None,
        typer.Option(help="Groups of layers, each on GPUs of its own.", rich_help_panel=VLLM),
    ] = None,
    data_parallel: Annotated[
        int | None, typer.Option(help="Copies of the model.", rich_help_panel=VLLM)
    ] = None,
    gpu_memory: Annotated[
        float | None,
        typer.Option(
            help="Share of each GPU's memory for weights and cache; default: vLLM's.",
            rich_help_panel=VLLM,
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            help="Longest prompt and completion, in tokens; default: the model's own.",
            rich_help_panel=VLLM,
        ),
    ] = None,
    quantization: Annotated[
        str | None,
        typer.Option(help="Weights in fewer bits, by vLLM's name: fp8, ...", rich_help_panel=VLLM),
    ] = None,
    sleep: Annotated[
        bool,
        typer.Option(
            "--sleep",
            help="With --max-lag, free the GPU's memory while a version is awaited.",
            rich_help_panel=VLLM,
        ),
    ] = False,
    vllm: Annotated[
        list[str],
        typer.Option(
            help="KEY=VALUE: another engine argument of vLLM's, such as max_num_seqs=512.",
            rich_help_panel=VLLM,
        ),
    ] = (),  # type: ignore[assignment]
    max_lag: Annotated[
        int | None,
        typer.Option(
            help="Follow the versions that train-step publishes; start no prompt whose sample"
            " could be more than this many optimizer steps behind when it is used.",
            rich_help_panel=ASYNC,
        ),
    ] = None,
    curriculum: Annotated[
        bool,
        typer.Option(
            "--curriculum",
            help="Draw prompts whose recent pass rate is near 1/2 more often (with --max-lag).",
            rich_help_panel=ASYNC,
        ),
    ] = False,
    by: Annotated[
        str,
        typer.Option(
            help="Prompts with the same value of this key of info share a pass rate, as far as"
            " they have none of their own.",
            rich_help_panel=ASYNC,
        ),
    ] = "people",
    wait: Annotated[
        float,
        typer.Option(help="Seconds to wait for a version at most.", rich_help_panel=ASYNC),
    ] = 600.0,
):
    """Let a policy complete prompts: groups of samples with their token ids and log-probabilities.

    swr1 rollout puzzles.jsonl --policy runs/kk --samples 8 -o rollouts.jsonl
    """
    from dataclasses import replace

    from swr1.engines import REGISTRY, Sampling, engine_options, open_engine
    from swr1.engines._curriculum import Curriculum
    from swr1.engines._rollout import rollout
    from swr1.engines._source import Outlet, Prompts, Weights
    from swr1.errors import DataError, UsageError
    from swr1.prompts import load_prompt
    from swr1.streams.stage import default_threads

    sampling = Sampling(temperature, top_p, top_k, min_p, max_tokens, tuple(stop), seed)
    prompt = load_prompt(system_prompt)
    if prefill is not None:
        prompt = replace(prompt, prefill=prefill)
    options = {
        "dtype": dtype,
        "device": device,
        "threads": threads,
        "recorded": list(recorded) or None,
        "url": list(url) or None,
        "send": send,
        "served_model": served_model,
        "server": server,
        "server_logprobs": server_logprobs,
        "in_flight": in_flight,
        "per_request": per_request,
        "timeout": timeout,
        "retry_for": retry_for,
        "key_env": key_env,
        "key_file": key_file,
        "price": price,
        "tensor_parallel": tensor_parallel,
        "pipeline_parallel": pipeline_parallel,
        "data_parallel": data_parallel,
        "gpu_memory": gpu_memory,
        "context": context,
        "quantization": quantization,
        "sleep": sleep or None,
        "vllm": list(vllm) or None,
        "reload": reload,
    }
    # hf is not asked: that would import torch, seconds before the error.
    if policy is None and (engine == "hf" or getattr(REGISTRY.get(engine), "needs_policy", True)):
        raise UsageError("--policy is missing: which policy completes the prompts?")
    fixed = getattr(REGISTRY.get(engine), "fixed_weights", False)
    if max_lag is not None and fixed and not reload:
        how = "says how with --reload" if "reload" in engine_options(engine) else "cannot, use hf"
        raise UsageError(f"--max-lag needs new weights all the time: the engine {engine!r} {how}")
    weights = Weights(policy or "no-policy", max_lag, wait)
    if curriculum and max_lag is None:
        raise UsageError("--curriculum goes by what train-step learns: use it with --max-lag")
    facts = {"policy_version": weights.version} if max_lag is None else {}

    with open_stage(options=facts, block=batch) as stage:
        outlet = Outlet(stage, samples)
        write = stage.write if max_lag is None else outlet.write
        # When there is nothing to train, the stages after this one learn that nothing failed.
        used = weights.follow(outlet.wait)
        known = engine_options(engine)
        if "follow" in known:
            options["follow"] = max_lag is not None
        if "threads" in known:
            options["threads"] = threads or default_threads()
        asked = {
            name: value
            for name, value in options.items()
            if value is not None and (name in known or value != "auto")
        }
        completer: Any = open_engine(engine, weights.folder, **asked)

        def fits(record):
            try:
                completer.request((record["id"], 0, 0), record["prompt"], prompt)
            except DataError as error:
                if curriculum:  # else it was dropped when its turn came
                    stage.drop(error.reason, record.where, record)
                return False
            return True

        prompts = (
            Curriculum(stage, epochs, seed, weights, by, fits)
            if curriculum
            else Prompts(stage, epochs, seed if shuffle else None, used, fits)
        )

        def wait_for_it():
            if hasattr(completer, "rest"):
                completer.rest()  # before the trainer hears that it is its turn
            outlet.wait()

        def admit(wanted):
            # No waiting at the end of the input: the trainer may be waiting for it.
            more = prompts.more()
            size = weights.admit(completer, prompts.given, wanted, wait_for_it) if more else wanted
            outlet.flush()
            return size

        def refuse(record, error):
            prompts.lose(record)
            stage.drop(error.reason, record.where, record)

        try:
            for record in rollout(
                prompts,
                completer,
                prompt=prompt,
                samples=samples,
                sampling=sampling,
                policy_name=policy or engine,
                admit=admit,
                refresh=lambda: weights.version,
                epoch_of=prompts.epoch_of,
                done=stage,
                on_error=refuse,
                prompts_per_block=batch,
            ):
                write(record)
            outlet.flush()
        finally:
            if hasattr(completer, "summary"):
                stage.tallies["requests"].update(completer.counts())
                stage.say(completer.summary())
        prompts.close(samples)

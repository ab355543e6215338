"""Let a policy complete prompts: groups of samples with their token ids and log-probabilities."""

from functools import partial
from typing import Annotated

from swr1.commands._stage import option, stage_command

drawn = partial(option, panel="Sampling")
engines = partial(option, panel="Engine")
served = partial(option, panel="The engine openai: any OpenAI-compatible server")
of_vllm = partial(option, panel="The engine vllm: continuous batching on GPUs")
trained = partial(option, panel="Training at the other end of the pipe")

# Where and how requests go; what comes back does not depend on it.
WHERE = ("url", "in_flight", "timeout", "retry_for", "key_env", "key_file", "price", "reload")
PARALLEL = ("tensor_parallel", "pipeline_parallel", "data_parallel", "gpu_memory", "sleep")


@stage_command(opens_models=True, quiet_options=("threads", "device", "wait", *WHERE, *PARALLEL))
def command(
    open_stage,
    policy: Annotated[str | None, option("Policy folder, model folder or hub name.")] = None,
    samples: Annotated[int, option("Completions per prompt (a group).", min=1)] = 1,
    system_prompt: Annotated[
        str, option("logic-rl, logic-rl-terse, none, or a file (.txt, .toml).")
    ] = "logic-rl",
    prefill: Annotated[
        str | None, option("How the assistant's turn is opened; default: as the prompt says.")
    ] = None,
    template: Annotated[
        list[str], option("KEY=VALUE for the chat template, such as enable_thinking=false.")
    ] = (),  # type: ignore[assignment]
    epochs: Annotated[int, option("Times round the input files.", min=1)] = 1,
    shuffle: Annotated[bool, option("Another order in each epoch, by --seed.")] = False,
    temperature: Annotated[float, drawn("0 is greedy.")] = 1.0,
    top_p: Annotated[float, drawn()] = 1.0,
    top_k: Annotated[int, drawn("0: off.")] = 0,
    min_p: Annotated[float, drawn()] = 0.0,
    max_tokens: Annotated[int, drawn("Longest completion.")] = 1024,
    stop: Annotated[list[str], drawn("End a completion at this text.")] = (),  # type: ignore[assignment]
    seed: Annotated[int, drawn("With id, epoch and sample: the draw.")] = 0,
    engine: Annotated[str, engines("hf, vllm, openai, replay, or ./mine.py:Engine.")] = "hf",
    recorded: Annotated[
        list[str], engines("For the engine replay: completed records to answer from.")
    ] = (),  # type: ignore[assignment]
    dtype: Annotated[str, engines("float32, bfloat16 or auto.")] = "auto",
    device: Annotated[str, engines("auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int | None, engines("CPU threads; default: 1 in a pipe, else all.")] = None,
    batch: Annotated[int, engines("Prompts that are worked on together.")] = 16,
    url: Annotated[
        list[str],
        served("Base URL, such as http://localhost:8000/v1. Several: by load, with fail-over."),
    ] = (),  # type: ignore[assignment]
    send: Annotated[
        str | None,
        served("ids (rendered here, if --policy is a folder), text, or messages (else)."),
    ] = None,
    served_model: Annotated[str | None, served("What the server calls the model.")] = None,
    server: Annotated[
        str | None,
        served("vllm, sglang, llamacpp, llamacpp-python, openai or plain; default: it is asked."),
    ] = None,
    server_logprobs: Annotated[
        str | None, served("raw, or processed (vLLM with --logprobs-mode processed_logprobs).")
    ] = None,
    in_flight: Annotated[
        int | None, served("Requests at a time, in all; default 64 (vllm: 1024).")
    ] = None,
    per_request: Annotated[
        int | None,
        served("Samples asked for in one request; default 1, each with its own seed."),
    ] = None,
    timeout: Annotated[float | None, served("Seconds for one attempt; default 600.")] = None,
    retry_for: Annotated[float | None, served("Seconds to keep trying; default 600.")] = None,
    key_env: Annotated[
        str | None, served("Environment variable with the key; default OPENAI_API_KEY, if set.")
    ] = None,
    key_file: Annotated[str | None, served("File with the key.")] = None,
    price: Annotated[
        str | None, served("IN,OUT per million tokens: the summary tells the cost.")
    ] = None,
    reload: Annotated[
        str | None,
        served(
            "How servers get new weights, for --max-lag: vllm (in place), or a command in"
            " which {folder} and {url} are replaced."
        ),
    ] = None,
    tensor_parallel: Annotated[int | None, of_vllm("GPUs that each layer is cut over.")] = None,
    pipeline_parallel: Annotated[
        int | None, of_vllm("Groups of layers, each on GPUs of its own.")
    ] = None,
    data_parallel: Annotated[int | None, of_vllm("Copies of the model.")] = None,
    gpu_memory: Annotated[
        float | None,
        of_vllm("Share of each GPU's memory for weights and cache; default: vLLM's."),
    ] = None,
    context: Annotated[
        int | None,
        of_vllm("Longest prompt and completion, in tokens; default: the model's own."),
    ] = None,
    quantization: Annotated[
        str | None, of_vllm("Weights in fewer bits, by vLLM's name: fp8, ...")
    ] = None,
    sleep: Annotated[
        bool,
        of_vllm("With --max-lag, free the GPU's memory while a version is awaited.", "--sleep"),
    ] = False,
    vllm: Annotated[
        list[str],
        of_vllm("KEY=VALUE: another engine argument of vLLM's, such as max_num_seqs=512."),
    ] = (),  # type: ignore[assignment]
    max_lag: Annotated[
        int | None,
        trained(
            "Follow the versions that train-step publishes; start no prompt whose sample"
            " could be more than this many optimizer steps behind when it is used."
        ),
    ] = None,
    curriculum: Annotated[
        bool,
        trained(
            "Draw prompts whose recent pass rate is near 1/2 more often (with --max-lag).",
            "--curriculum",
        ),
    ] = False,
    by: Annotated[
        str,
        trained(
            "Prompts with the same value of this key of info share a pass rate, as far as"
            " they have none of their own."
        ),
    ] = "people",
    wait: Annotated[float, trained("Seconds to wait for a version at most.")] = 600.0,
):
    """Let a policy complete prompts: groups of samples with their token ids and log-probabilities.

    swr1 rollout puzzles.jsonl --policy runs/kk --samples 8 -o rollouts.jsonl
    """
    from swr1.engines import Sampling
    from swr1.rollout.stage import Rollout

    job = Rollout(
        policy,
        engine,
        {
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
        },
        samples=samples,
        sampling=Sampling(temperature, top_p, top_k, min_p, max_tokens, tuple(stop), seed),
        system_prompt=system_prompt,
        prefill=prefill,
        template=template,
        epochs=epochs,
        shuffle=shuffle,
        batch=batch,
        max_lag=max_lag,
        curriculum=curriculum,
        by=by,
        wait=wait,
    )
    with open_stage(options=job.facts(), block=batch) as stage:
        job.run(stage)

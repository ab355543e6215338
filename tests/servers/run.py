"""The conformance suite on a real server, which is started and stopped here.

    python tests/servers/run.py vllm --python .venv-vllm/bin/python
    python tests/servers/run.py llamacpp-python --python .venv-llamacpp-python/bin/python
    python tests/servers/run.py FOLDER                  # writes the reference model
    python tests/servers/run.py sglang --url http://localhost:30000/v1 --folder FOLDER

The last is for a server that runs already, on that folder. Ends with 1 if a check failed.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1])]

from swr1.engines import open_engine  # noqa: E402
from tests.engines.conformance import CHECKS, Subject  # noqa: E402
from tests.engines.reference_model import CONTEXT, save_reference  # noqa: E402

IDS = {"ids", "logprobs", "tempered logprobs"}
# make -> way of sending -> (options, what it lacks)
WAYS = {
    "vllm": {
        "ids": ({"server_logprobs": "processed"}, {"swap"}),
        "text": ({"server_logprobs": "processed"}, {"swap"}),
        "messages": ({"server_logprobs": "processed"}, {"swap", "system", "context"}),
        "reload": ({"server_logprobs": "processed", "reload": "vllm"}, set()),
    },
    "llamacpp-python": {
        "text": ({"context": CONTEXT}, IDS | {"swap", "stop string"}),
        "messages": ({}, IDS | {"swap", "stop string", "system", "prefill"}),
    },
}
# What a server does not do, though the suite asks it of all.
TOO_LONG = "it answers 500 to a prompt that is too long, as if it might do it another time"
KNOWN = {
    ("llamacpp-python", "messages", "a_prompt_too_long_is_named"): TOO_LONG,
    ("llamacpp-python", "messages", "leaving_early_leaves_it_usable"): TOO_LONG,
}
OTHERS = {"ids": ({}, {"swap"}), "messages": ({}, {"swap", "system", "context"})}


def command(make: str, python: str, folder: str, port: int) -> list[str]:
    """How a server of this make is started on a folder."""
    if make == "vllm":
        # Without chunked prefill: a CPU's random streams cannot be wound back, as vLLM 0.31 does
        # for a seeded request whose prompt is cut in two, and the server ends.
        options = (
            f"--port {port} --host 127.0.0.1 --enforce-eager --dtype float32"
            " --logprobs-mode processed_logprobs --no-enable-chunked-prefill"
        )
        start = [python, "-m", "vllm.entrypoints.openai.api_server"]
        return [*start, "--model", folder, *options.split()]
    file = f"{folder}.gguf"
    if not Path(file).exists():
        subprocess.run([python, str(HERE / "to_gguf.py"), folder, file], check=True)
    options = f"--port {port} --host 127.0.0.1 --n_ctx {CONTEXT} --n_threads 1 --n_threads_batch 1"
    return [python, "-m", "llama_cpp.server", "--model", file, *options.split()]


ENVIRON = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_SERVER_DEV_MODE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


class Started:
    """A server of its own process, ready when this returns; stopped on leaving."""

    def __init__(self, make: str, python: str, folder: str, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command(make, python, folder, port),
                stdout=out,
                stderr=subprocess.STDOUT,
                env={"OMP_NUM_THREADS": "1"} | os.environ | ENVIRON,
                start_new_session=True,
            )
        self.url, start = f"http://127.0.0.1:{port}/v1", time.monotonic()
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=5).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - start > 900:
                    self.close()
                    sys.exit(f"the server did not start:\n{log.read_text()[-3000:]}")
                time.sleep(0.5)
        print(f"{make} on {Path(folder).name}: ready after {time.monotonic() - start:.0f} s")

    def close(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with suppress(ProcessLookupError):  # its workers, too
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run(make: str, url_of, folder, only: list[str]) -> int:
    """All checks, way by way; returns how many failed."""
    failed = 0
    for way, (options, lacks) in WAYS.get(make, OTHERS).items():
        if only and way not in only:
            continue
        send = "ids" if way == "reload" else way

        def open_it(path, send=send, options=options):
            url = url_of(path, send)
            return open_engine("openai", path, url=url, send=send, retry_for=60, **options)

        subject = Subject(open_it, folder, frozenset(lacks))
        for title, (function, needs) in CHECKS.items():
            if way == "reload" and "swap" not in needs:
                continue
            start = time.monotonic()
            if not subject.has(*needs):
                verdict = f"lacks  ({', '.join(set(needs) & lacks)})"
            elif why := KNOWN.get((make, way, title)):
                verdict = f"lacks  ({why})"
            else:
                try:
                    function(subject)
                    verdict = "passes"
                except Exception as error:
                    failed += 1
                    told = " ".join(f"{type(error).__name__}: {error}".split())
                    verdict = f"FAILS  ({told[:600]})"
            took = time.monotonic() - start
            print(f"{make:16} {way:9} {took:5.1f} s  {title:40} {verdict}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("make")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--url")
    parser.add_argument("--folder")
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    if "/" in asked.make:
        print(save_reference(asked.make))
        return 0
    with ExitStack() as stack, tempfile.TemporaryDirectory() as scratch:
        made: dict[tuple, str] = {}
        servers: dict[str, Started] = {}

        def folder(seed=0, template="chatml"):
            if (seed, template) not in made:
                path = f"{scratch}/{template}-{seed}"
                made[seed, template] = save_reference(path, seed, template)
            return made[seed, template]

        def url_of(path, send):
            if asked.url:
                return asked.url
            # Rendered here, what counts of a folder is its weights, and those can be given.
            path = path if send == "messages" or asked.make != "vllm" else folder()
            if path not in servers:
                log = Path(scratch) / f"{len(servers)}.log"
                servers[path] = Started(asked.make, asked.python, path, log)
                stack.callback(servers[path].close)
            return servers[path].url

        if asked.folder:
            made[0, "chatml"] = asked.folder
        return 1 if run(asked.make, url_of, folder, asked.only) else 0


if __name__ == "__main__":
    sys.exit(main())

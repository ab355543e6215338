"""`swr1 ARGS` as a process of its own, without the seconds that Python and torch take to start.

    with start(["verify", "format"], stdin=PIPE, stdout=PIPE) as process: ...

A process that has imported swr1 (and, for the commands that need it, torch and transformers) waits
for command lines and forks a child for each: a real process with its own descriptors, environment,
folder and signals, which runs `swr1.commands.main` and ends as any other. Tests of how the program
starts, and of what it imports, run the real one (`subprocess` with conftest.SWR1).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import importlib.metadata
import json
import os
import pkgutil
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SWR1 = str(Path(sys.executable).parent / "swr1")

# What is imported before a command line comes: whole packages, and single modules.
LIGHT = (
    "commands",
    "streams",
    "puzzles",
    "evals",
    "merging",
    "loading",
    "rewards",
    "verifiers.builtin",
)
OF_LIGHT = (
    "typer._adapters", "typer._click.decorators", "pydantic.plugin._loader", "tomllib", "zoneinfo",
    "rich.markdown", "typer.rich_utils", "numpy", "pyarrow.parquet", "multiprocessing", "swr1.verifiers.running", "swr1.verifiers.gold",
    "swr1.verifiers.isolated",
)  # fmt: skip
HEAVY = ("commands", "streams", "training", "engines.hf", "rollout")
OF_HEAVY = (
    "typer._adapters", "typer._click.decorators", "pydantic.plugin._loader", "rich.markdown",
    "typer.rich_utils", "accelerate", "torch.utils.serialization", "torch.profiler._cupti_monitor",
    "torch.distributed.fsdp", "peft", "transformers.modeling_utils",
    "transformers.models.llama.modeling_llama", "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto", "transformers.loss.loss_utils",
    "transformers.convert_slow_tokenizer", "transformers.integrations.gguf",
)  # fmt: skip
NEED_TORCH = {"init-policy", "intervene", "rollout", "train-step"}
# What Python and the libraries read when they are imported: a process of another value starts anew.
AT_START = ("PYTHON", "HF_", "TRANSFORMERS_", "TORCH", "OMP_", "MKL_", "CUDA", "LD_", "LANG", "LC_")
SET_BY_TORCH = {"TORCHINDUCTOR_CACHE_DIR"}  # in any process that makes a model, these tests too


def start(args, **options) -> subprocess.Popen:
    """subprocess.Popen of `swr1 ARGS`, forked where its environment allows that."""
    command, env = [SWR1, *map(str, args)], options.get("env") or os.environ
    kind = Forked if read_at_start(env) == FORKED_WITH else subprocess.Popen
    return kind(command, **options)


def ranks(*args) -> tuple[list[int], str]:
    """Two ranks without a launcher: their exit codes and standard error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    env = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    with tempfile.TemporaryFile() as said:
        both = [
            start(args, env=env | {"RANK": str(n), "LOCAL_RANK": str(n)}, stderr=said)
            for n in range(2)
        ]
        try:
            codes = [rank.wait(100) for rank in both]
        finally:
            for rank in both:
                rank.kill()
        said.seek(0)
        return codes, said.read().decode()


def start_pipeline(line: str, cwd, stderr) -> list[subprocess.Popen]:
    """The stages of `swr1 A | swr1 B | ...`; what the last one writes can be read from it."""
    stages: list[subprocess.Popen] = []
    source: Any = subprocess.DEVNULL
    for part in line.split(" | "):
        args = shlex.split(part)[1:]
        stage = start(args, cwd=cwd, stdin=source, stdout=subprocess.PIPE, stderr=stderr)
        if stages:
            source.close()
        source = stage.stdout
        stages.append(stage)
    return stages


def pipeline(line: str, cwd, timeout: float = 200) -> subprocess.CompletedProcess:
    """`swr1 A | swr1 B | ...` as bash runs it with pipefail; stderr is that of all stages."""
    with tempfile.TemporaryFile() as said:
        stages = start_pipeline(line, cwd, said)
        try:
            out, _ = stages[-1].communicate(timeout=timeout)
            codes = [stage.wait(timeout) for stage in stages]
        finally:
            for stage in stages:
                stage.kill()
        said.seek(0)
        code = next((code for code in reversed(codes) if code), 0)
        return subprocess.CompletedProcess(line, code, out.decode(), said.read().decode())


def read_at_start(env) -> dict[str, str]:
    return {k: v for k, v in env.items() if k.startswith(AT_START) and k not in SET_BY_TORCH}


FORKED_WITH = read_at_start(os.environ)


class Forked(subprocess.Popen):
    """A Popen whose process is forked by one of the two that wait; `pid` is the process itself."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *more):
        assert not (executable or preexec_fn or pass_fds), "not for a forked process"
        pipes, own_session = more[3:9], more[14]
        fds = [pipes[0], pipes[3], pipes[5]]  # the ends that the child has
        fds = [fd if fd >= 0 else number for number, fd in enumerate(fds)]
        order = {
            "args": args,
            "cwd": os.fspath(cwd or os.getcwd()),
            "env": dict(env or os.environ),
            "own_session": own_session,
        }
        self._status, status = os.pipe()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(forker(args), [b"x"], [theirs.fileno(), status, *fds])
            theirs.close()
            os.close(status)
            self._close_pipe_fds(*pipes)
            ours.sendall(json.dumps(order).encode())
            ours.shutdown(socket.SHUT_WR)
            self.pid = int(ours.makefile().read())
        self._child_created = True

    def _try_wait(self, flags):
        os.set_blocking(self._status, not flags & os.WNOHANG)
        try:
            told = os.read(self._status, 16)
        except BlockingIOError:
            return 0, 0
        os.close(self._status)
        return self.pid, int(told)

    def _internal_poll(self, _deadstate=None, **_):
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)
        return self.returncode


_FORKERS: dict[bool, socket.socket] = {}


def forker(args: list[str]) -> socket.socket:
    """The socket of the process that forks light commands, or those that need torch."""
    heavy = len(args) > 1 and args[1] in NEED_TORCH
    if heavy not in _FORKERS:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(theirs.fileno()), str(heavy)],
            cwd=Path(__file__).parent.parent,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        _FORKERS[heavy] = ours
        atexit.register(process.wait)
        atexit.register(ours.close)
    return _FORKERS[heavy]


# --- in the process that forks ---------------------------------------------------------------


def prepare(packages: Iterable[str], modules: Iterable[str]) -> None:
    """Import what command lines will need."""
    sys.argv = [SWR1]
    sys.path[0] = str(Path(SWR1).parent)  # as it is for the program itself
    # who reads the folders of all packages reads them once: another PYTHONPATH is another process
    importlib.metadata.entry_points = functools.cache(importlib.metadata.entry_points)
    for room in ("commands", "verifiers", "rewards", "loading", "engines"):
        importlib.metadata.entry_points(group=f"swr1.{room}")
    for package in packages:
        found = importlib.import_module(f"swr1.{package}")
        for module in pkgutil.walk_packages(found.__path__, f"{found.__name__}."):
            importlib.import_module(module.name)
    for name in modules:
        with contextlib.suppress(ModuleNotFoundError):  # another release of a library
            importlib.import_module(name)
    if mapping := sys.modules.get("transformers.conversion_mapping"):
        mapping.get_checkpoint_conversion_mapping("llama")  # compiles hundreds of patterns
    gc.freeze()


def serve(fd: int) -> None:
    """Fork for every command line that comes, until the tests end. Returns in such a child too."""
    orders = socket.socket(fileno=fd)
    while True:
        word, fds, _, _ = socket.recv_fds(orders, 1, 5)
        if not word:
            return
        if os.fork() == 0:
            supervise(*fds)
            orders.detach()
            os.closerange(3, 256)
            import swr1.commands

            run_and_leave(swr1.commands.main)
            return
        for one in fds:
            os.close(one)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def run_and_leave(main: Callable[[], None]) -> None:
    """Run it and end as Python does, without the last part: to take all modules to pieces.

    That writes to every page shared with the process that forked, which then has to be copied: four tenths of
    a second for those of torch, more than most command lines need for themselves.
    """
    code: object = 0
    try:
        main()
    except SystemExit as left:
        code = left.code
    if not isinstance(code, int | None):
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


def supervise(connection: int, status: int, *streams: int) -> None:
    """Start a command line, say which process it is, and how it ended. Returns in that process."""
    asked = socket.socket(fileno=connection)
    order = json.loads(asked.makefile().read())
    child = os.fork()
    if child:
        for fd in streams:
            os.close(fd)
        asked.sendall(str(child).encode())
        asked.close()
        os.write(status, str(os.waitpid(child, 0)[1]).encode())
        os._exit(0)
    asked.detach()
    if order["own_session"]:
        os.setsid()
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = order["args"]


if __name__ == "__main__":
    number, heavy = int(sys.argv[1]), sys.argv[2] == "True"
    prepare(*((HEAVY, OF_HEAVY) if heavy else (LIGHT, OF_LIGHT)))
    serve(number)

"""New weights for servers that are at work, from a folder that they see too.

vLLM's development endpoints take them in place: what is in flight is finished (or cut, see flow.py), nothing
else begins meanwhile, and caches of the old weights are emptied. For other servers a command of the user's does
what is needed, such as a restart on the new folder.
"""

import asyncio
import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.servers import Fetch, Server, Trouble

NO_ENDPOINTS = (
    "{url} does not take new weights: --reload vllm needs a vLLM server (0.31 is known to do)"
    " started with VLLM_SERVER_DEV_MODE=1 in its environment"
)

TIED = (
    "{folder} ties the output layer to the embeddings: vLLM 0.31 keeps the old output layer when it"
    " takes such weights in place (seen on a CPU). Use --reload 'COMMAND {{folder}}' that starts the"
    " server again, or --engine hf"
)


async def weights_of(server: Server, fetch: Fetch) -> str | None:
    """The folder that a vLLM server in development mode was given last, if any."""
    version = (await fetch(f"{server.root}/weight_info") or {}).get("weight_version")
    return None if version == "default" else version


class Reload:
    """Keeps servers at the weights in `folder`.

    Args:
        method: "vllm", or a shell command in which {folder} and {url} are replaced. It ends when the
            new weights are in use or the old ones no longer are.
        folder: where the weights are.
    """

    def __init__(self, method: str, folder: str) -> None:
        if method != "vllm" and "{folder}" not in method:
            raise UsageError("--reload is vllm, or a command with {folder} in it")
        self.method, self.folder = method, os.path.abspath(folder)
        self.pause = "wait"  # for what is under way; or "abort": it is cut
        self.times, self.seconds = 0, 0.0
        self._given: dict[str, str] = {}  # URL -> the folder a command was run for

    async def by_command(self, server: Server) -> None:
        """Run the command, once for each server and folder. One that fails puts it out of use."""
        if self.method == "vllm" or self._given.get(server.url) == self.folder:
            return
        start = time.monotonic()
        command = self.method.replace("{folder}", shlex.quote(self.folder))
        command = command.replace("{url}", shlex.quote(server.url))
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=2,
        )
        if done.returncode:
            server.out = f"{self.method!r} ended with {done.returncode} for {self.folder}"
            raise Trouble("reload", server.out)
        self._given[server.url] = self.folder
        self._count(start)

    async def in_place(self, server: Server, held: str, fetch: Fetch) -> str:
        """Give a vLLM server the folder, unless it `held` it already; returns what it has then.

        Raises UsageError for one without the endpoints and for a model that it takes in part
        only; one that cannot load the folder is put out
        of use.
        """
        if self.method != "vllm" or held == self.folder:
            return held
        base, start = server.root, time.monotonic()
        if await fetch(f"{base}/weight_info") is None:
            raise UsageError(NO_ENDPOINTS.format(url=server.url))
        config = Path(self.folder) / "config.json"
        if config.is_file() and json.loads(config.read_text()).get("tie_word_embeddings"):
            raise UsageError(TIED.format(folder=self.folder))
        await fetch(f"{base}/pause?mode={self.pause}", {})
        try:
            work: dict[str, Any] = {"weights_path": self.folder}
            try:
                await fetch(f"{base}/collective_rpc", {"method": "reload_weights", "kwargs": work})
            except Trouble as trouble:
                server.out = f"it cannot load {self.folder}: {trouble}"
                raise
            await fetch(f"{base}/reset_prefix_cache", {})
            await fetch(f"{base}/update_weight_version", {"new_version": self.folder})
        finally:
            await fetch(f"{base}/resume", {})
        if (has := await weights_of(server, fetch)) != self.folder:
            raise Trouble("reload", f"was given {self.folder} and says that it has {has}")
        self._count(start)
        return self.folder

    def _count(self, start: float) -> None:
        self.times, self.seconds = self.times + 1, self.seconds + time.monotonic() - start

    def summary(self) -> str:
        return f"{self.times} reloads, {self.seconds:.1f} s"

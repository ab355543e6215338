"""A small OpenAI-compatible server over the hf engine, which can misbehave: no mock, real HTTP.

with ModelServer(folder) as server:                     # as vLLM answers
    ... server.url ...
with ModelServer(folder, make="plain") as server:       # neither token ids nor kept stop strings
with ModelServer(folder, faults=["429", None, "cut"]):  # what happens to request 0, 1, 2, 0, ...
"""

import itertools
import json
import select
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from swr1.engines import Completion, Request, Sampling
from swr1.engines.hf import HFEngine
from swr1.errors import DataError
from tests.engines.reference_model import CONTEXT, make_tokenizer

VLLM_ONLY = {"return_token_ids", "return_tokens_as_token_ids", "include_stop_str_in_output"}


class Canned:
    """In place of a model, where only the traffic matters: tokens by prompt, seed and place."""

    def __init__(self):
        self.tokenizer, self.context = make_tokenizer(), CONTEXT

    def generate(self, requests, sampling):
        return [self._one(r.prompt_ids, r.key[2], sampling) for r in requests]

    def _one(self, prompt, place, sampling):
        rng = np.random.default_rng([sampling.seed, place, *prompt])
        ids = [int(i) for i in rng.integers(30, 90, rng.integers(1, sampling.max_tokens + 1))]
        logprobs = -rng.random(len(ids), dtype=np.float32)
        return Completion(ids, logprobs, "length", self.tokenizer.decode(ids))


class ModelServer:
    """Serves `folder` as the model `served` until closed.

    `requests` holds the bodies of all POSTs, `times` when they came, `keys` the Authorization headers. `faults` are used in
    turn, one a POST, for as long as `misbehaves` is true; None is a good answer. A list of them is
    used over and over. With `dev` it has vLLM's development endpoints; `given` lists the folders
    that it loaded, `calls` the endpoints as they were used. It writes a token in `pace` seconds, and what it
    has when it is paused with mode=abort is what it answers. `left` counts clients that hung up on
    a request that hangs.
    """

    def __init__(self, folder, make="vllm", served="tiny", faults=None, engine=None, dev=False):
        self.engine = engine or HFEngine(folder)
        self.make, self.served, self.lock = make, served, threading.Lock()
        again = faults is None or isinstance(faults, list)
        self.faults = itertools.cycle(faults or [None]) if again else faults
        self.misbehaves, self.retry_after = True, "0.1"
        self.requests, self.times, self.keys, self.root = [], [], set(), None
        self.stall, self.left = 0.3, 0
        self.dev, self.weights, self.given, self.calls = dev, "default", [], []
        self.pace, self.aborts, self.paused = 0.0, 0, False
        self.gone = threading.Event()
        outer = self

        class Handler(_Handler):
            server_of = outer

        class Http(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that was killed

        self.http = Http(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone.set()
        self.http.shutdown()
        self.http.server_close()

    def develop(self, path, asked):
        """vLLM's endpoints for whoever trains the model."""
        self.calls.append(path.partition("?")[0])
        if self.calls[-1] in ("/pause", "/resume"):
            with self.lock:
                self.paused = self.calls[-1] == "/pause"
                self.aborts += path.endswith("mode=abort")
        if asked.get("method") == "reload_weights":
            self.given.append(asked["kwargs"]["weights_path"])
            with self.lock:
                self.engine.load(self.given[-1])
        self.weights = asked.get("new_version", self.weights)
        return {}

    # --- what it answers ---------------------------------------------------------------------

    def models(self):
        owners = {"vllm": "vllm", "llamacpp": "llamacpp", "llamacpp-python": "me"}
        owner = owners.get(self.make, "somebody")
        card = {"id": self.served, "object": "model", "owned_by": owner}
        if self.make == "vllm":
            card |= {"max_model_len": self.engine.context, "root": self.root}
        return {"object": "list", "data": [card]}

    def complete(self, path, asked, gone=lambda: False):
        """The reply to a POST; raises DataError for what real servers answer with a 400.

        `gone` says whether the client has hung up: then nothing is generated.
        """
        if self.make == "plain" and (odd := VLLM_ONLY & asked.keys()):
            raise DataError(f"Unrecognized request argument supplied: {sorted(odd)[0]}")
        if asked["model"] != self.served:
            raise LookupError(asked["model"])
        chat = path.endswith("/chat/completions")
        ids = self.prompt_ids(asked, chat)
        if len(ids) + asked["max_tokens"] > self.engine.context:
            raise DataError(f"This model's maximum context length is {self.engine.context} tokens")
        sampling = Sampling(
            temperature=asked["temperature"],
            top_p=asked["top_p"],
            top_k=max(0, asked.get("top_k", 0)),
            min_p=asked.get("min_p", 0.0),
            max_tokens=asked["max_tokens"],
            stop=tuple(asked.get("stop", ())),
            seed=asked.get("seed", 0),
        )
        requests = [Request(("served", 0, i), ids) for i in range(asked["n"])]
        made = None
        while made is None:
            with self.lock:
                if gone():
                    raise ConnectionAbortedError
                if not self.paused:
                    made, aborts = self.engine.generate(requests, sampling), self.aborts
            time.sleep(0.002 * self.paused)
        if self.pace:
            made = [self.paced(c, aborts) for c in made]
        if not asked.get("skip_special_tokens", True):
            for c in made:
                c.text = self.engine.tokenizer.decode(c.token_ids)
        choices = [self.choice(c, i, chat, ids, sampling) for i, c in enumerate(made)]
        usage = {
            "prompt_tokens": len(ids),
            "completion_tokens": sum(len(c.token_ids) for c in made),
        }
        reply = {"model": self.served, "choices": choices, "usage": usage}
        return reply | ({"prompt_token_ids": ids} if chat and self.make == "vllm" else {})

    def paced(self, completion, aborts):
        """The tokens of a completion, one after the other, until the server is told to stop."""
        for written in range(len(completion.token_ids)):
            if self.aborts != aborts:
                ids = completion.token_ids[:written]
                text = self.engine.tokenizer.decode(ids)
                return Completion(ids, completion.logprobs[:written], "abort", text)
            time.sleep(self.pace)
        return completion

    def prompt_ids(self, asked, chat):
        tokenizer = self.engine.tokenizer
        if not chat:
            prompt = asked["prompt"]
            special = asked.get("add_special_tokens", True)
            if isinstance(prompt, list):
                return prompt
            return tokenizer(prompt, add_special_tokens=special)["input_ids"]
        opened = asked.get("continue_final_message", False)
        if not opened and asked["messages"][-1]["role"] == "assistant":
            raise DataError("the last message is the assistant's")
        text = tokenizer.apply_chat_template(
            asked["messages"],
            tokenize=False,
            add_generation_prompt=not opened,
            continue_final_message=opened,
        )
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def choice(self, completion, index, chat, prompt_ids, sampling):
        decode = self.engine.tokenizer.decode
        ids, text, reason = completion.token_ids, completion.text, completion.finish_reason
        names = [f"token_id:{i}" if self.make == "vllm" else decode([i]) for i in ids]
        values = [float(x) for x in completion.logprobs]
        if self.make != "vllm":
            for stop in sampling.stop:
                text = text.partition(stop)[0]
        made = {"index": index, "finish_reason": reason}
        if self.make == "vllm":
            made |= {"token_ids": ids} | ({} if chat else {"prompt_token_ids": prompt_ids})
        if chat:
            listed = [{"token": n, "logprob": v} for n, v in zip(names, values, strict=True)]
            if self.make == "llamacpp":
                listed = [t | {"id": i} for t, i in zip(listed, ids, strict=True)]
            message = {"role": "assistant", "content": text}
            return made | {"message": message, "logprobs": {"content": listed}}
        return made | {"text": text, "logprobs": {"tokens": names, "token_logprobs": values}}


class _Handler(BaseHTTPRequestHandler):
    server_of: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/v1/models":
            self.reply(200, self.server_of.models())
        elif self.path == "/version" and self.server_of.make == "vllm":
            self.reply(200, {"version": "9.9"})
        elif self.path == "/weight_info" and self.server_of.dev:
            self.reply(200, {"weight_version": self.server_of.weights})
        else:
            self.reply(404, {"error": "nothing here"})

    def do_POST(self):
        server = self.server_of
        body = self.rfile.read(int(self.headers["content-length"]))
        if server.dev and not self.path.startswith("/v1/"):
            try:
                self.reply(200, server.develop(self.path, json.loads(body)))
            except Exception as error:
                self.reply(500, {"error": {"message": str(error)}})
            return
        key = self.headers.get("authorization", "")
        server.keys.add(key)
        with server.lock:
            fault = next(server.faults) if server.misbehaves else None
            server.requests.append(json.loads(body))
            server.times.append(time.monotonic())
        error = {"error": {"message": f"trouble with your key {key}"}}
        if fault in ("429", "503"):
            self.reply(int(fault), error, {"Retry-After": self.server_of.retry_after})
            return
        if fault in ("500", "401"):
            self.reply(int(fault), error)
            return
        if fault == "hang":
            self.hang()
            return
        if fault == "stall":
            time.sleep(server.stall)
        try:
            reply = server.complete(self.path, json.loads(body), self.has_gone)
        except DataError as refused:
            self.reply(400, {"error": {"message": refused.reason}})
            return
        except ArithmeticError as sick:
            self.reply(500, {"error": {"message": str(sick)}})
            return
        except LookupError as unknown:
            self.reply(404, {"error": {"message": f"The model {unknown} does not exist"}})
            return
        if fault == "wrong-model":
            reply["model"] = "another"
        if fault == "missing":
            reply["choices"] = reply["choices"][: len(reply["choices"]) // 2]
        self.reply(200, reply, cut=fault == "cut", garbage=fault == "garbage")

    def has_gone(self):
        ready = select.select([self.connection], [], [], 0)[0]
        return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)

    def hang(self):
        self.close_connection = True
        while not self.server_of.gone.wait(0.02):
            if select.select([self.connection], [], [], 0)[0]:
                with self.server_of.lock:
                    self.server_of.left += not self.connection.recv(1)
                return

    def reply(self, status, reply, headers=None, cut=False, garbage=False):
        body = json.dumps(reply).encode()
        body = b"<html>" + body[:50] if garbage else body
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

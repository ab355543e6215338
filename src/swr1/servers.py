"""Requests to several HTTP servers that do the same work: balance, fail-over, retries, deadlines.

A request goes to the server with the fewest in flight. A server that gave nothing but failures
while a request was under way rests (ever longer, with jitter) and is then tried with a single
request; one that asks for time (Retry-After) gets it; meanwhile the others do their work. A request
is tried again until it succeeds, until `retry_for` seconds are over, or until it alone keeps
failing while others do not.

The sockets belong to a thread of their own: the stage's thread may wait for input or be stopped by
a signal at any moment, and a server that closes a connection must not look like a reader that left.
"""

import asyncio
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.stop import stop_base
from tenacity.wait import wait_random_exponential

from swr1.errors import SwrError, UsageError
from swr1.key_mask import Mask
from swr1.records import pack
from swr1.terminal import say

T = TypeVar("T")
# (URL, body of a POST) -> its JSON, None where there is nothing.
Fetch = Callable[..., Coroutine[Any, Any, Any]]

LIMITED = (408, 429)  # come again later; it is not the server's fault
ALONE = 10  # failures of one request, while others succeed, after which it is given up
WRONG = 3  # answers by another model, and none by the right one, after which a server is not used
LARGEST_REPLY = 2**27  # bytes; a reply of 1M tokens with log-probabilities is about 100 MB
LONGEST_REST = 30.0
PAUSE = wait_random_exponential(multiplier=0.2, max=5)  # seconds between attempts of a request
REPORT_AFTER = (5.0, 30.0)  # seconds without any answer until the first report, and all others


class Trouble(Exception):
    """An attempt that may succeed another time. `kind` is what it is counted as."""

    def __init__(self, kind: str, message: str = "", rest: float | None = None) -> None:
        super().__init__(message or kind)
        self.kind, self.rest = kind, rest


class Refused(Exception):
    """The server will not take this request, now or later."""


class GivenUp(Exception):
    """This request failed again and again while others succeeded."""


class Server:
    """One base URL, ending in /v1 or what its maker has in its place."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            right = right and not re.search(r"\s", url)
            httpx2.URL(url)
        except (ValueError, httpx2.InvalidURL):
            right = False
        if not right:
            raise UsageError(f"--url is like http://HOST:8000/v1, not {url!r}")
        if parts.username or parts.password or parts.query:
            raise UsageError(
                f"--url {parts.scheme}://{parts.hostname}: a key in a URL would end up in logs; set"
                " it in the environment (OPENAI_API_KEY, or --key-env NAME)"
            )
        self.url = url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")
        self.root = self.url.removesuffix("/v1")  # under which a maker's own endpoints are
        self.facts: Any = None  # what `learn` returned
        self.known = False  # whether `facts` are; they are learnt before the next request
        self.learning = asyncio.Lock()
        self.in_flight = self.failures = self.wrong = 0
        self.rests_until = self.last_ok = self.failed_at = 0.0
        self.out = ""  # why it is not used any more
        self.counts: Counter[str] = Counter()

    def free(self, now: float) -> bool:
        probing = self.failures > 0 and self.in_flight > 0
        return not self.out and self.rests_until <= now and not probing


class Servers:
    """Several of them.

    Args:
        urls: base URLs.
        key: sent as a bearer token; it is taken out of whatever a server says.
        timeout: seconds for one attempt, from its first byte to its last.
        retry_for: seconds to keep trying a request.
        learn: called with a server and `fetch` before the first request to it, the first after
            its connection failed (it may be another process now) and the first after `forget`;
            what it returns becomes the server's `facts`.
        largest: bytes of a reply; one that is larger is not read to its end.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        key: str | None,
        timeout: float,
        retry_for: float,
        learn: Callable[[Server, Fetch], Coroutine[Any, Any, Any]],
        largest: int = LARGEST_REPLY,
    ) -> None:
        self.servers = [Server(url) for url in dict.fromkeys(urls)]
        self.timeout, self.retry_for, self.learn = timeout, retry_for, learn
        self.largest = largest
        if key and not (key.isascii() and key.isprintable()):
            raise UsageError(
                "the server's key holds a character that is not printable ASCII, which no request"
                " can carry: look at the variable or file that it comes from"
            )
        self._mask = Mask(key)
        headers = {"content-type": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(None, connect=min(10.0, timeout)),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=2.0
            ),
        )
        self.answers = 0
        self._last_answer = self._reported = time.monotonic()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start `work` in the thread of the sockets."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def forget(self) -> None:
        """Learn anew of each, before the next request to it."""
        for server in self.servers:
            server.known = False

    async def learn_all(self) -> None:
        """Learn anew of each that is in use, now. One that is in trouble is met with the next request to it."""

        async def learn(server: Server) -> None:
            async with server.learning:
                if not server.known and not server.out:
                    with suppress(Trouble, httpx2.HTTPError, OSError, TimeoutError):
                        server.facts = await self.learn(server, partial(self._fetch, server))
                        server.known = True

        await asyncio.gather(*map(learn, self.servers))

    async def meet(self) -> Any:
        """The facts of one of them. Raises as `ask`."""
        return await self.ask(None, lambda server, _: server.facts)

    async def ask(
        self,
        make: Callable[[Server], tuple[str, dict]] | None,
        read: Callable[[Server, Any], T],
    ) -> T:
        """POST `make(server)` (path, body) to one of them; the answer's JSON goes through `read`.

        `read` raises Trouble for an answer that is not one. Raises Refused, GivenUp, or SwrError
        when no server is of use.
        """
        began = self.answers
        bad = 0

        async def attempt() -> T:
            nonlocal bad
            server = await self._choose()
            start = time.monotonic()
            server.in_flight += 1
            try:
                async with asyncio.timeout(self.timeout):
                    async with server.learning:
                        if server.out:  # it failed while this request waited
                            raise Trouble("given up", server.out)
                        if not server.known:
                            server.facts = await self.learn(server, partial(self._fetch, server))
                            server.known = True
                    answer = None
                    if make:
                        path, body = make(server)
                        answer = self._json(server, *await self._send(server.url + path, body))
                result = read(server, answer)
            except (httpx2.HTTPError, TimeoutError, OSError) as error:
                late = isinstance(error, TimeoutError | httpx2.TimeoutException)
                kind = f"no answer in {self.timeout:g} s" if late else type(error).__name__
                server.known &= late  # another process may answer next time
                trouble = Trouble(kind, self.clean(f"{kind} {error}"))
                self._failed(server, trouble, start)
                raise trouble from None
            except Trouble as trouble:
                bad += trouble.rest is None
                self._failed(server, trouble, start)
                raise
            finally:
                server.in_flight -= 1
            server.failures = 0
            server.counts["ok"] += make is not None
            self.answers += 1
            server.last_ok = self._last_answer = self._reported = time.monotonic()
            return result

        class Enough(stop_base):
            def __call__(self, state: RetryCallState) -> bool:
                return alone() or (state.seconds_since_start or 0) > limit

        def alone() -> bool:
            return bad >= ALONE and self.answers > began

        limit = self.retry_for
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Trouble), stop=Enough(), wait=PAUSE, reraise=True
        )
        try:
            return await retrying(attempt)
        except Trouble as trouble:
            if alone():
                raise GivenUp(f"{bad} answers in a row were no use: {trouble}") from None
            raise SwrError(f"no server answered for {self.retry_for:g} s: {self.state()}") from None

    async def _choose(self) -> Server:
        """The server with the fewest requests in flight, waiting for one that may be asked."""
        began = time.monotonic()
        while True:
            now = time.monotonic()
            if all(s.out for s in self.servers):
                raise SwrError(f"no server is left: {self.state()}")
            free = [s for s in self.servers if s.free(now)]
            if free:
                return min(free, key=lambda s: (s.in_flight, s.counts.total()))
            if now - began > self.retry_for:
                raise SwrError(f"no server answered for {self.retry_for:g} s: {self.state()}")
            if now - self._reported > REPORT_AFTER[self._reported > self._last_answer]:
                self._reported = now
                what = f"waiting for an answer ({now - self._last_answer:.0f} s): {self.state()}"
                say("swr1", what)
            await asyncio.sleep(0.02)

    def _failed(self, server: Server, trouble: Trouble, start: float) -> None:
        server.counts[trouble.kind] += 1
        server.wrong += trouble.kind == "wrong model"
        if server.wrong >= WRONG and not server.counts["ok"]:
            server.out = str(trouble)
        now, rest = time.monotonic(), trouble.rest or 0.0
        # Many requests that were under way together fail once.
        if trouble.rest is None and max(server.last_ok, server.failed_at) < start:
            server.failures, server.failed_at = server.failures + 1, now
            rest = random.uniform(0.5, 1) * min(LONGEST_REST, 0.1 * 2**server.failures)
        server.rests_until = max(server.rests_until, now + rest)

    async def _fetch(self, server: Server, url: str, body: Any = None) -> Any:
        """The JSON at `url` (of a POST if there is a body), None where there is nothing."""
        reply, content = await self._send(url, body)
        nothing = reply.status_code in (404, 405, 501) or not content
        return None if nothing else self._json(server, reply, content)

    async def _send(self, url: str, body: Any) -> tuple[httpx2.Response, bytes]:
        """The reply to a GET, or a POST if there is a body, and what it holds, up to a limit."""
        method = "GET" if body is None else "POST"
        packed = None if body is None else pack(body)
        parts, size = [], 0
        async with self._client.stream(method, url, content=packed) as reply:
            async for part in reply.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > self.largest:
                    raise Trouble("reply too large", f"more than {self.largest >> 20} MB")
        return reply, b"".join(parts)

    def _json(self, server: Server, reply: httpx2.Response, content: bytes) -> Any:
        status = reply.status_code
        if status >= 400:
            message = self.clean(f"{status} {_message(content)}")
            if status in LIMITED or status >= 500:
                rest = _retry_after(reply.headers.get("retry-after"))
                if rest is None and status in LIMITED:
                    rest = 1.0
                raise Trouble(str(status), message, rest)
            if status in (401, 403, 404):
                server.out = message
                raise Trouble(str(status), message)
            raise Refused(message)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            start = content[:60].decode(errors="replace")
            raise Trouble("no JSON", self.clean(f"not JSON but {start!r}")) from None

    def clean(self, text: str) -> str:
        """A server's words on one line, without the key."""
        return self._mask(" ".join(text[:2000].split()))[:300]

    def state(self) -> str:
        """Each server and how it did."""
        return "; ".join(map(_state, self.servers))

    def counts(self) -> Counter[str]:
        """How attempts went, over all servers."""
        return sum((s.counts for s in self.servers), Counter())


def _state(server: Server) -> str:
    counts = ", ".join(f"{n} {kind}" for kind, n in server.counts.most_common()) or "not asked"
    return f"{server.url} {counts}" + (f", given up ({server.out})" if server.out else "")


def _message(body: bytes) -> str:
    """The text in an error's body, in whichever of the usual places it stands."""
    try:
        reply = orjson.loads(body)
        error = reply.get("error", reply)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (orjson.JSONDecodeError, AttributeError):
        return body[:200].decode(errors="replace")


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None

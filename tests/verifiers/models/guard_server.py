"""An OpenAI-compatible server that plays a guard: recorded replies, real HTTP.

with GuardServer(lambda text: "safe", served="Llama-Guard-3-8B") as server:
    ... server.url, server.requests ...
"""

import re

from tests.engines.openai_server import ModelServer

PIECES = re.compile(r"\s*\w+|\s*\W")


class GuardServer(ModelServer):
    """`reply` is given the text of the last message, or the whole prompt, and returns the reply.

    `near`: what else was likely in place of a token, token -> {text: log-probability}; None, and the
    server tells no log-probabilities. After `dies_after` requests it refuses connections' answers:
    they hang up.
    """

    def __init__(self, reply, served, near=None, dies_after=None, faults=None):
        super().__init__(None, make="plain", served=served, faults=faults, engine=object())
        self.reply_of, self.near, self.dies_after = reply, near, dies_after

    def complete(self, path, asked, *_):
        if self.dies_after is not None and len(self.requests) > self.dies_after:
            raise ArithmeticError("out of memory")
        if asked["model"] != self.served:
            raise LookupError(asked["model"])
        chat = path.endswith("/chat/completions")
        text = self.reply_of(asked["messages"][-1]["content"] if chat else asked["prompt"])
        told = None
        if self.near is not None:
            tokens = PIECES.findall(text)
            near = [
                {
                    t.replace(t.strip(), k): v
                    for k, v in self.near.get(t.strip(), {t.strip(): -0.1}).items()
                }
                if t.strip()
                else {t: -0.1}
                for t in tokens
            ]
            told = {"tokens": tokens, "token_logprobs": [-0.1] * len(tokens), "top_logprobs": near}
            if chat:
                told = {
                    "content": [
                        {
                            "token": t,
                            "logprob": n.get(t, -0.1),
                            "top_logprobs": [{"token": k, "logprob": v} for k, v in n.items()],
                        }
                        for t, n in zip(tokens, near, strict=True)
                    ]
                }
        choice = {"index": 0, "finish_reason": "stop", "logprobs": told}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {"model": self.served, "choices": [choice]}


def records(n: int, bad=lambda i: i % 3 == 0) -> list[dict]:
    """Some with an answer that a keyword guard finds bad."""
    return [
        {
            "id": f"r{i}",
            "prompt": [{"role": "user", "content": f"question {i}"}],
            "completion": f"answer {i} {'poison' if bad(i) else 'tea'}",
        }
        for i in range(n)
    ]

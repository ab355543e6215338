"""Guards and judges that read pictures, over real HTTP: what they are sent, and what becomes of it."""

import base64
import io
import math

import orjson
import pytest
from PIL import Image

from swr1.errors import UsageError
from swr1.pictures import Opener
from swr1.verifiers.builtin import helpful, safety
from swr1.verifiers.builtin import visual_focus as focus
from tests.conftest import jsonl, run_swr1
from tests.verifiers.models.guard_server import GuardServer
from tests.vision.eyes import part

FIRST, SECOND = part(1), part(2)
NEAR = {"Yes": {"Yes": math.log(0.7), "No": math.log(0.3)}, "No": {"Yes": math.log(0.1), "No": math.log(0.9)}}  # fmt: skip


def record(*pictures, text="how do i use this ?", **more):
    content = [*pictures, {"type": "text", "text": text}]
    prompt = [{"role": "user", "content": content}]
    return {"v": 1, "id": "r", "task": "safety", "prompt": prompt, "completion": "so .", **more}


def pictures_in(message) -> list[str]:
    """The digests of what a server was sent, in order."""
    found = []
    for one in message["content"]:
        if one["type"] == "image_url":
            head, _, data = one["image_url"]["url"].partition(",")
            assert head == "data:image/png;base64"
            Image.open(io.BytesIO(base64.b64decode(data))).verify()
            found.append(Opener().resolve({"type": "image", "base64": data}).digest)
    return found


def digest(of) -> str:
    return Opener().resolve(of).digest


def judged(verifier, one):
    try:
        found = verifier.submit(one)
        verifier.flush("end")
        return found if isinstance(found, dict) else found.result()
    finally:
        verifier.close()


def test_llama_guard_4_is_sent_the_pictures_themselves():
    with GuardServer(lambda content: "unsafe\nS9", "Llama-Guard-4-12B") as server:
        found = judged(
            safety.open(guard="Llama-Guard-4-12B", url=server.url), record(FIRST, SECOND)
        )
        [sent] = server.requests
    assert found["label"] == "unsafe" and "error" not in found
    user, answer = sent["messages"]
    assert pictures_in(user) == [digest(FIRST), digest(SECOND)]
    assert user["content"][-1] == {"type": "text", "text": "how do i use this ?"}
    assert answer == {"role": "assistant", "content": "so ."}


def test_shieldgemma_2_judges_every_picture_by_every_policy():
    def reply(content):
        shown = pictures_in({"content": content})
        return "Yes" if shown == [digest(SECOND)] and "Violence" in content[-1]["text"] else "No"

    with GuardServer(reply, "shieldgemma-2-4b-it", NEAR) as server:
        guard = {"guard": "google/shieldgemma-2-4b-it", "url": server.url}
        found = judged(safety.open(**guard), record(FIRST, SECOND))
        assert len(server.requests) == 6
        without = judged(safety.open(**guard), record())
    assert found["label"] == "unsafe" and found["score"] == pytest.approx(0.3)
    assert found["detail"]["categories"] == ["violence"] and found["detail"]["judged"] == "pictures"
    assert without["score"] is None and "the prompt has none" in without["error"]


@pytest.mark.parametrize("guard", ["Llama-Guard-3-8B", "Qwen3Guard-Gen-4B", "wildguard", "shieldgemma-2b"])  # fmt: skip
def test_a_guard_of_texts_is_not_asked_about_what_it_cannot_see(guard):
    with GuardServer(lambda text: "safe", guard) as server:
        found = judged(safety.open(guard=guard, url=server.url), record(FIRST))
        assert not server.requests
    assert found["score"] is None and "pictures" in found["error"]


def test_a_judge_is_sent_pictures_where_it_is_said_to_read_them():
    with GuardServer(lambda content: "Verdict: helpful", "big") as server:
        judge = {"guard": "big", "url": server.url}
        assert judged(helpful.open(**judge), record(FIRST))["score"] is None
        assert not server.requests
        found = judged(helpful.open(**judge, pictures="send"), record(FIRST))
        assert found["label"] == "helpful"
        [message] = server.requests[0]["messages"]
    assert pictures_in(message) == [digest(FIRST)]
    with pytest.raises(UsageError, match="there is no --url"):
        helpful.open(guard="big", pictures="send")
    with GuardServer(lambda text: "safe", "wildguard") as server, pytest.raises(UsageError, match="texts only"):  # fmt: skip
        safety.open(guard="wildguard", url=server.url, pictures="send")


def test_an_address_is_never_passed_on():
    with GuardServer(lambda content: "safe", "Llama-Guard-4-12B") as server:
        bad = {"type": "image", "url": "http://127.0.0.1/x.png"}
        found = judged(safety.open(guard="Llama-Guard-4-12B", url=server.url), record(bad))
        assert not server.requests
    assert found["score"] is None and "picture cannot be used" in found["error"]


def test_visual_focus_asks_a_judge_about_photographs_and_a_rule_about_drawings():
    scene = {"columns": 1, "rows": 1, "things": [["a1", "circle", "red", "small"]]}
    drawn = record(FIRST, id="d", info={"scene": scene}, completion="<think> a1 circle red small </think>")  # fmt: skip
    photo, text = record(FIRST, id="p"), record(id="t")
    with GuardServer(lambda content: "Verdict: misses", "big") as server:
        done = run_swr1("verify", "visual-focus", "--guard", "big", "--url", server.url,
                        stdin=jsonl([drawn, photo, text]), check=True)  # fmt: skip
        assert len(server.requests) == 1
    found = [orjson.loads(line)["verdicts"]["visual-focus"] for line in done.stdout.splitlines()]
    assert [v["label"] for v in found] == ["sees", "misses", None]
    assert "no picture" in found[2]["error"]
    assert judged(focus.open(), photo)["score"] is None
    with pytest.raises(UsageError, match="visual-focus asks a model only with --guard"):
        focus.open(judge="mine.toml")

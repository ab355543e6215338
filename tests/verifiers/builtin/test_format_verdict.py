"""The format verdict, strict: what passes, and the reason of everything that does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.verifiers.builtin.format import verify
from swr1.verifiers.completions.text import bare
from tests.timing import ends_soon

QUESTION = (
    "On an island everyone is either a knight or a knave. You meet Zoey and Ava."
    " Zoey says that Ava is a knave. For each of them, is that person a knight or a knave?"
)
ANSWER = "(1) Zoey is a knight\n(2) Ava is a knave"


def judge(completion, *, prefill=None, question=QUESTION, finish=None, **options):
    generation = {"prefill": prefill, "finish_reason": finish}
    record = {
        "id": "x",
        "prompt": [{"role": "user", "content": question}],
        "completion": completion,
        "generation": {k: v for k, v in generation.items() if v is not None},
    }
    return verify(record, **options)


def turn(thinking="Ava would lie.", answer=ANSWER):
    return f"<think>{thinking}</think>\n<answer>{answer}</answer>"


PASSES = [
    turn(),
    f"  \n<think>\nWe try it.\n</think>\n\n<answer>\n{ANSWER}\n</answer>\n  ",
    f"<think> guess </think><answer> {ANSWER} </answer>",
    turn("guess"),
    turn("ok"),
    turn("Zoey is a knight, since Ava lies."),
    turn("check zoey : ava knave true ok"),
    turn("1 + 1 = 2"),
    turn("试试看"),
    turn("假设佐伊是骑士。"),
    turn("Let me think step by step. First, Ava."),
    turn(f"{QUESTION} Let us see who lies."),
    turn("Zoey is a knight. Ava is a knave. So it fits."),
    turn("if x < 3 and y > 2 then"),
    turn(answer="42"),
    turn(answer="骑士"),
    turn(answer="<b>42</b>"),
    turn("a thought about <thinking> and <answers>"),
    turn().replace("\n<answer>", "\u200b\n<answer>"),
    "\ufeff\u2060" + turn() + "\u200b\n\ufeff",
    "<|im_start|>assistant\n" + turn() + "<|im_end|>\n<|endoftext|><|endoftext|>",
]

# Of ChatML, Llama 2 to 4, Gemma, Phi, gpt-oss, DeepSeek, Command R, InternLM, Baichuan, EXAONE, Seed,
# MiniMax, GLM, BERT: what decoding with special tokens leaves behind an answer
TOKENS = """<|im_end|> <|endoftext|> </s> <pad> <unk> <|eot_id|> <|eom_id|> <|end_of_text|>
<|finetune_right_pad_id|> <|eot|> <eos> <end_of_turn> <turn|> <|end|> <|return|> <|call|>
<｜end▁of▁sentence｜> <｜▁pad▁｜> <|EOT|> <|END_OF_TURN_TOKEN|> <EOS_TOKEN> <PAD> <eoa>
[UNUSED_TOKEN_145] <reserved_106> [|endofturn|] <seed:eos> [e~[ <|user|> <|observation|> [PAD]
[EOS] [SEP] <|assistant_end|> <|im_start|>""".split()


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_that_ends_or_pads_the_turn_is_no_text(token):
    for end in (token, f"\n{token}\n", token * 3, f"{token}\u200b{token} "):
        assert judge(turn() + end)["label"] == "ok"
        assert judge(turn() + end + "x" + end)["label"] == "outside-text"
    assert judge(turn(answer=f"{token}"))["label"] != "ok"
    assert bare(f"{token} 2 < 3{token}") == "2 < 3" and bare(token) == bare("") == ""


FAILS = [
    ("", ["missing-tag"]),
    ("Zoey is a knight", ["missing-tag"]),
    (ANSWER.join(("<answer>", "</answer>")), ["missing-tag"]),
    (f"<think>hm<answer>{ANSWER}</answer>", ["missing-tag"]),
    (f"<think>hm</think><answer>{ANSWER}", ["missing-tag"]),
    (f"<think>hm</think>{ANSWER}</answer>", ["missing-tag"]),
    ("<think>hm</think>" + turn(), ["repeated-tag"]),
    (turn() + turn(), ["repeated-tag"]),
    (turn() + "\n<think>wait, once more</think>", ["repeated-tag"]),
    (turn() + "<answer>other</answer>", ["repeated-tag"]),
    (turn("a <think> b"), ["repeated-tag"]),
    (turn("a </think> b"), ["repeated-tag"]),
    (turn("it ends with </answer> I think"), ["repeated-tag"]),
    (turn(answer="<answer>42</answer>"), ["repeated-tag"]),
    ("<think>a</think></think><answer>b", ["missing-tag", "repeated-tag"]),
    (f"<answer>{ANSWER}</answer><think>hm</think>", ["tag-order"]),
    (f"<think>hm <answer>{ANSWER}</answer></think>", ["tag-order"]),
    (f"<answer><think>hm</think>{ANSWER}</answer>", ["tag-order"]),
    (f"</think>hm<think><answer>{ANSWER}</answer>", ["tag-order"]),
    (f"<THINK>hm</THINK><answer>{ANSWER}</answer>", ["missing-tag", "odd-tag"]),
    (turn("hm <Think> hm"), ["odd-tag"]),
    (turn(answer="42 < / answer > or 43"), ["odd-tag"]),
    (turn() + "<ANSWER>43</ANSWER>", ["odd-tag", "outside-text"]),
    (turn("hm <answer/> hm"), ["odd-tag"]),
    ("Sure! " + turn(), ["outside-text"]),
    (turn() + " Done.", ["outside-text"]),
    (turn().replace("\n<answer>", " so <answer>"), ["outside-text"]),
    (turn() + "<|im_end|> Done.", ["outside-text"]),
    (turn() + "<|im_end|>\n<|im_start|>user\nThanks", ["outside-text"]),
    (turn().replace("\n<answer>", "</s><answer>"), ["outside-text"]),
    (turn() + "<|im_end|", ["outside-text"]),
    (turn() + "<end>", ["outside-text"]),
    (turn() + "[1]", ["outside-text"]),
    (turn(""), ["no-reasoning"]),
    (turn(" \n\t"), ["no-reasoning"]),
    (turn("..."), ["no-reasoning"]),
    (turn("…！？ — *** _ _"), ["no-reasoning"]),
    (turn("thinking process here"), ["placeholder"]),
    (turn("[Your reasoning goes here]"), ["placeholder"]),
    (turn("Reasoning process here..."), ["placeholder"]),
    (turn("Let me think step by step."), ["placeholder"]),
    (turn("N/A"), ["placeholder"]),
    (turn("TODO"), ["placeholder"]),
    (turn("思考过程"), ["placeholder"]),
    (turn(QUESTION), ["copied"]),
    (turn("zoey says that ava is a knave!"), ["copied"]),
    (turn(ANSWER), ["copied"]),
    (turn("Zoey is a knight. Ava is a knave."), ["copied"]),
    (turn(f"{QUESTION}\n{ANSWER}\n{ANSWER}"), ["copied"]),
    (turn(answer=""), ["empty-answer"]),
    (turn(answer=" \n "), ["empty-answer"]),
    (turn(answer="..."), ["empty-answer"]),
    ("x" + turn("", "") + "y", ["outside-text", "no-reasoning", "empty-answer"]),
]


@pytest.mark.parametrize("completion", PASSES)
def test_passes(completion):
    verdict = judge(completion)
    assert (verdict["score"], verdict["label"], verdict["detail"]["reasons"]) == (1.0, "ok", [])


@pytest.mark.parametrize(("completion", "reasons"), FAILS)
def test_fails(completion, reasons):
    verdict = judge(completion)
    assert verdict["detail"]["reasons"] == reasons
    assert (verdict["score"], verdict["label"]) == (0.0, reasons[0])


def test_the_prefill_opens_the_turn():
    rest = turn().removeprefix("<think>")
    assert judge(rest, prefill="<think>")["label"] == "ok"
    assert judge(rest)["label"] == "missing-tag"
    record = {"id": "x", "completion": rest}
    assert verify(record, prefill="<think>")["label"] == "ok"
    assert judge(turn(), prefill="<think>")["label"] == "repeated-tag"


def test_min_reasoning_counts_words_that_say_something():
    assert judge(turn("two words"), min_reasoning=2)["label"] == "ok"
    assert judge(turn("two words"), min_reasoning=3)["label"] == "short-reasoning"
    assert (
        judge(turn("the thinking process: two words"), min_reasoning=3)["label"]
        == "short-reasoning"
    )
    assert judge(turn(""), min_reasoning=0)["label"] == "ok"
    assert judge(turn(ANSWER), min_reasoning=0)["label"] == "ok"


def test_truncation_is_flagged_and_does_not_decide():
    cut = judge("<think>and so", finish="length")
    assert cut["detail"]["truncated"]
    assert cut["label"] == "missing-tag"
    assert judge(turn(), finish="length")["label"] == "ok"
    assert not judge(turn(), finish="stop")["detail"]["truncated"]


def test_message_parts_are_text_too():
    parts = [
        {"type": "text", "text": "Is the moon"},
        {"type": "image_url"},
        {"text": " made of cheese?"},
    ]
    assert judge(turn("is the moon made of cheese"), question=parts)["label"] == "copied"


def test_bad_use():
    with pytest.raises(DataError, match="'x'"):
        verify({"id": "x"})
    with pytest.raises(UsageError, match="strict"):
        judge(turn(), grader="strikt")


filler = st.sampled_from(["", "", "a", " ", "\n", "a <", "<think>", "</answer>", "<Think>"])
tags = st.one_of(
    st.just(["<think>", "</think>", "<answer>", "</answer>"]),
    st.permutations(["<think>", "</think>", "<answer>", "</answer>"]),
)


@given(tags, st.lists(filler, min_size=5, max_size=5))
@settings(max_examples=600, deadline=None)
def test_passing_texts_have_the_one_shape_there_is(order, between):
    """The rule stated once more, for texts whose only word is "a": what stands between the tags."""
    text = between[0] + "".join(tag + piece for tag, piece in zip(order, between[1:], strict=True))
    before, thinking, middle, result, after = between
    expected = (
        order == ["<think>", "</think>", "<answer>", "</answer>"]
        and not (before + middle + after).strip()
        and thinking in ("", "a", " ", "\n", "a <")
        and result in ("a", "a <")
    )
    assert (judge(text, min_reasoning=0)["label"] == "ok") == expected


HOSTILE = [
    "<think>" * 14_000,
    "<" * 100_000,
    "<  " * 33_000,
    "<" + " " * 100_000,
    turn(". " * 50_000),
    turn("the " * 25_000),
    turn("zoey. " * 16_000, "zoe " * 25_000),
]


@pytest.mark.parametrize("completion", HOSTILE, ids=lambda c: c[:20])
def test_a_hostile_text_ends_soon(completion):
    assert ends_soon(lambda: judge(completion))

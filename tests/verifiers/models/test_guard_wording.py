"""Guards' replies as servers hand them on: decorated, repeated, explained, cut; and what is no verdict."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from swr1.verifiers.models.adapters import ADAPTERS
from swr1.verifiers.models.reply import CouldNotJudge, Reply
from swr1.verifiers.models.wording import flat

QWEN = "Safety: {}\nCategories: {}\nRefusal: {}"
WILD = "Harmful request: {}\nResponse refusal: {}\nHarmful response: {}"
PLAIN = {  # guard: a reply of each verdict, as its card prints it
    "llama-guard": {"safe": "safe", "unsafe": "unsafe\nS1,S10"},
    "qwen3guard": {
        "safe": QWEN.format("Safe", "None", "No"),
        "unsafe": QWEN.format("Unsafe", "Violent", "No"),
        "controversial": QWEN.format("Controversial", "PII", "No"),
    },
    "wildguard": {"safe": WILD.format("no", "no", "no"), "unsafe": WILD.format("no", "no", "yes")},
    "shieldgemma": {"safe": "No", "unsafe": "Yes"},
    "granite-guardian": {"safe": "<score> no </score>", "unsafe": "<score> yes </score>"},
}
VERDICTS = [(name, label) for name, replies in PLAIN.items() for label in replies]


def read(name, text):
    replies = [Reply(text)] * (4 if name == "shieldgemma" else 1)
    try:
        return ADAPTERS[name].read(replies)
    except CouldNotJudge:
        return None


def label_of(name, text):
    found = read(name, text)
    return found and found.label


def each_line(before, after=""):
    return lambda text: "\n".join(f"{before}{line}{after}" for line in text.split("\n"))


DECORATIONS = [
    str.upper,
    str.lower,
    lambda text: text.replace("\n", "\r\n") + "\r\n",
    lambda text: f"\n\n {text}\n ",
    lambda text: "\ufeff" + text + "\u200b",
    each_line("  "),
    each_line("\t", " "),
    each_line("- "),
    each_line("> "),
    each_line("**", "**"),
    each_line("`", "`"),
    each_line('"', '"'),
    each_line("“", "”"),
    each_line("", "."),
    lambda text: f"```\n{text}\n```",
    lambda text: text.replace(": ", "： "),
    lambda text: text.replace(": ", ":** "),
    lambda text: f"{text}\n{text}",
    lambda text: f"{text}\n\nThe reply is a recipe for soup.",
]


FRAMES = [  # what a template and a tokenizer put around all of it
    str,
    lambda text: f"<|start_header_id|>assistant<|end_header_id|>\n\n{text}<|eot_id|>",
    lambda text: f"<start_of_turn>model\n{text}<end_of_turn><eos>",
    lambda text: text + "<|im_end|>\n<|endoftext|><|endoftext|>",
    lambda text: text + "</s>",
]


@given(
    st.sampled_from(VERDICTS),
    st.lists(st.sampled_from(DECORATIONS), max_size=3),
    st.sampled_from(FRAMES),
)
@settings(max_examples=300, deadline=None)
def test_harmless_decoration_changes_no_verdict(verdict, decorations, frame):
    name, label = verdict
    text = PLAIN[name][label]
    for decorate in (*decorations, frame):
        text = decorate(text)
    assert label_of(name, text) == label, text


@given(
    st.sampled_from(VERDICTS),
    st.sampled_from(["\n", " ", ", ", " or ", "\n\nNo: ", "<|eot_id|>"]),
    st.data(),
)
@settings(max_examples=300, deadline=None)
def test_a_reply_that_holds_two_verdicts_is_none(verdict, joint, data):
    name, label = verdict
    other = data.draw(st.sampled_from([one for one in PLAIN[name] if one != label]))
    assert label_of(name, PLAIN[name][label] + joint + PLAIN[name][other]) is None


WORDS = """the reply seems this guard thinks it is safe unsafe yes no not harmful response safety : , . request S1 says
would be score "safe" (unsafe) Safety: Safe""".split()  # fmt: skip


@given(
    st.sampled_from(list(PLAIN)),
    st.sampled_from(["The", "I think", "It is", "Not", "Perhaps"]),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_prose_is_no_verdict(name, begins, data):
    words = data.draw(st.lists(st.sampled_from(WORDS), max_size=12))
    assume(words[:1] != ["Safety:"])  # "The Safety: yes" is a label and its verdict
    assert label_of(name, " ".join([begins, *words])) is None


@given(st.sampled_from(list(PLAIN)), st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_reply_is_read_or_is_no_verdict(name, text):
    assume(not text.strip().casefold().startswith(("safe", "unsafe", "yes", "no")))
    read(name, text)
    assert len(flat(text)) == len(text)


CODES = [
    ("unsafe S1", ["S1"]), ("unsafe\nS1\nS10", ["S1", "S10"]), ("unsafe\nS1 S10", ["S1", "S10"]),
    ("unsafe, S1;S10", ["S1", "S10"]), ("unsafe (S1)", ["S1"]), ("unsafe\nS1: Violent Crimes.", ["S1"]),
    ("unsafe\nS10 (Hate)", ["S10"]), ("unsafe\nCategories: S1", ["S1"]), ("unsafe\ns1", ["S1"]),
    ("unsafe\nO1,O3", ["O1", "O3"]), ("unsafe\nViolent Crimes, Hate", ["S1", "S10"]),
    ("unsafe\n01", []), ("unsafe\nS", []), ("unsafe\nS1,", ["S1"]), ("unsafe\nS1, S", ["S1"]),
    ("unsafe\nS2\nThe user asked about S1.", ["S2"]), ("**unsafe**\n- S1\n- S2", ["S1", "S2"]),
    ("unsafe because it names a poison.", []), ("unsafe due to the poison.", []),
    ("unsafe<|eot_id|>", []), ("Verdict: unsafe", []), ('{"label": "unsafe"}', []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "codes"), CODES)
def test_how_llama_guard_writes_its_codes(text, codes):
    found = read("llama-guard", text)
    assert found.label == "unsafe"
    assert [category.split()[0] for category in found.detail["categories"]] == codes


OTHERS = [
    ("llama-guard", "safe, as it greets.", "safe"),
    ("llama-guard", "not safe", None), ("llama-guard", "!safe", None), ("llama-guard", "safe?", None),
    ("llama-guard", "safe-ish", None), ("llama-guard", "safe/unsafe", None), ("llama-guard", "safe S1", None),
    ("llama-guard", "safe, but violent", None), ("llama-guard", "safe\nThis is not safe.", None),
    ("llama-guard", "safe\n\nHowever, it incites.", None), ("llama-guard", "safe to use", None),
    ("llama-guard", "safe\0", None), ("llama-guard", "The answer: safe", "safe"),
    ("qwen3guard", "Safety: Unsafe Categories: Violent Refusal: No", "unsafe"),
    ("qwen3guard", '{"Safety": "Unsafe", "Categories": ["Violent"]}', "unsafe"),
    ("qwen3guard", "1. Safety: Unsafe\n2. Categories: Violent", "unsafe"),
    ("qwen3guard", "Safety: Unsafe\nCategories: Violent\n\nIt isn't safe.", "unsafe"),
    ("qwen3guard", "Safety: Safe?", None), ("qwen3guard", "Safety: not Safe", None),
    ("qwen3guard", "Safety: Safe or Unsafe", None), ("qwen3guard", "So Safety: Safe", None),
    ("wildguard", WILD.format("no", "no", "yes").replace("\n", ", "), "unsafe"),
    ("wildguard", WILD.format("no", "no", "yes or no"), None), ("wildguard", "yes", None),
    ("shieldgemma", "Answer: Yes", "unsafe"), ("shieldgemma", "No, it is not harmful.", "safe"),
    ("shieldgemma", "No one knows", None), ("shieldgemma", "Yes? No.", None),
    ("granite-guardian", "Yes, because it is harmful.", "unsafe"), ("granite-guardian", "No\nNo", "safe"),
    ("granite-guardian", "<score> no", None), ("granite-guardian", "<score> not yes </score>", None),
    ("granite-guardian", "I see. <score> \"yes\" </score>", "unsafe"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "label"), OTHERS)
def test_other_replies(name, text, label):
    assert label_of(name, text) == label


@pytest.mark.parametrize(
    "piece", ["safe ", "Safety: Safe\n", "<|eot_id|>", "- ", "Safety: ", "<score>yes</score>"]
)
def test_long_replies_take_linear_time(piece):
    for name in PLAIN:
        read(name, piece * (60_000 // len(piece)))

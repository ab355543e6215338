"""Every adapter against replies in the form its model's card prints, and against what is not."""

import hashlib
import math
import tomllib
from importlib import resources

import pytest

from swr1.errors import UsageError
from swr1.verifiers.models.adapters import ADAPTERS, Ask, adapter_of, policies
from swr1.verifiers.models.reply import CouldNotJudge, Reply, class_probabilities

TURNS = [{"role": "user", "content": "asked"}, {"role": "assistant", "content": "answered"}]
QWEN = "Safety: {}\nCategories: {}\nRefusal: {}"
WILD = "Harmful request: {}\nResponse refusal: {}\nHarmful response: {}"


def read(name, *texts):
    return ADAPTERS[name].read([Reply(text) for text in texts])


@pytest.mark.parametrize(
    ("name", "text", "label", "detail"),
    [
        ("llama-guard", "\n\nsafe", "safe", {"categories": []}),
        ("llama-guard", "safe", "safe", {}),
        ("llama-guard", "unsafe\nS2", "unsafe", {"categories": ["S2 non-violent crimes"]}),
        ("llama-guard", "\n\nunsafe\nS1,S10", "unsafe", {"categories": ["S1 violent crimes", "S10 hate"]}),
        ("llama-guard", "unsafe\nS99", "unsafe", {"categories": ["S99"]}),
        ("llama-guard", "unsafe", "unsafe", {"categories": []}),
        ("qwen3guard", QWEN.format("Safe", "None", "Yes"), "safe", {"categories": []}),
        ("qwen3guard", QWEN.format("Unsafe", "Violent", "No"), "unsafe", {"categories": ["Violent"]}),
        ("qwen3guard", QWEN.format("Controversial", "Unethical Acts, PII", "No"), "controversial",
         {"categories": ["Unethical Acts", "PII"]}),
        ("qwen3guard", "<think>\n\n</think>\n\n" + QWEN.format("Safe", "None", "No"), "safe", {}),
        ("wildguard", WILD.format("yes", "no", "yes"), "unsafe", {}),
        ("wildguard", WILD.format("no", "no", "no"), "safe", {}),
        ("granite-guardian", "<think>\n</think>\n<score> yes </score>", "unsafe", {}),
        ("granite-guardian", "<score> no </score>", "safe", {}),
        ("granite-guardian", "<think>It says <score> yes </score>?</think><score>no</score>", "safe", {}),
        ("granite-guardian", "Yes", "unsafe", {}),
        ("granite-guardian", "No\n<confidence> High </confidence>", "safe", {"stated": "high"}),
    ],
)  # fmt: skip
def test_published_replies_are_read(name, text, label, detail):
    found = read(name, text)
    assert found.label == label and found.classes is None
    assert detail.items() <= found.detail.items()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("llama-guard", ""),
        ("llama-guard", "I am safe to use"),
        ("llama-guard", "safe\nunsafe"),
        ("llama-guard", "safe\nS1"),
        ("llama-guard", "unsafe violence"),
        ("llama-guard", "unsafely"),
        ("llama-guard", "I cannot assess this."),
        ("qwen3guard", "Unsafe"),
        ("qwen3guard", "Safety: Dangerous\nCategories: None"),
        ("qwen3guard", "Safety: Safe\nSafety: Unsafe"),
        ("qwen3guard", "The line 'Safety: Safe' would be right"),
        ("qwen3guard", "<think>Safety: Safe"),
        ("wildguard", WILD.format("no", "no", "N/A")),
        ("wildguard", "Harmful request: no\nResponse refusal: no"),
        ("wildguard", WILD.format("no", "no", "no") + "\nHarmful response: yes"),
        ("wildguard", WILD.format("no", "no", "maybe")),
        ("granite-guardian", "<score> maybe </score>"),
        ("granite-guardian", "<score> yes </score><score> no </score>"),
        ("granite-guardian", "<think> so long that it was cut <score> yes </score>"),
        ("granite-guardian", "Yes and no"),
    ],
)
def test_other_replies_are_no_verdict(name, text):
    with pytest.raises(CouldNotJudge):
        read(name, text)


def test_what_guards_say_of_refusals_and_requests():
    wild = read("wildguard", WILD.format("no", "yes", "no"))
    assert wild.refusal is True and wild.harmful_request is False
    assert read("qwen3guard", QWEN.format("Safe", "None", "Yes")).refusal is True
    assert read("qwen3guard", "Safety: Safe\nCategories: None").refusal is None


def test_of_shieldgemmas_policies_the_worst_counts():
    assert len(policies()) == 4
    assert read("shieldgemma", "No", "No", "Yes", "No").detail == {"categories": ["hate"]}
    assert read("shieldgemma", "No", "No", "No", "No").label == "safe"
    with pytest.raises(CouldNotJudge):
        read("shieldgemma", "No", "No", "Perhaps", "No")
    near = {"Yes": math.log(0.3), "No": math.log(0.6), "Perhaps": math.log(0.1)}
    sure = Reply("No", [("No", {"No": -0.01, "Yes": -6.0})])
    found = ADAPTERS["shieldgemma"].read([sure, Reply("No", [("No", near)]), sure, sure])
    assert found.classes["unsafe"] == pytest.approx(1 / 3)


def test_probabilities_are_read_where_the_word_stands():
    words = {"safe": "safe", "unsafe": "unsafe", "controversial": "controversial"}
    tokens = [
        ("Safety", {"Safety": 0.0}),
        (":", {":": 0.0}),
        (
            " Un",
            {" Un": math.log(0.5), " Safe": math.log(0.25), " Cont": math.log(0.05), " It": -3},
        ),
        ("safe", {"safe": 0.0}),
    ]
    found = class_probabilities(Reply("Safety: Unsafe", tokens), 8, words)
    assert found["unsafe"] == pytest.approx(0.625) and found["safe"] == pytest.approx(0.3125)
    assert sum(found.values()) == pytest.approx(1)
    assert class_probabilities(Reply("Safety: Unsafe"), 8, words) is None
    merged = [("Safety: Unsafe", {"Safety: Unsafe": 0.0})]
    assert class_probabilities(Reply("Safety: Unsafe", merged), 8, words) is None
    other = [("something", {"x": 0.0})]
    assert class_probabilities(Reply("Safety: Unsafe", other), 8, words) is None


def test_llama_guard_scores_at_its_first_word():
    near = {"unsafe": math.log(0.2), "safe": math.log(0.7), "un": math.log(0.1)}
    found = ADAPTERS["llama-guard"].read(
        [Reply("\n\nsafe", [("\n\n", {"\n\n": 0}), ("safe", near)])]
    )
    assert found.classes["unsafe"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("meta-llama/Llama-Guard-3-8B", "llama-guard"),
        ("meta-llama/Llama-Guard-4-12B", "llama-guard"),
        ("Qwen/Qwen3Guard-Gen-0.6B", "qwen3guard"),
        ("allenai/wildguard", "wildguard"),
        ("google/shieldgemma-2b", "shieldgemma"),
        ("ibm-granite/granite-guardian-3.3-8b", "granite-guardian"),
    ],
)
def test_guards_are_known_by_name(model, name):
    assert adapter_of(model).name == name


def test_a_guard_is_known_by_its_template_or_asked_for():
    template = "<BEGIN UNSAFE CONTENT CATEGORIES>\nS1: Violent Crimes."
    assert adapter_of("runs/mine", template=template).name == "llama-guard"
    with pytest.raises(UsageError, match="--adapter"):
        adapter_of("Qwen/Qwen2.5-7B-Instruct")
    with pytest.raises(UsageError, match="llama-guard"):
        adapter_of("x", "lama-guard")
    with pytest.raises(UsageError, match="Gen"):
        adapter_of("Qwen/Qwen3Guard-Stream-4B")


def test_how_each_is_asked():
    def ask(name, **how):
        return ADAPTERS[name].questions(TURNS, Ask(**{"model": ""} | how))

    [plain] = ask("llama-guard")
    assert plain.messages == TURNS
    [parts] = ask("llama-guard", template="{{ message['content'][0]['text'] }}")
    assert parts.messages[0]["content"] == [{"type": "text", "text": "asked"}]
    [wild] = ask("wildguard")
    assert "Human user:\nasked\n\nAI assistant:\nanswered\n\n---" in wild.text and not wild.messages
    shield = ask("shieldgemma")
    assert [q.template["guideline"] for q in shield] == policies()
    [old] = ask("granite-guardian", model="granite-guardian-3.1-8b")
    assert old.template["guardian_config"] == {"risk_name": "harm"}
    [new] = ask("granite-guardian", model="granite-guardian-3.3-8b", think=True)
    assert new.template == {"guardian_config": {"criteria_id": "harm"}, "think": True}
    [four] = ask("granite-guardian", model="granite-guardian-4.1-8b", criteria="It rhymes.")
    assert (
        four.messages[-1]["role"] == "user"
        and "### Criteria: It rhymes." in four.messages[-1]["content"]
    )


PUBLISHED = {  # of the texts as they stand in the sources that the files name
    ("wildguard", "input"): "fa7f1c313ef1463a",  # with the <s> in front
    ("shieldgemma", "input"): "93f1f2fc854d74ac",
    ("shieldgemma", "policies"): "7998f0f5d3f1c78b",  # one a line
    ("granite-guardian", "no_think"): "1417f40b241d439b",
    ("granite-guardian", "think"): "2d68c6b00ae265fc",
    ("granite-guardian", "criteria"): "d9fdd3f7e78bc35b",
}


@pytest.mark.parametrize("where", PUBLISHED, ids="-".join)
def test_the_inputs_are_the_published_ones_to_the_letter(where):
    """A guard knows no other wording; whoever changes one must have read it at its source."""
    file, key = where
    found = tomllib.loads((resources.files("swr1.data") / "guards" / f"{file}.toml").read_text())
    text = found[key]
    text = text if isinstance(text, str) else "\n".join(text.values())
    text = f"<s>{text}" if file == "wildguard" else text
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == PUBLISHED[where]


def test_a_longer_talk_becomes_one_request_for_guards_that_know_no_other():
    turns = [
        *TURNS,
        {"role": "user", "content": "and then"},
        {"role": "assistant", "content": "so"},
    ]
    [wild] = ADAPTERS["wildguard"].questions(turns, Ask(""))
    assert "[assistant] answered\n\n[user] and then\n\nAI assistant:\nso" in wild.text

"""System prompts by name or file, and rendering with templates of several habits."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from swr1.errors import DataError, UsageError
from swr1.prompts import (
    Prompt,
    assistant_text,
    load_prompt,
    parse_arguments,
    prompt_names,
    render,
    render_text,
    rendered,
    template_facts,
)

WORDS = [
    "<unk>",
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "system",
    "user",
    "assistant",
]
WORDS += ["User:", "Assistant:", "Be", "brief.", "Who", "is", "it", "?", "a", "knight", "yes", "so"]
CHATML = (
    "{% for m in messages %}<|im_start|> {{ m.role }} {{ m.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)
ASK = [{"role": "user", "content": "Who is it ?"}]


def tokenizer(template=CHATML, bos=False):
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if bos:
        core.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", unk_token="<unk>")
    made.chat_template = template
    return made


def words(ids):
    return [WORDS[i] for i in ids]


def test_named_prompts():
    assert prompt_names() == ["deliberate", "logic-rl", "logic-rl-terse", "none"]
    prompt = load_prompt("logic-rl")
    assert prompt.prefill == "<think>"
    for part in ("<think>", "</think>", "<answer>", "</answer>", "(1) Zoey is a knight\n(2)"):
        assert part in prompt.system
    assert load_prompt("logic-rl-terse") == Prompt("logic-rl-terse", None, "<think>")
    assert load_prompt("none") == Prompt("none", None, "")


def test_prompts_from_files(tmp_path):
    text, toml = tmp_path / "mine.txt", tmp_path / "other.toml"
    text.write_text("Be brief.\n")
    toml.write_text('system = "Be brief."\nprefill = "<think>"')
    assert load_prompt(str(text)) == Prompt("mine", "Be brief.", "")
    assert load_prompt(str(toml)) == Prompt("other", "Be brief.", "<think>")
    toml.write_text("prefil = '<think>'")
    with pytest.raises(UsageError, match="unknown key 'prefil'"):
        load_prompt(str(toml))
    toml.write_text("prefill = ")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_prompt(str(toml))
    text.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="cannot read"):
        load_prompt(str(text))
    with pytest.raises(UsageError, match="Did you mean 'logic-rl'"):
        load_prompt("logicrl")


def test_template_system_and_prefill():
    ids = render(tokenizer(), ASK, "Be brief.", "<think>")
    assert words(ids) == [
        "<|im_start|>",
        "system",
        "Be",
        "brief.",
        "<|im_end|>",
        "<|im_start|>",
        "user",
        "Who",
        "is",
        "it",
        "?",
        "<|im_end|>",
        "<|im_start|>",
        "assistant",
        "<think>",
    ]


def test_prompt_and_rest_are_the_whole():
    tok = tokenizer()
    rest = " so </think> yes <|im_end|>"
    whole = render_text(tok, ASK, None, "<think>") + rest
    joined = render(tok, ASK, None, "<think>") + tok(rest, add_special_tokens=False)["input_ids"]
    assert joined == tok(whole, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("template", [None, CHATML, "{{ bos_token }} " + CHATML])
@pytest.mark.parametrize("bos", [False, True])
def test_never_two_bos(template, bos):
    ids = words(render(tokenizer(template, bos), ASK, "Be brief.", "<think>"))
    expected = 1 if (template and "bos_token" in template) or (not template and bos) else 0
    assert ids.count("<s>") == expected
    assert ids[0] == "<s>" or not expected


def test_without_a_template_the_text_is_plain():
    tok = tokenizer(template=None)
    assert render_text(tok, ASK, "Be brief.", "<think>") == (
        "Be brief.\nUser: Who is it ?\nAssistant: <think>"
    )
    assert words(render(tok, ASK))[-1] == "Assistant:"


def test_a_template_without_a_system_role_gets_it_in_the_first_turn():
    refuses = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        + CHATML
    )
    drops = CHATML.replace(
        "{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"
    )
    for template in (refuses, drops):
        ids = words(render(tokenizer(template), ASK, "Be brief."))
        assert ids[:5] == ["<|im_start|>", "user", "Be", "brief.", "Who"]


def test_the_records_own_system_message_is_kept_after_ours():
    messages = [{"role": "system", "content": "so"}, *ASK]
    ids = words(render(tokenizer(), messages, "Be brief."))
    assert ids[:6] == ["<|im_start|>", "system", "Be", "brief.", "so", "<|im_end|>"]
    assert words(render(tokenizer(), messages))[:4] == [
        "<|im_start|>",
        "system",
        "so",
        "<|im_end|>",
    ]


def test_a_template_that_opens_the_thinking_itself():
    opens = CHATML.replace("assistant {%", "assistant <think>\n{%")
    assert words(render(tokenizer(opens), ASK, None, "<think>")).count("<think>") == 1


def test_text_parts_are_joined_and_others_refused():
    parts = [{"type": "text", "text": "Who is "}, {"type": "text", "text": "it ?"}]
    assert render(tokenizer(), [{"role": "user", "content": parts}]) == render(tokenizer(), ASK)
    image = [{"type": "image_url", "image_url": {"url": "x.png"}}]
    with pytest.raises(DataError, match="not text"):
        render(tokenizer(), [{"role": "user", "content": image}])
    with pytest.raises(DataError, match="must end"):
        render(tokenizer(), [*ASK, {"role": "assistant", "content": "yes"}])


def test_assistant_text():
    record = {"completion": " so </think>", "generation": {"prefill": "<think>"}}
    assert assistant_text(record) == "<think> so </think>"
    assert assistant_text({"completion": "yes"}) == "yes"


# What a template makes of one prompt


def refusing(condition: str, words: str) -> str:
    return "{% if " + condition + " %}{{ raise_exception('" + words + "') }}{% endif %}" + CHATML


TWO = [*ASK, *ASK]


@pytest.mark.parametrize(
    ("template", "messages", "words"),
    [
        (refusing("messages|length > 1", "roles must alternate"), TWO, "roles must alternate"),
        (refusing("messages|selectattr('role', 'eq', 'tool')|list", "no tools"), [{"role": "tool", "content": "x"}, *ASK], "no tools"),
        ("{{ nothing.here }}" + CHATML, ASK, "'nothing' is undefined"),
        ("{{ 1 + messages }}", ASK, "unsupported operand"),
        ("{% for m in %}", ASK, "Expected an expression"),
        ("{{ messages[0]['content'].foo() }}", ASK, "has no attribute 'foo'"),
        ("{{ raise_exception('stop\x1b]0;title\x07\n now') }}", ASK, "stop␛]0;title␇ now"),
        ("{{ ''.__class__.__mro__ }}", ASK, "unsafe"),
        ("{{ 1 / 0 }}", ASK, "division by zero"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_what_a_template_refuses_is_a_bad_record(template, messages, words, system):
    with pytest.raises(DataError, match="the chat template refuses it") as refused:
        render(tokenizer(template), messages, system)
    assert words in refused.value.reason and "\n" not in refused.value.reason


@pytest.mark.parametrize("system", [None, "so"])
def test_the_records_own_system_turn_moves_where_there_is_no_such_role(system):
    drops = CHATML.replace(
        "{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"
    )
    messages = [{"role": "system", "content": "Be brief."}, *ASK]
    for template in (refusing("messages[0].role == 'system'", "no system role"), drops):
        ids = words(render(tokenizer(template), messages, system))
        expected = ["<|im_start|>", "user", *([system] if system else []), "Be", "brief.", "Who"]
        assert ids[: len(expected)] == expected
    alone = tokenizer(refusing("messages[0].role == 'system'", "no system role"))
    with pytest.raises(DataError, match="no user's turn"):
        render(alone, messages[:1], system)


@pytest.mark.parametrize(
    "content",
    [[{"type": "text"}], [{"type": "text", "text": None}], [{"text": "x"}], ["x"], None, 5, {}],
)
def test_content_that_holds_no_text_is_a_bad_record(content):
    for template in (CHATML, None):
        with pytest.raises(DataError, match="not text"):
            render(tokenizer(template), [{"role": "user", "content": content}])
        with pytest.raises(DataError, match="role is not text"):
            render(tokenizer(template), [{"role": content, "content": "x"}])


# What opens the assistant's turn


def opening(end: str) -> PreTrainedTokenizerFast:
    return tokenizer(CHATML.replace("assistant {% endif %}", end + "{% endif %}"))


@pytest.mark.parametrize(
    ("end", "opened"),
    [
        ("assistant\n<think>\n", "<think>\n"),
        ("assistant <think>", "<think>"),
        ("assistant\n<think>\n\n</think>\n\n", "<think>\n\n</think>\n\n"),
        ("assistant\n", ""),
        ("<|im_end|>", ""),
        ("<|im_start|><think>\n", "<think>\n"),
        ("<assistant>\n", ""),
        ("<assistant>\n<reasoning>", "<reasoning>"),
        ("assistant: a < b > ", ""),
    ],
)
def test_what_the_template_opens_is_the_prefill(end, opened):
    tok = opening(end)
    for content in ("Who is it ?", "<think> <answer>", "assistant", ""):
        made = rendered(tok, [{"role": "user", "content": content}], Prompt("none"))
        assert made.prefill == opened and made.text.endswith(end)


def test_a_prefill_and_what_the_template_opens_are_one_opening():
    tok = opening("assistant\n<think>\n")
    assert rendered(tok, ASK, Prompt("", None, "<think>")).prefill == "<think>\n"
    assert rendered(tok, ASK, Prompt("", None, "so")).prefill == "<think>\nso"
    assert rendered(tokenizer(), ASK, Prompt("", None, "<think>")).prefill == "<think>"
    assert rendered(tokenizer(None), ASK, Prompt("", None, "<think>")).prefill == "<think>"
    assert rendered(tokenizer(None), ASK, Prompt("none")).prefill == ""


# Arguments of the template

THINKS = CHATML.replace(
    "assistant {% endif %}",
    "assistant {% if enable_thinking is defined and enable_thinking is false %}<think> </think> "
    "{% endif %}{{ tone }}{% endif %}",
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("false", False), ("False", False), ("true", True), ("None", None), ("null", None), ("3", 3),
     ("0.5", 0.5), ('"3"', "3"), ("high", "high"), ("", ""), ("a=b", "a=b"), ('["x"]', ["x"])],
)  # fmt: skip
def test_arguments_have_the_type_that_they_look_like(text, value):
    [(key, found)] = parse_arguments([f"enable_thinking={text}"]).items()
    assert (key, found, type(found)) == ("enable_thinking", value, type(value))


@pytest.mark.parametrize("pair", ["x", "=3", "a b=3", "messages=[]", "tokenize=true"])
def test_arguments_that_are_none(pair):
    with pytest.raises(UsageError, match="--template"):
        parse_arguments([pair])


def test_arguments_reach_the_template_and_the_record():
    tok = tokenizer(THINKS)
    off = Prompt("none", arguments={"enable_thinking": False})
    assert words(rendered(tok, ASK, off).ids)[-2:] == ["<think>", "</think>"]
    assert rendered(tok, ASK, off).prefill == "<think> </think> "
    assert words(rendered(tok, ASK, Prompt("none")).ids)[-1] == "assistant"
    facts = template_facts(tok, off)["template"]
    assert facts["arguments"] == {"enable_thinking": False} and len(facts["digest"]) == 16
    plain = template_facts(tok, Prompt("none"))["template"]
    assert plain == {"digest": facts["digest"]}
    assert template_facts(tokenizer(), off)["template"]["digest"] != facts["digest"]
    assert template_facts(tokenizer(None), Prompt("none")) == {}


def test_arguments_that_the_template_does_not_know_are_refused():
    for tok, key, told in (
        (tokenizer(THINKS), "enable_thinkng", "Did you mean 'enable_thinking'"),
        (tokenizer(THINKS), "unk_token", "the tokenizer says that"),
        (tokenizer(), "tone", "knows no such argument"),
        (tokenizer(None), "tone", "no chat template"),
    ):
        with pytest.raises(UsageError, match=told):
            rendered(tok, ASK, Prompt("none", arguments={key: 1}))

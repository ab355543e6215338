"""The verdict on language: shares by script, sentences by language, and what is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.verifiers.builtin.language import verify

EN = "If Ava is a knight, then what she says is true, and Oliver has to be a knave."
DE = "Wenn Ava ein Ritter ist, dann stimmt, was sie sagt, und Oliver ist ein Schurke."
FR = "Si Ava est un chevalier, ce qu'elle dit est vrai, et Oliver est un menteur."
ZH = "如果艾娃是骑士，那么她说的话是真的，所以奥利弗是无赖。"
JA = "もしアヴァが騎士なら、彼女の言うことは本当です。"
KO = "아바가 기사라면 그녀의 말은 사실입니다."
RU = "Если Ава рыцарь, то она говорит правду, а Оливер лжец."


def judge(completion, want="en", question="", **options):
    prompt = [{"role": "user", "content": question}]
    return verify({"id": "x", "prompt": prompt, "completion": completion}, want=want, **options)


BY_LANGUAGE = {"en": EN, "de": DE, "fr": FR, "zh": ZH, "ja": JA, "ko": KO, "ru": RU}


@pytest.mark.parametrize("written", BY_LANGUAGE)
@pytest.mark.parametrize("want", BY_LANGUAGE)
def test_each_language_against_each(want, written):
    verdict = judge(BY_LANGUAGE[written], want)
    if want == written:
        assert (verdict["score"], verdict["label"]) == (1.0, "ok")
    else:
        assert verdict["label"] == ("mixed" if (want, written) == ("zh", "ja") else "other")


@pytest.mark.parametrize("written", BY_LANGUAGE)
def test_the_language_of_the_prompt(written):
    verdict = judge(BY_LANGUAGE[written], "prompt", question=BY_LANGUAGE[written])
    assert verdict["detail"]["want"] == written
    assert verdict["label"] == "ok"


def test_mixing():
    verdict = judge(f"{EN}\n{ZH}\n{EN}")
    assert verdict["label"] == "mixed"
    assert 0.5 < verdict["score"] < 0.8
    assert verdict["detail"]["scripts"]["LATIN"] == pytest.approx(verdict["score"])
    german = judge(f"{EN} {DE} {EN}")
    assert german["label"] == "mixed"
    assert german["detail"]["others"]["de"] == pytest.approx(1 - german["score"])


LEFT_OUT = [
    f"{EN}\n```\n变量 = 输入()\n```",
    f"{EN} `变量`",
    f"{EN} $中 = 1$ and \\(中\\) and \\[中\\]",
    f"{EN} “{ZH}”",
    f'{EN} "{DE}"',
    f"<think>{EN}</think><answer>{EN}</answer>",
    f"{EN} https://example.org/路径",
]


@pytest.mark.parametrize("text", LEFT_OUT)
def test_what_is_left_out(text):
    assert judge(text)["score"] == 1.0


def test_quotations_count_where_they_are_asked_to():
    assert judge(f"{EN} “{ZH}”", quotes=True)["label"] == "mixed"


def test_a_formula_or_a_name_in_chinese_text():
    text = f"设 $x = 3$，则 \\frac{{1}}{{2}} 成立。{ZH * 3} 答案是 A。"
    assert judge(text, "zh")["label"] == "ok"


def test_what_is_no_word_belongs_to_no_language():
    verdict = judge(EN + " " + "SGVsbG8gd29ybGQ" * 20)
    assert verdict["label"] == "mixed"


@pytest.mark.parametrize("text", ["", "42", "x = 3", "```\nfor i in range(10): print(i)\n```"])
def test_too_few_letters_are_null(text):
    verdict = judge(text)
    assert (verdict["score"], verdict["label"]) == (None, None)
    assert "too few" in verdict["error"]


def test_the_language_of_an_empty_prompt_is_not_known():
    assert "not known" in judge(EN, "prompt", question="1 + 1")["error"]


def test_bad_settings_and_records():
    with pytest.raises(UsageError, match="unknown language 'xx'"):
        judge(EN, "xx")
    with pytest.raises(DataError, match="completion"):
        verify({"id": "x"})


@given(st.text(max_size=100), st.sampled_from(sorted(BY_LANGUAGE)))
def test_any_text_is_judged(text, want):
    score = judge(text, want)["score"]
    assert score is None or 0 <= score <= 1

"""A judge by a prompt file: a template, a rule to read the reply, labels and what they score.

    swr1 verify safety --guard Qwen/Qwen2.5-7B-Instruct --judge safety       # ships with swr1
    swr1 verify value  --guard big --url http://gpu1:8000/v1 --judge mine.toml

The file is TOML, with the templates in one or both languages:

    parse = '(?im)^verdict:\\s*(?P<label>safe|unsafe)\\s*$'    # a regular expression
    max_tokens = 512
    [labels]
    safe = { label = "safe", score = 1 }        # what (?P<label>...) finds -> label and score
    unsafe = { label = "unsafe", score = 0 }
    [template]
    en = "... {prompt} ... {response} ... {answer} ... {fence} ..."
    zh = "..."

or a text file, which is the template alone: the reply must then end in a line "Verdict: LABEL" with
a label of the verifier. {answer} is the record's ground truth; {fence} a line that nothing in the
record contains, so that a response cannot pretend to end before the judge's orders.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.registry import suggest
from swr1.verifiers.models.adapters import Reading, without_thoughts
from swr1.verifiers.models.reply import CouldNotJudge, Question, Reply, class_probabilities

KEYS = ("parse", "max_tokens", "labels", "template", "source", "title")
CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True)
class PromptFile:
    """A judge's prompt. `labels`: what the rule finds, in lower case -> (label, score)."""

    name: str
    templates: dict[str, str]
    parse: re.Pattern[str]
    labels: dict[str, tuple[str, float]]
    max_tokens: int = 512

    def question(
        self, prompt: str, response: str, answer: str, language: str = "auto", max_tokens: int = 0
    ) -> Question:
        """What to ask about a response; in Chinese where it, or else its prompt, mostly is."""
        if language == "auto":
            language = "zh" if _is_chinese(response or prompt) else "en"
        template = self.templates.get(language) or next(iter(self.templates.values()))
        digest = hashlib.blake2b(f"{prompt}\0{response}".encode(), digest_size=8).hexdigest()
        texts = {
            "prompt": prompt,
            "response": response,
            "answer": answer,
            "fence": f"=== {digest} ===",
        }
        text = re.sub(r"\{(\w+)\}", lambda m: texts.get(m[1], m[0]), template)
        turns = [{"role": "user", "content": text}]
        return Question(turns, "", {}, (response,), max_tokens or self.max_tokens)

    def read(self, reply: Reply) -> Reading:
        """The label, and how likely each is where the reply's tokens show it."""
        text, at = without_thoughts(reply)
        matches = list(self.parse.finditer(text))
        labels = {m["label"].strip().casefold() for m in matches}
        if len(labels) != 1:
            what = "says both " + " and ".join(sorted(labels)) if labels else "holds no verdict"
            raise CouldNotJudge(f"the judge's reply {what}: ...{text[-100:]!r}")
        [label] = labels
        if label not in self.labels:
            raise CouldNotJudge(f"the judge's reply says {label!r}, which is none of the labels")
        words = {word: name for word, (name, _) in self.labels.items()}
        classes = class_probabilities(reply, at + matches[-1].start("label"), words)
        return Reading(self.labels[label][0], classes, {})

    def scores(self) -> dict[str, float]:
        return dict(self.labels.values())


def judge_names() -> list[str]:
    """The judges' prompts that come with the package."""
    files = (resources.files("swr1.data") / "judges").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def load_judge(name_or_file: str, scores: dict[str, float]) -> PromptFile:
    """A named prompt, a .toml file or a text file; `scores` are the verifier's own labels.

    Raises UsageError for what is no such file, naming the key that is wrong.
    """
    names = judge_names()
    path = Path(name_or_file)
    if name_or_file in names:
        file = resources.files("swr1.data") / "judges" / f"{name_or_file}.toml"
        return _from_toml(name_or_file, file.read_text("utf-8"))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"no judge's prompt {name_or_file!r} ({error}).{suggest(name_or_file, names)}"
            f" Known: {', '.join(names)}; or the path of a .toml or text file"
        ) from None
    if path.suffix == ".toml":
        return _from_toml(path.name, text)
    words = "|".join(sorted(map(re.escape, scores), key=len, reverse=True))
    rule = re.compile(rf"(?im)^\W*verdict\W*[:：]\W*(?P<label>{words})\W*$")
    labels = {word.casefold(): (word, score) for word, score in scores.items()}
    return PromptFile(path.name, {"en": _checked(path.name, text)}, rule, labels)


def _from_toml(name: str, text: str) -> PromptFile:
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the judge's prompt {name} is not valid TOML: {error}") from None
    for key in fields:
        if key not in KEYS:
            raise UsageError(f"the judge's prompt {name}: unknown key {key!r}.{suggest(key, KEYS)}")
    templates = fields.get("template")
    if isinstance(templates, str):
        templates = {"en": templates}
    if not isinstance(templates, dict) or not templates:
        raise UsageError(f"the judge's prompt {name} has no [template] with en or zh")
    try:
        rule = re.compile(fields["parse"])
    except (KeyError, re.error, TypeError) as error:
        raise UsageError(f"the judge's prompt {name}: 'parse' is no pattern: {error}") from None
    if "label" not in rule.groupindex:
        raise UsageError(f"the judge's prompt {name}: 'parse' must have a group (?P<label>...)")
    return PromptFile(
        name,
        {language: _checked(name, t) for language, t in templates.items()},
        rule,
        _labels(name, fields.get("labels")),
        int(fields.get("max_tokens", 512)),
    )


def _labels(name: str, listed: Any) -> dict[str, tuple[str, float]]:
    try:
        labels = {
            word.casefold(): (str(value["label"]), float(value["score"]))
            if isinstance(value, dict)
            else (word, float(value))
            for word, value in listed.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UsageError(
            f"the judge's prompt {name}: [labels] is like: safe = {{label = 'safe', score = 1}}"
        ) from None
    if not labels:
        raise UsageError(f"the judge's prompt {name}: [labels] is empty")
    return labels


def _checked(name: str, template: Any) -> str:
    if not isinstance(template, str) or "{response}" not in template:
        raise UsageError(f"the judge's prompt {name}: a template must hold {{response}}")
    return template


def _is_chinese(text: str) -> bool:
    some = text[:4000]
    return 3 * len(CHINESE.findall(some)) > sum(c.isalpha() for c in some)

"""The model card of a classifier: README.md in each of its versions, from what was measured."""

from typing import Any

TITLES = {
    "guard": "A classifier of completions",
    "reward-model": "A reward model",
    "process-model": "A process reward model",
}
USE = {
    "guard": """from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForSequenceClassification.from_pretrained(FOLDER)
{text}
logits = model(**tokenizer(text, add_special_tokens={special}, return_tensors="pt")).logits
{result}""",
    "process-model": """from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForTokenClassification.from_pretrained(FOLDER)
{text}
logits = model(**tokenizer(text, add_special_tokens=False, return_tensors="pt")).logits
# at the last token of each step: {what}
{result}""",
}
DECODER = """text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
text += completion{end}"""
ENCODER = 'text = f"User: {question}\\nAssistant: {completion}"'
LIMITS = {
    "guard": "Text that addresses the judge, other languages, encodings and kinds of harm that the"
    " records do not hold are outside of what was measured.",
    "reward-model": "Its scores compare completions of one prompt; across prompts they mean little."
    " A policy that is trained on them will find what they overrate, length first.",
    "process-model": "It was measured on steps of the kind that it learned from. A high score says"
    " that a step looks like the right ones, not that it is proven.",
}


def model_card(facts: dict[str, Any], encoder: bool = False) -> str:
    """Markdown with the hub's front matter. `facts` is what classifier.json holds."""
    stage, figures = facts["stage"], facts["held_out"]
    tokens = stage == "process-model"
    front = [
        "---",
        "library_name: transformers",
        f"pipeline_tag: {'token' if tokens else 'text'}-classification",
        f"tags: [swr1, {stage}]",
        "---",
    ]
    end = "" if tokens else " + tokenizer.eos_token"
    graded = bool(facts.get("dimensions"))
    scaled = _scaled(facts["temperature"])
    if facts.get("offsets"):
        scaled += f" + torch.tensor({[round(x, 4) for x in facts['offsets']]})"
    use = USE["process-model" if tokens else "guard"].format(
        text=ENCODER if encoder else DECODER.format(end=end),
        special=encoder,
        result="score = logits[0, 0]"
        if stage == "reward-model"
        else f"probabilities = ({scaled}).{'sigmoid()' if graded else 'softmax(-1)'}",
        what="how good it is in each dimension" if graded else "softmax over wrong, right",
    )
    lines = [
        *front,
        f"# {TITLES[stage]}",
        "",
        f"Trained by `swr1 train-step {stage}` from `{facts['start']}`. It learned"
        f" {facts['learned']}."
        + ("" if stage == "reward-model" else f" Labels: {', '.join(facts['labels'])}.")
        + (f" Steps are split by the rule `{facts['rule']}`." if facts.get("rule") else ""),
        "",
        "```python",
        *use.splitlines(),
        "```",
        "",
        "## Data",
        "",
        *_table(["", "trained on", "held out"], _counts(facts)),
        "",
        f"Held out: {facts['split']}. The longest sequence may have {facts['max_length']:,} tokens."
        + _prompt_read(facts.get("prompt_tokens"))
        + _dropped(facts["dropped"])
        + (" In the loss a label weighs by its rarity." if facts["balance"] else ""),
        "",
        "## Figures on what was held out",
        "",
        *(_figures(figures) if figures else ["Nothing was held out: nothing was measured."]),
        "",
        "## Limits",
        "",
        "The figures are of records like those held out, from the same source as those trained on"
        " unless said otherwise. The temperature is fitted to them, and calibrates on such records"
        f" only. {LIMITS[stage]}",
    ]
    return "\n".join(lines) + "\n"


def _scaled(temperature: float | list[float] | None) -> str:
    if isinstance(temperature, list):
        return f"logits / torch.tensor({[round(t, 4) for t in temperature]})"
    return f"logits / {temperature:.4g}" if temperature else "logits"


def _counts(facts: dict[str, Any]) -> list[list[Any]]:
    a, b = facts["trained_on"], facts["held_out_of"]
    title = {"guard": "completions", "reward-model": "pairs", "process-model": "traces"}
    names = {name: name for name in a if name != "items"} | {"items": title[facts["stage"]]}
    return [[names[name], a[name], b[name]] for name in names]


def _prompt_read(limit: int | None) -> str:
    if limit is None:
        return ""
    if limit == 0:
        return " Of a prompt nothing is read: an empty one stands in its place."
    return (
        f" Of a prompt with more than {limit} tokens the first {limit // 2} and the last"
        f" {limit - limit // 2} are read, with ' ... ' between; of a response, everything."
    )


def _dropped(dropped: dict[str, int]) -> str:
    reasons = "; ".join(f"{n} {reason}" for reason, n in dropped.items())
    return f" Dropped: {reasons}." if reasons else ""


def _figures(figures: dict[str, Any]) -> list[str]:
    low, high = figures["accuracy_interval"]
    interval = f"(95% by {figures['prompts']} prompts: {low:.3f} to {high:.3f})"
    titles = {
        "margin": "mean margin",
        "majority": "always the most frequent label",
        "macro_f1": "macro F1",
        "first_error": "traces whose first wrong step is found, or that none is",
        "auroc": "AUROC",
        "log_loss": "log-loss",
        "ece": f"ECE, {figures['bins']} bins of equal width",
        "ece_equal_mass": f"ECE, {figures['bins']} bins of equal counts",
        "temperature": "temperature",
    }
    rows = [["accuracy", f"{figures['accuracy']:.3f} {interval}"]]
    for name in filter(figures.__contains__, titles):
        scaled = f"{name}_scaled"
        more = f"; scaled: {_number(figures[scaled])}" if scaled in figures else ""
        if not isinstance(figures[name], list):
            rows.append([titles[name], _number(figures[name]) + more])
    if found := figures.get("first_wrong"):
        rows.append([FOUND, _found(found)])
    lines = _table(["", "held out"], rows)
    if "per_class" in figures:
        names = ("precision", "recall", "f1", "auroc", "n")
        classes = [
            [label, *(_number(one[name]) for name in names)]
            for label, one in figures["per_class"].items()
        ]
        lines += ["", *_table(["label", "precision", "recall", "F1", "AUROC", "n"], classes)]
    if "by_dimension" in figures:
        head = ["dimension", "n", "mean", "accuracy", "AUROC", "log-loss", "ECE", "scaled", FOUND]
        rows = []
        for name, one in figures["by_dimension"].items():
            if one["n"]:
                shown = ("mean", "accuracy", "auroc", "log_loss", "ece", "ece_scaled")
                cells = [_number(one[key]) for key in shown]
                rows.append([name, one["n"], *cells, _found(one.get("first_wrong"))])
        lines += ["", *_table(head, rows)]
    if "by_source" in figures:
        head = ["source", "n", "accuracy", "with temperature and offsets", "calibrated on"]
        rows = []
        for name, one in figures["by_source"].items():
            shares = (_number(one["accuracy"]), _number(one["accuracy_scaled"]))
            rows.append([name, one["n"], *shares, "yes" if one["fitted_on"] else "no"])
        lines += ["", *_table(head, rows)]
    return lines


FOUND = "F1 of the first wrong step (ProcessBench)"


def _found(figures: dict[str, Any] | None) -> str:
    if not figures:
        return "undefined"
    shares = f"{_number(figures['wrong'])} of {figures['n_wrong']} wrong ones, "
    shares += f"{_number(figures['right'])} of {figures['n_right']} right ones"
    return f"{_number(figures['f1'])} ({shares})"


def _number(x: float | int | None) -> str:
    return "undefined" if x is None else str(x) if isinstance(x, int) else f"{x:.3f}"


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]

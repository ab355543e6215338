"""Safety-Tuned LLaMAs: unsafe instructions with safe answers, and the sets they were tested on.

The names of the files, which info.subset keeps, distinguish the instruction sets. The set does not
say whether a question of Q-Harm is harmful.
"""

from swr1.loading.declare import About, dataset, item, text

ABOUT = About(
    measures="safe answers to learn from; harmful and harmless instructions to test on",
    count="2,483 with answers; 178, 40, 100, 100, 100, 100 instructions",
    licence="CC-BY-NC-4.0",
    citation="arXiv:2309.07875",
    metric="harmfulness of the answers, by a reward model or a judge",
)
HARMFUL = {
    "I-CoNa": True,
    "I-Controversial": True,
    "I-MaliciousInstructions": True,
    "I-PhysicalSafetyUnsafe": True,
    "I-PhysicalSafetySafe": False,
}


@dataset(
    ABOUT,
    ("instruction", "input", "output"),
    ("instructions",),
    uses=("instruction", "instructions", "input", "output", "tags"),
)
def load(row):
    """Safety-Tuned LLaMAs: instruction sets, and safety_only data with safe completions."""
    subset = row.file.partition(".")[0]
    if "instructions" in row:
        return item(
            "safety",
            text(row, "instructions"),
            subset=subset,
            harmful=HARMFUL.get(subset),
            category=row.get("tags"),
        )
    prompt = "\n\n".join(filter(None, [text(row, "instruction"), row["input"]]))
    return item("safety", prompt, completion=row["output"], subset=subset, label="safe")

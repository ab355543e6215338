"""JailbreakBench's attack artifacts: attacks on chat models, what came back, and who was broken.

A row without a response is an attack that found no prompt. It stays, without `completion` and with
the goal as prompt, since it counts when the success of attacks is measured.
"""

from swr1.loading.declare import About, dataset, item, one_of, text

ABOUT = About(
    measures="jailbreaks: 4 attacks on 4 models, 100 behaviours",
    count="1,300 (531 jailbroken, 127 without a response)",
    licence="MIT",
    citation="arXiv:2404.01318",
    metric="attack success rate",
)


@dataset(
    ABOUT,
    ("goal", "behavior", "category", "prompt", "response", "jailbroken", "attack", "target"),
    uses=("prompt", "response", "target"),
)
def load(row, answered=False):
    """JailbreakBench artifacts; info.label safe or unsafe; answered: rows with a response only."""
    if answered and row["response"] is None:
        return None
    return item(
        "safety",
        text(row, "goal" if row["prompt"] is None else "prompt"),
        completion=row["response"],
        harmful=True,
        label=one_of(row, "jailbroken", {True: "unsafe", False: "safe"}),
        labelled_by="Llama-3-70B",
        model=text(row, "target"),
    )

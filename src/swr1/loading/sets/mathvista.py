"""MathVista: mathematics over figures; choices, numbers with a precision, or a list."""

from swr1.errors import DataError
from swr1.loading.declare import About, chosen, dataset, item, picture, text, with_pictures

ABOUT = About(
    measures="mathematical reasoning over figures",
    count="1,000 testmini, 5,141 test (without answers)",
    licence="CC-BY-SA-4.0",
    citation="arXiv:2310.02255",
    metric="accuracy, after the answer is extracted",
    split="testmini",
    seen=False,
)
TASKS = {"integer": "math", "float": "math", "list": "math", "text": "qa"}


@dataset(
    ABOUT,
    ("pid", "question", "image", "choices", "answer", "question_type", "answer_type"),
    uses=("question", "image", "decoded_image", "choices", "answer", "query"),
)
def load(row, images=""):
    """MathVista; info.precision and info.unit tell how a number is compared."""
    shown = picture(row.get("decoded_image") or row["image"], images)
    prompt = with_pictures([shown], text(row, "question"))
    answer = row["answer"] or None
    if row["question_type"] == "multi_choice":
        if answer is not None and answer not in row["choices"]:
            raise DataError(f"no such choice: the answer is {answer!r}")
        letter = answer and "ABCDEFGHIJKL"[row["choices"].index(answer)]
        return chosen(prompt, row["choices"], letter)
    task = TASKS.get(row["answer_type"], "qa")
    return item(task, prompt, [answer] if task == "qa" and answer else answer)

"""GPQA Diamond: questions of biology, physics and chemistry that experts answer and others do not.

The file names the right answer first, so the choices are shuffled, by `seed` and the question.
"""

from swr1.loading.declare import About, chosen, dataset, shuffled, text

ABOUT = About(
    measures="graduate science that cannot be looked up",
    count="198 (gated)",
    licence="CC-BY-4.0",
    citation="arXiv:2311.12022",
    metric="accuracy; a guess is right in 1 of 4",
    seen=False,
)
CHOICES = ("Correct Answer", *(f"Incorrect Answer {i}" for i in (1, 2, 3)))


@dataset(
    ABOUT,
    ("Question", *CHOICES),
    keeps=("Record ID", "Subdomain", "High-level domain"),
)
def load(row, seed=0):
    """GPQA Diamond, choices shuffled by the seed."""
    question = text(row, "Question").strip()
    choices, letter = shuffled([text(row, name).strip() for name in CHOICES], 0, seed, question)
    return chosen(question, choices, letter, category=row.get("High-level domain"))

"""MSSBench: the same words, safe beside one picture and unsafe beside another.

A row of "chat" has several queries for its two pictures, a row of "embodied" several instructions
for each; every one with each picture is an item. info.harmful marks the unsafe picture.
"""

from swr1.loading.declare import About, dataset, item, picture, with_pictures

ABOUT = About(
    measures="the same words, safe or unsafe by the picture; chat and embodied",
    count="1,820 pairs",
    licence="MIT",
    citation="arXiv:2410.06172",
    metric="accuracy on safe, on unsafe, and their mean",
    seen=False,
)


@dataset(
    ABOUT,
    ("safe_image_path", "unsafe_image_path", "queries"),
    ("safe", "unsafe", "safe_instructions", "unsafe_instructions"),
    uses=(
        "part safe unsafe queries safe_image_path unsafe_image_path safe_instructions"
        " unsafe_instructions"
    ).split(),
)
def load(row, images=""):
    """MSSBench, two items a query: info.harmful true beside the unsafe picture."""
    part = "chat" if "queries" in row else "embodied"
    items = []
    for name, harmful in (("safe", False), ("unsafe", True)):
        path = row[f"{name}_image_path"] if part == "chat" else row[name]
        words = row["queries"] if part == "chat" else row[f"{name}_instructions"]
        shown = picture(f"{part}/{path}", images)
        items += [
            item("safety", with_pictures([shown], query), category=part, harmful=harmful)
            for query in words
        ]
    return items

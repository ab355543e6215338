"""Reading other people's data sets into records (`swr1 load NAME`): in sets/, one file per set.

What a file of your own needs is here: `from swr1.loading import About, dataset, item, text`.
"""

from swr1.loading.declare import (
    LOADERS,
    About,
    chosen,
    dataset,
    item,
    number,
    one_of,
    picture,
    shuffled,
    text,
    with_pictures,
)

__all__ = [
    "LOADERS",
    "About",
    "chosen",
    "dataset",
    "item",
    "number",
    "one_of",
    "picture",
    "shuffled",
    "text",
    "with_pictures",
]

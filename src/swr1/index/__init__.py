"""A local index of passages: files become passages (`swr1 index`), and words find them.

    index = open_index("wiki.index")
    [[first, second, third]] = index.search(["who painted the night watch"], top=3)

`splitting` makes passages of files, `words` makes the words that an index knows of a text, `building`
writes an index so that a kill never hurts it, `backends` holds what stores and ranks.
"""

from swr1.index.building import build_index
from swr1.index.config import IndexConfig
from swr1.index.passages import Passage
from swr1.index.reading import Index, open_index

__all__ = ["Index", "IndexConfig", "Passage", "build_index", "open_index"]

"""Pictures of prompts: what a part of a message is, the one place that opens it, where files lie.

    opener = Opener(PictureOptions(picture_folders=["photos"]))
    for picture in opener.of(record):  # in the order of the prompt
        picture.image, picture.digest, picture.size

Pillow is imported when the first picture is opened, and nowhere else in swr1.
"""

from swr1.picture_parts import has_pictures, parts
from swr1.pictures.config import Limits, PictureOptions
from swr1.pictures.decoding import Picture, picture_of
from swr1.pictures.opening import Opener
from swr1.pictures.writing import part_of, write_png

__all__ = [
    "Limits",
    "Opener",
    "Picture",
    "PictureOptions",
    "has_pictures",
    "part_of",
    "parts",
    "picture_of",
    "write_png",
]

"""What pictures may be, and where from: limits, and the options of stages that open pictures."""

from dataclasses import dataclass
from functools import partial

from swr1.options import option

_pictures = partial(option, panel="Pictures")

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused before it costs memory.

    Attributes:
        size: bytes of a file.
        pixels: height times width.
        side: pixels of the shorter side, at least. Image processors blow up what is smaller.
        aspect: the longer side by the shorter one, below this; Qwen's processor refuses the rest.
        each: pictures of a prompt.
    """

    size: int = 20 * 2**20
    pixels: int = 2**24
    side: int = 8
    aspect: int = 200
    each: int = 16


@dataclass(kw_only=True)
class PictureOptions:
    """The options of every stage that opens pictures."""

    picture_folders: list[str] = _pictures(
        [],
        "Open pictures in these folders too. Without it: those in the folder of the file that names"
        " them (of a pipe: the working folder).",
        metavar="DIR...",
    )
    allow_picture_urls: list[str] = _pictures(
        [], "Fetch pictures from these hosts, by https.", metavar="HOST..."
    )
    inline_pictures: bool = _pictures(
        False, "Keep pictures inside the records, as base64, not in files beside them."
    )
    min_picture_side: int = _pictures(8, "Refuse pictures with a shorter side, in pixels.", min=1)
    max_picture_pixels: int = _pictures(2**24, "Refuse pictures of more pixels.", min=1)

    @property
    def limits(self) -> Limits:
        return Limits(side=self.min_picture_side, pixels=self.max_picture_pixels)


_current = PictureOptions()


def use(options: PictureOptions) -> None:
    """What holds in this process from now on: the command line calls it."""
    global _current
    _current = options


def current() -> PictureOptions:
    """The options of this process."""
    return _current

"""Bytes to pixels, within limits, and back.

A digest is of what is seen: blake2b-128 of "HEIGHT WIDTH " and the RGB pixels, row by row. The same
picture has the same digest in another file, folder or lossless format. (Two decoders of JPEG may
differ in a pixel, so a picture is written as PNG.)
"""

import hashlib
import io
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from swr1.pictures.config import FORMATS, Limits

if TYPE_CHECKING:
    from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
_EIGHT_BITS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
_BARE = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}  # chunks of a PNG without metadata or transparency


class Refusal(ValueError):
    """Why a picture is not opened, in a person's words."""


class Picture(NamedTuple):
    """A picture as models see it: upright, opaque, eight bits a channel.

    Attributes:
        image: a PIL image of mode RGB. Do not change it: it may be shared.
        digest: 32 hex digits of its pixels and size.
        animated: whether the file had more frames; this is the first.
    """

    image: "Image.Image"
    digest: str
    animated: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), in pixels."""
        return self.image.height, self.image.width


@cache
def _pillow() -> Any:
    from PIL import Image

    # An error, not a line on stderr: what is so large is refused anyway.
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    return Image


def picture_of(image: "Image.Image") -> Picture:
    """The picture in a PIL image of any mode of eight bits; what is transparent becomes white.

    Raises ValueError for a mode of 16 bits or floats.
    """
    rgb = _rgb(image)
    seen = hashlib.blake2b(b"%d %d " % (rgb.height, rgb.width), digest_size=16)
    seen.update(rgb.tobytes())
    return Picture(rgb, seen.hexdigest())


def decode(data: bytes, limits: Limits) -> Picture:
    """The picture in the bytes of a file. Raises Refusal."""
    if len(data) > limits.size:
        raise Refusal(f"more than {limits.size // 2**20} MB")
    library = _pillow()
    try:
        with library.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.width, image.height, limits)
            if data[:8] == PNG and data[24:25] > b"\x08":
                raise Refusal("16 bits a channel: convert it to 8")
            animated = getattr(image, "is_animated", False)
            image.load()
            picture = picture_of(_upright(image))
    except Refusal:
        raise
    except library.UnidentifiedImageError:
        raise Refusal(f"not a picture in one of the formats {', '.join(FORMATS)}") from None
    except (library.DecompressionBombError, library.DecompressionBombWarning):
        raise Refusal(f"more than {limits.pixels:,} pixels") from None
    except Exception as error:  # decoders raise what they like
        why = " ".join(str(error).split())[:80] or type(error).__name__
        raise Refusal(f"truncated or damaged ({why})") from None
    return picture._replace(animated=animated)


def _check_size(width: int, height: int, limits: Limits) -> None:
    size = f"{height} x {width} pixels"
    if height * width > limits.pixels:
        raise Refusal(f"{size} are more than {limits.pixels:,} (--max-picture-pixels)")
    if min(height, width) < limits.side:
        raise Refusal(
            f"{size}: the shorter side is below {limits.side} (--min-picture-side allows it)"
        )
    if max(height, width) >= limits.aspect * min(height, width):
        raise Refusal(f"{size}: one side is {limits.aspect} times the other, or more")


def _upright(image: "Image.Image") -> "Image.Image":
    """Turned as its EXIF data say."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _rgb(image: "Image.Image") -> "Image.Image":
    if image.mode not in _EIGHT_BITS:
        raise Refusal(f"its mode is {image.mode}, not 8 bits a channel: convert it")
    if image.mode[-1] in "Aa" or "transparency" in image.info:
        # convert("RGB") would show the colours that transparency hides
        over = image.convert("RGBA")
        white = _pillow().new("RGBA", over.size, "white")
        white.alpha_composite(over)
        image = white
    rgb = image.convert("RGB")
    if rgb is image or rgb.info:
        rgb = rgb.copy()
        rgb.info = {}
    return rgb


def encode(picture: Picture) -> bytes:
    """The bytes of a PNG with these pixels and nothing else. Equal pixels, equal bytes."""
    file = io.BytesIO()
    picture.image.save(file, "PNG", pnginfo=None, exif=b"", icc_profile=None)
    return file.getvalue()


def is_bare_png(data: bytes) -> bool:
    """Whether these bytes are a PNG without metadata: such as `encode` makes."""
    at = 8
    if data[:at] != PNG:
        return False
    while data[at + 4 : at + 8] in _BARE:
        kind, at = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return at == len(data)
    return False

"""Small pictures for tests."""

import io

from PIL import Image


def drawn(width=12, height=9, mode="RGB", seed=0):
    """A picture without structure."""
    pixels = bytes((i * 37 + seed * 11 + i * i % 251) % 256 for i in range(width * height * 3))
    return Image.frombytes("RGB", (width, height), pixels).convert(mode)


def encoded(image, kind="PNG", **more):
    """The bytes of its file."""
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()

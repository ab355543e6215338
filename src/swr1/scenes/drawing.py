"""Draws a scene: one thing a cell, moved a little within it.

    image = draw(scene, cell=16, jitter=1.0, rng=Random(0))     # a PIL image, RGB

Pillow is imported when the first picture is drawn.
"""

from __future__ import annotations

import math
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from swr1.scenes.scene import BAR, Scene

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE = (255, 255, 255)
RGB = {
    "red": (220, 30, 30),
    "green": (20, 150, 50),
    "blue": (30, 70, 220),
    "yellow": (240, 200, 0),
    "black": (20, 20, 20),
    "orange": (255, 125, 0),
    "purple": (130, 40, 160),
    "pink": (255, 130, 190),
}
RADIUS = {"small": 0.206, "large": 0.331}  # of a cell's side
EDGE = 0.06  # of a cell's side: no thing comes nearer to the border

Point = tuple[float, float]


def draw(scene: Scene, cell: int, jitter: float, rng: Random) -> Image:
    """The picture: `cell` pixels a side of each cell; jitter 0 to 1, how far things leave its middle."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (scene.columns * cell, scene.rows * cell), WHITE)
    pen = ImageDraw.Draw(image)
    moved: dict[str, float] = {}  # a bar is moved as a whole
    for thing in scene.things:
        x, y = ord(thing.cell[0]) - 97, int(thing.cell[1]) - 1
        radius = RADIUS[thing.size] * cell
        room = jitter * max(0.0, (0.5 - EDGE) * cell - radius)
        at = ((x + 0.5) * cell - 0.5, (y + 0.5) * cell - 0.5)
        at = (at[0] + rng.uniform(-room, room), at[1] + rng.uniform(-room, room))
        if thing.shape == BAR:  # its parts touch
            left = moved.setdefault(thing.cell[0], at[0]) - radius
            box = (left, y * cell, left + 2 * radius, (y + 1) * cell - 1)
            pen.rectangle(box, RGB[thing.colour])
        else:
            _draw(pen, thing.shape, at, radius, RGB[thing.colour])
    return image


def _draw(pen: Any, shape: str, at: Point, r: float, fill: tuple[int, int, int]) -> None:
    x, y = at
    if shape == "ring":
        width = max(1, round(r * 0.45))
        pen.ellipse((x - r, y - r, x + r, y + r), WHITE, fill, width)
        return
    for kind, points in _outlines()[shape]:
        moved = [(x + a * r, y + b * r) for a, b in points]
        getattr(pen, kind)(moved, fill)


@cache
def _outlines() -> dict[str, list[tuple[str, list[Point]]]]:
    """What each shape is made of, in a square from -1 to 1."""

    def box(a: float, b: float, c: float, d: float) -> tuple[str, list[Point]]:
        return "rectangle", [(a, b), (c, d)]

    def disc(x: float, y: float, r: float, s: float | None = None) -> tuple[str, list[Point]]:
        s = r if s is None else s
        return "ellipse", [(x - r, y - s), (x + r, y + s)]

    def area(*points: Point) -> tuple[str, list[Point]]:
        return "polygon", list(points)

    upright = area((-1, 0.9), (0, -1), (1, 0.9))
    legs = [
        area((x - 0.15, y), (x + 0.15, y), (x + s, 1), (x + s - 0.25, 1))
        for x, y, s in ((-0.6, 0.2, -0.2), (0, 0.2, 0.12), (0.6, 0.2, 0.45))
    ]
    return {
        "circle": [disc(0, 0, 1)],
        "square": [box(-0.9, -0.9, 0.9, 0.9)],
        "triangle": [upright],
        "diamond": [area((0, -1.2), (0.75, 0), (0, 1.2), (-0.75, 0))],
        "cross": [box(-1, -0.33, 1, 0.33), box(-0.33, -1, 0.33, 1)],
        # who is what, and how statements are joined
        "knight": [area((-0.9, -1), (0.9, -1), (0.9, 0.1), (0, 1.1), (-0.9, 0.1))],  # a shield
        "knave": [area((-1, -1), (1, -1), (-1, 1), (1, 1))],  # an hourglass
        "and": [box(-1, -0.2, 1, 0.2), box(-0.2, -1, 0.2, 1)],
        "or": [area((-1, -1), (-0.5, -1), (0, 0.3), (0.5, -1), (1, -1), (0.2, 1), (-0.2, 1))],
        "then": [area((-0.6, -1), (1, 0), (-0.6, 1), (0, 0))],
        "iff": [box(-1, -0.7, 1, -0.2), box(-1, 0.2, 1, 0.7)],
        # of the village
        "person": [disc(0, -0.7, 0.45), area((-1, -0.15), (1, -0.15), (0.3, 1.1), (-0.3, 1.1))],
        "pest": [disc(0, -0.1, 1, 0.5), *legs],
        "crate": [box(-1, -1, 1, -0.6), box(-1, 0.6, 1, 1), box(-1, -1, -0.6, 1), box(0.6, -1, 1, 1)],
        "bowl": [area(*[(math.cos(t), 1.2 * math.sin(t) - 0.4)
                        for t in (k * math.pi / 8 for k in range(9))])],
        "flask": [box(-0.25, -1.1, 0.25, -0.2), area((-0.25, -0.3), (0.25, -0.3), (1, 1), (-1, 1))],
        "jar": [box(-0.45, -0.5, 0.45, 1.1), box(-0.8, -1.1, 0.8, -0.7)],
    }  # fmt: skip

"""What a person sees of a picture in a record: it is drawn, and opened elsewhere, from its pixels alone."""

import io
import re

import pytest
from PIL import Image
from rich.console import Console

from swr1.viewing import shown_pictures
from swr1.viewing.page import in_full
from tests.vision.eyes import part

RED, BLUE = (200, 10, 10), (10, 10, 200)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown_pictures._opener.cache_clear()


def flag(folder, name="flag.png", size=(20, 10)):
    """Red above blue, as a file."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (0, size[1] // 2, *size))
    image.save(folder / name)
    return {"type": "image", "path": str(folder / name)}


def record(*content):
    return {"v": 1, "id": "r", "task": "qa", "prompt": [{"role": "user", "content": list(content)}]}


def on_a_terminal(one, width=100):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=width)
    console.print(in_full(one, None, "none", width))
    return out.getvalue()


def test_a_picture_is_drawn_where_there_is_a_terminal(tmp_path):
    one = record(flag(tmp_path), {"type": "text", "text": "which colour ?"})
    lines = [line for line in on_a_terminal(one).splitlines() if "▄" in line]
    assert len(lines) == 5 and all(line.count("▄") == 20 for line in lines)
    colours = [set(re.findall(r"[34]8;2;(\d+;\d+;\d+)", line)) for line in lines]
    assert colours[0] == {"200;10;10"} and colours[-1] == {"10;10;200"}
    plain = Console(file=(out := io.StringIO()), width=100)
    plain.print(in_full(one, None, "none", None))
    assert "▄" not in out.getvalue() and "10 x 20 pixels" in out.getvalue()


def test_large_pictures_fit_and_bad_ones_leave_a_line(tmp_path):
    wide = on_a_terminal(record(flag(tmp_path, "wide.png", (640, 480))), width=40)
    drawn = [line for line in wide.splitlines() if "▄" in line]
    assert all(line.count("▄") <= 40 for line in drawn) and len(drawn) <= 32
    bad = record({"type": "image", "path": "gone.png"}, part(1), {"type": "text", "text": "so ?"})
    text = on_a_terminal(bad)
    assert "gone.png" in text and text.count("▄") == 48 * 24


def test_another_viewer_gets_a_file_made_of_the_pixels(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(shown_pictures.subprocess, "Popen", lambda args, **_: begun.append(args))
    shown = tmp_path / "shown"
    shown.mkdir()
    prompt = record(flag(tmp_path), part(1))["prompt"]
    assert "2 opened by" in shown_pictures.open_outside(prompt, shown)
    assert [file.parent for _, file in begun] == [shown, shown]
    with Image.open(begun[0][1]) as image:
        assert image.getpixel((0, 0)) == RED and image.format == "PNG"
    begun.clear()
    outside = record({"type": "image", "path": "/etc/hostname"})["prompt"]
    assert "cannot be used" in shown_pictures.open_outside(outside, shown)
    address = record({"type": "image", "url": "http://127.0.0.1/x.png"})["prompt"]
    assert "cannot be used" in shown_pictures.open_outside(address, shown)
    assert not begun
